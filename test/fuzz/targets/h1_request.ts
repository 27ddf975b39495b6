/** Request heads: read alike from any split, and what was taken reads the same after it was written. */
import { noEdits } from "../../../src/wire/fields.ts";
import { idOf } from "../../../src/wire/head_fields.ts";
import { RequestParser } from "../../../src/wire/h1/request_head.ts";
import { writeFields } from "../../../src/wire/h1/write_head.ts";
import { bytesOf, feed, requestVerdict, textOf, TextSink } from "../../support/wire.ts";
import { someCuts } from "../splits.ts";
import { magnitude, must, mustEqual, type FuzzTarget } from "../target.ts";
import { headWords, requestSeeds } from "./h1_words.ts";

export const h1Request: FuzzTarget = {
  name: "h1-request",
  words: headWords,
  bytesMax: 40_000,
  inputMs: 60,
  seeds: () => requestSeeds.map(bytesOf),
  check(input, random) {
    const text = textOf(input);
    const verdict = requestVerdict([text]);
    mustEqual(requestVerdict(someCuts(text, random)), verdict, "a split changes what a head means");
    if (!verdict.startsWith("{")) return verdict;
    const parser = new RequestParser({ hostOptional: false });
    must(feed(parser, [text]) > 0, "a head is taken once and refused once");
    const first = written(parser);
    const again = new RequestParser({ hostOptional: false });
    must(feed(again, [first]) === first.length, `what was written is not taken: ${JSON.stringify(first)}`);
    mustEqual(meaning(again), meaning(parser), "a head means something else after it was written");
    mustEqual(written(again), first, "a head is written in another way the second time");
    const { upgrade, persistent, minor, method } = parser;
    const asked = upgrade === null ? 0 : upgrade === "connect" ? 1 : 2;
    return `${magnitude(parser.fields.count)} ${magnitude(parser.contentLength)} ${asked} ${persistent} ${minor} ${method === "GET"}`;
  },
};

/** As a connection to an upstream writes it. */
function written(parser: RequestParser): string {
  const sink = new TextSink();
  const target = parser.method === "CONNECT" ? parser.authority : parser.target;
  sink.text(`${parser.method} ${target} HTTP/1.1\r\nhost: ${parser.authority}\r\n`);
  const { nominated } = parser.framing;
  writeFields(sink, parser.fields, {
    edits: noEdits,
    nominated,
    keepLength: false,
    replacedId: idOf("host"),
  });
  if (parser.upgrade !== null && parser.upgrade !== "connect")
    sink.text(`connection: upgrade\r\nupgrade: ${parser.upgrade}\r\n`);
  if (parser.contentLength < 0) sink.text("transfer-encoding: chunked\r\n");
  else if (parser.contentLength > 0) sink.text(`content-length: ${parser.contentLength}\r\n`);
  sink.text("\r\n");
  return sink.said;
}

function meaning(parser: RequestParser): string {
  const { method, target, path, authority, upgrade, contentLength } = parser;
  return JSON.stringify({ method, target, path, authority, upgrade, contentLength });
}

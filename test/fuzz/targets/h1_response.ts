/** Response heads: read alike from any split, and their fields cross a hop once and for all. */
import { noEdits, type Fields } from "../../../src/wire/fields.ts";
import { ResponseParser } from "../../../src/wire/h1/response_head.ts";
import { writeFields } from "../../../src/wire/h1/write_head.ts";
import { bytesOf, feed, responseVerdict, textOf, TextSink } from "../../support/wire.ts";
import { someCuts } from "../splits.ts";
import { magnitude, must, mustEqual, type FuzzTarget } from "../target.ts";
import { answerSeeds, bodyWords, headWords } from "./h1_words.ts";

export const h1Response: FuzzTarget = {
  name: "h1-response",
  words: [...headWords, ...bodyWords],
  bytesMax: 80_000,
  inputMs: 60,
  seeds: () => answerSeeds.map(bytesOf),
  check(input, random) {
    const text = textOf(input);
    const verdict = responseVerdict([text]);
    mustEqual(responseVerdict(someCuts(text, random)), verdict, "a split changes what a head means");
    if (!verdict.startsWith("{")) return verdict;
    const parser = new ResponseParser();
    feed(parser, [text]);
    const first = written(parser.fields, parser.framing.nominated);
    const again = new ResponseParser();
    const whole = `HTTP/1.1 200 OK\r\n${first}\r\n`;
    must(feed(again, [whole]) === whole.length, `what was written is not taken: ${JSON.stringify(first)}`);
    mustEqual(written(again.fields, null), first, "fields are written in another way the second time");
    const { contentLength, chunked, nominated } = parser.framing;
    const named = nominated?.length ?? 0;
    return `${Math.floor(parser.status / 100)} ${magnitude(parser.fields.count)} ${magnitude(contentLength)} ${chunked} ${named}`;
  },
};

function written(fields: Fields, nominated: readonly string[] | null): string {
  const sink = new TextSink();
  writeFields(sink, fields, { edits: noEdits, nominated, keepLength: false, replacedId: 0 });
  return sink.said;
}

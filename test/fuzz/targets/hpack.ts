/** Header blocks: two decoders agree, and a head that is taken can be written as HTTP/1 and means the same there. */
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { HeadBlock } from "../../../src/wire/h2/head_block.ts";
import { HpackDecoder } from "../../../src/wire/h2/hpack_decoder.ts";
import { RequestParser } from "../../../src/wire/h1/request_head.ts";
import { writeFields } from "../../../src/wire/h1/write_head.ts";
import { HeadFields, idOf } from "../../../src/wire/head_fields.ts";
import { feed, TextSink } from "../../support/wire.ts";
import { hpackTarget } from "../h2.ts";
import { magnitude, must, mustEqual, type FuzzTarget } from "../target.ts";
import { blockSeeds, http2Words } from "./h2_seeds.ts";

export const hpack: FuzzTarget = {
  name: "hpack",
  words: http2Words,
  bytesMax: 8_000,
  inputMs: 60,
  seeds: () => blockSeeds,
  check(input, random) {
    hpackTarget(input);
    const at = random.below(input.length + 1);
    const blocks = [input.subarray(0, at), input.subarray(at)];
    const one = new HpackDecoder(limits.h2TableBytesMax);
    const other = new HpackDecoder(limits.h2TableBytesMax);
    let word = "";
    for (const block of blocks) {
      const head = decode(one, block);
      mustEqual(said(decode(other, block)), said(head), "two decoders disagree");
      word += summary(head);
      if (head === null) break;
    }
    const whole = decode(new HpackDecoder(limits.h2TableBytesMax), input);
    if (isTaken(whole)) expectCrossing(whole);
    return `${word} ${summary(whole)}`;
  },
};

/** null for a block that breaks its connection. */
function decode(decoder: HpackDecoder, bytes: Uint8Array): HeadBlock | null {
  const head = new HeadBlock();
  head.begin("request", new HeadFields(), limits.requestHeadBytesMax);
  if (!decoder.decode(bytes, 0, bytes.length, head)) return null;
  head.finish();
  return head;
}

function isTaken(head: HeadBlock | null): head is HeadBlock {
  return head !== null && head.malformed === null && head.refusal === null;
}

function said(head: HeadBlock | null): string {
  if (head === null) return "broken";
  const { fields, malformed, method, target, authority, contentLength } = head;
  const lines = Array.from(
    { length: fields.count },
    (_, at) => `${fields.nameAt(at)}: ${fields.valueAt(at)}`,
  );
  return JSON.stringify({ malformed, method, target, authority, contentLength, lines });
}

function summary(head: HeadBlock | null): string {
  if (head === null) return "broken";
  return head.malformed ?? head.refusal?.reason ?? `${head.upgrade} ${magnitude(head.fields.count)}`;
}

/** As a proxy writes it towards an HTTP/1 app. */
function expectCrossing(head: HeadBlock): void {
  const sink = new TextSink();
  const target = head.method === "CONNECT" ? head.authority : head.target;
  sink.text(`${head.method} ${target} HTTP/1.1\r\nhost: ${head.authority}\r\n`);
  writeFields(sink, head.fields, {
    edits: noEdits,
    nominated: null,
    keepLength: false,
    replacedId: idOf("host"),
  });
  sink.text("\r\n");
  const parser = new RequestParser({ hostOptional: false });
  const consumed = feed(parser, [sink.said]);
  // What fits HTTP/2 may be too long once it is written out.
  if (consumed < 0 && parser.problem?.limit !== null) return;
  must(consumed === sink.said.length, `what HTTP/2 takes breaks HTTP/1: ${JSON.stringify(sink.said)}`);
  mustEqual(
    `${parser.method} ${parser.target} ${parser.authority}`,
    `${head.method} ${head.target} ${head.authority}`,
    "a head changes its meaning",
  );
}

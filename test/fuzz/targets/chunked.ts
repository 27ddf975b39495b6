/** Chunked bodies: the same octets, end and trailers from any split; whole ones agree with a second reading. */
import { bytesOf, chunkedVerdict, textOf } from "../../support/wire.ts";
import { readMessage } from "../../conformance/http1/message.ts";
import { someCuts } from "../splits.ts";
import { magnitude, mustEqual, type FuzzTarget } from "../target.ts";
import { bodyWords, headWords } from "./h1_words.ts";

const seeds = [
  "0\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\n",
  '5;a="b;\\"";c=d\r\nhello\r\n00C\r\n world, wide\r\n0;x\r\nX-Sum: 1\r\nX: 2\r\n\r\nGET / HTTP/1.1\r\n',
];

export const chunked: FuzzTarget = {
  name: "chunked",
  words: [...bodyWords, ...headWords.slice(0, 15)],
  bytesMax: 20_000,
  inputMs: 60,
  seeds: () => seeds.map(bytesOf),
  check(input, random) {
    const text = textOf(input);
    const verdict = chunkedVerdict([text]);
    mustEqual(chunkedVerdict(someCuts(text, random)), verdict, "a split changes a body");
    const end = / end at (\d+) with [^]*$/.exec(verdict);
    if (end === null)
      return verdict.slice(Math.max(verdict.lastIndexOf(" failed"), verdict.lastIndexOf(" more")));
    agree(text.slice(0, Number(end[1])), verdict.slice(0, end.index));
    return `${magnitude(end.index)} ${verdict.slice(end.index).split(",").length}`;
  },
};

/** The second reading knows no extensions. */
function agree(text: string, body: string): void {
  if (/[;"]/.test(text)) return;
  const read = readMessage(`POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n${text}`, 0, {
    method: null,
    ended: false,
  });
  mustEqual(typeof read === "string" ? read : read.body, body, "two readings of a body differ");
}

/** What the server side of HTTP/1 itself answers, where there is no request that a handler could answer. */
import type { Problem } from "../wire/h1/grammar.ts";
import { statusLine } from "../wire/h1/write_head.ts";
import type { Output } from "./output.ts";

/** `date`: of now, as in a Date field. Nothing may follow it on the connection. */
export function writeRefusal(output: Output, { status, reason }: Problem, date: string): void {
  const text = `heddle refused this request: ${reason}.\n`;
  output.text(statusLine(status));
  output.text(
    `content-type: text/plain\r\ncontent-length: ${text.length}\r\ndate: ${date}\r\nconnection: close\r\n\r\n${text}`,
  );
}

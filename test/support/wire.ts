/** Bytes for codec tests: text of characters below 256 in and out, parsers fed in pieces, a sink that keeps what is written. */
import { ChunkedDecoder } from "../../src/wire/h1/chunked.ts";
import { RequestParser } from "../../src/wire/h1/request_head.ts";
import { ResponseParser } from "../../src/wire/h1/response_head.ts";
import type { ByteSink } from "../../src/wire/h1/write_head.ts";
import { HeadFields, nameIdAt } from "../../src/wire/head_fields.ts";

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** Cuts the text at the offsets, which may be out of order, twice the same or out of range. */
export function piecesOf(text: string, offsets: readonly number[]): string[] {
  const cuts = [...new Set(offsets)].filter((at) => at > 0 && at < text.length).sort((a, b) => a - b);
  return [0, ...cuts].map((at, index) => text.slice(at, cuts[index] ?? text.length));
}

export class TextSink implements ByteSink {
  said = "";

  bytes(source: Uint8Array, start: number, end: number): void {
    this.said += textOf(source.subarray(start, end));
  }

  text(text: string): void {
    this.said += text;
  }

  line(name: string, value: string): void {
    this.said += `${name}: ${value}\r\n`;
  }
}

/** Fields as a codec would leave them. */
export function fieldsOf(...lines: readonly string[]): HeadFields {
  const fields = new HeadFields();
  const bytes = bytesOf(lines.map((line) => `${line}\r\n`).join(""));
  let at = 0;
  for (const line of lines) {
    const nameEnd = at + line.indexOf(":");
    const value = line.slice(line.indexOf(":") + 1);
    const valueStart = nameEnd + 1 + (value.length - value.trimStart().length);
    const valueEnd = valueStart + value.trim().length;
    fields.add(nameIdAt(bytes, at, nameEnd), at, nameEnd, valueStart, valueEnd);
    at += line.length + 2;
  }
  fields.own(bytes, 0, bytes.length);
  return fields;
}

type HeadParser = Pick<RequestParser, "parse" | "problem">;

/** Feeds what has arrived so far after each piece, as a connection does. Returns what the last call said. */
export function feed(parser: HeadParser, pieces: readonly string[]): number {
  let arrived = "";
  for (const piece of pieces) {
    arrived += piece;
    const bytes = bytesOf(arrived);
    const consumed = parser.parse(bytes, 0, bytes.length);
    if (consumed !== 0) return consumed;
  }
  return 0;
}

/** What a request head comes to, in words: the status of its problem, `more`, or what it says. */
export function requestVerdict(pieces: readonly string[], hostOptional = false): string {
  const parser = new RequestParser({ hostOptional });
  const consumed = feed(parser, pieces);
  if (consumed < 0) return `refused ${parser.problem?.status} ${parser.problem?.reason}`;
  if (consumed === 0) return "more";
  const { method, target, authority, minor, upgrade, contentLength, persistent, fields } = parser;
  const lines = Array.from({ length: fields.count }, (_, at) => `${fields.nameAt(at)}=${fields.valueAt(at)}`);
  return JSON.stringify({
    consumed,
    method,
    target,
    authority,
    minor,
    upgrade,
    contentLength,
    persistent,
    lines,
  });
}

export function responseVerdict(pieces: readonly string[]): string {
  const parser = new ResponseParser();
  const consumed = feed(parser, pieces);
  if (consumed < 0) return `refused ${parser.problem?.reason}`;
  if (consumed === 0) return "more";
  const { status, minor, persistent, fields, framing } = parser;
  const lines = Array.from({ length: fields.count }, (_, at) => `${fields.nameAt(at)}=${fields.valueAt(at)}`);
  return JSON.stringify({
    consumed,
    status,
    minor,
    persistent,
    length: framing.contentLength,
    chunked: framing.chunked,
    lines,
  });
}

/** Body octets, how a chunked body ended, after how many octets and with which trailers. */
export function chunkedVerdict(pieces: readonly string[]): string {
  const decoder = new ChunkedDecoder();
  let said = "";
  let before = 0;
  for (const piece of pieces) {
    const bytes = bytesOf(piece);
    for (let at = 0; at < bytes.length;) {
      const event = decoder.step(bytes, at, bytes.length);
      if (event === "failed") return `${said} failed ${decoder.problem?.reason}`;
      at = decoder.next;
      if (event === "data") said += textOf(bytes.subarray(decoder.dataStart, decoder.dataEnd));
      if (event === "end") {
        const { trailers } = decoder;
        const names = Array.from({ length: trailers?.count ?? 0 }, (_, index) => trailers?.nameAt(index));
        return `${said} end at ${before + at} with ${names.join()}`;
      }
      if (event === "more") break;
    }
    before += bytes.length;
  }
  return `${said} more`;
}

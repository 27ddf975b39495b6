/** Where header blocks are encoded: one buffer for all connections, because encoding never waits. */
import { copyBytes } from "../../base/bytes.ts";
import { frameHeaderBytes } from "./frames.ts";

/** The block being written, behind `frameHeaderBytes` of room. */
export const headBuffer = { bytes: new Uint8Array(4096), end: frameHeaderBytes };

/** Room for `length` more bytes in the buffer. */
export function reserve(length: number): void {
  const { bytes, end } = headBuffer;
  if (bytes.length - end >= length) return;
  const grown = new Uint8Array(Math.max(bytes.length * 2, end + length));
  copyBytes(grown, 0, bytes, 0, end);
  headBuffer.bytes = grown;
}

export function putByte(byte: number): void {
  reserve(1);
  headBuffer.bytes[headBuffer.end++] = byte;
}

/** RFC 7541 section 5.1. */
export function putInteger(mark: number, prefix: number, value: number): void {
  if (value < prefix) return putByte(mark | value);
  putByte(mark | prefix);
  let rest = value - prefix;
  while (rest >= 0x80) {
    putByte((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  putByte(rest);
}

/** A call costs more than a short copy. */
const shortBytes = 40;

export function putBytes(source: Uint8Array, start: number, end: number): void {
  const length = end - start;
  reserve(length);
  const to = headBuffer.end;
  if (length > shortBytes) copyBytes(headBuffer.bytes, to, source, start, end);
  else {
    const { bytes } = headBuffer;
    for (let at = 0; at < length; at++) bytes[to + at] = source[start + at] as number;
  }
  headBuffer.end = to + length;
}

export function putText(text: string): void {
  const { length } = text;
  reserve(length);
  const { bytes } = headBuffer;
  const to = headBuffer.end;
  for (let at = 0; at < length; at++) bytes[to + at] = text.charCodeAt(at);
  headBuffer.end = to + length;
}

export function putLower(source: Uint8Array, start: number, end: number): void {
  reserve(end - start);
  const { bytes } = headBuffer;
  let to = headBuffer.end;
  for (let at = start; at < end; at++) bytes[to++] = lower(source[at] as number);
  headBuffer.end = to;
}

/** In lower case. */
export function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte | 0x20 : byte;
}

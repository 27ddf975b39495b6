/** HTTP/2 by hand: frames and header blocks as bytes, and bytes as frames, for peers that break the rules. */
import { frameTypes, prefaceText } from "../../src/wire/h2/frames.ts";
import { huffmanCode } from "../../src/wire/h2/huffman.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
}

export type FieldList = readonly (readonly [name: string, value: string])[];

export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
export const preface = bytesOf(prefaceText);

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const header = new Uint8Array(9);
  const view = new DataView(header.buffer);
  view.setUint16(0, payload.length >> 8);
  header[2] = payload.length;
  header[3] = type;
  header[4] = flags;
  view.setUint32(5, streamId);
  return concat(header, payload);
}

export function number32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** A SETTINGS frame of these pairs. */
export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const payload = pairs.map(([id, value]) => concat(Uint8Array.of(0, id), number32(value)));
  return frame(frameTypes.settings, 0, 0, concat(...payload));
}

/** How a client begins. */
export const opening = concat(preface, settings());

/** An HPACK integer with `mark` above a prefix of `bits` (RFC 7541 section 5.1). */
export function integer(value: number, bits: number, mark = 0): Uint8Array {
  const most = 2 ** bits - 1;
  if (value < most) return Uint8Array.of(mark | value);
  const bytes = [mark | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.from([...bytes, rest]);
}

export function huffman(text: string): Uint8Array {
  let bits = "";
  for (const letter of text) {
    const code = letter.charCodeAt(0);
    const length = huffmanCode.lengths[code] as number;
    bits += (huffmanCode.codes[code] as number).toString(2).padStart(length, "0");
  }
  bits += "1".repeat((8 - (bits.length % 8)) % 8);
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

function string(text: string, coded: boolean): Uint8Array {
  const bytes = coded ? huffman(text) : bytesOf(text);
  return concat(integer(bytes.length, 7, coded ? 0x80 : 0), bytes);
}

/** A literal field with a new name. `mark` 0x40 adds it to the table. */
export function literal(name: string, value: string, mark = 0, coded = false): Uint8Array {
  return concat(Uint8Array.of(mark), string(name, coded), string(value, coded));
}

export function blockOf(fields: FieldList): Uint8Array {
  return concat(...fields.map(([name, value]) => literal(name, value)));
}

export const getFields: FieldList = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "a.mesh"],
];

/** HEADERS with END_HEADERS. */
export function headers(streamId: number, fields: FieldList, endStream = true): Uint8Array {
  return frame(frameTypes.headers, endStream ? 5 : 4, streamId, blockOf(fields));
}

export function data(streamId: number, payload: Uint8Array | string, endStream = false): Uint8Array {
  const bytes = typeof payload === "string" ? bytesOf(payload) : payload;
  return frame(frameTypes.data, endStream ? 1 : 0, streamId, bytes);
}

/** The whole frames at the start of `bytes`, behind a preface if there is one. */
export function framesIn(all: Uint8Array): Frame[] {
  const bytes = all[0] === preface[0] ? all.subarray(preface.length) : all;
  const found: Frame[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 9 <= bytes.length;) {
    const length = (view.getUint16(at) << 8) | (bytes[at + 2] as number);
    if (at + 9 + length > bytes.length) break;
    found.push({
      type: bytes[at + 3] as number,
      flags: bytes[at + 4] as number,
      streamId: view.getUint32(at + 5) & 0x7fff_ffff,
      payload: bytes.slice(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return found;
}

/**
 * Server-sent events (WHATWG HTML, section 9.2): takes the bytes of a stream as they come, split anywhere, and gives whole events
 * with the bytes that they came in, so that what nobody changes goes on byte for byte.
 */
import { limits } from "../model/limits.ts";

export interface StreamEvent {
  /** Its type; absent: `message`. */
  readonly event?: string;
  readonly id?: string;
  /** Lines joined by a line feed. */
  readonly data: string;
}

/** A piece of the stream: an event with the blank line that ends it, or what is none. */
export interface StreamPiece {
  readonly bytes: Uint8Array;
  /** null: comments alone, or one that is too long to be read. */
  readonly event: StreamEvent | null;
  /** It is part of one that is too long to be read. */
  readonly tooLong: boolean;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class EventSplitter {
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #lineLength = 0;
  #afterReturn = false;
  /** There is more than blank lines. */
  #begun = false;
  /** Its beginning has gone on already. */
  #tooLong = false;

  push(bytes: Uint8Array, start: number, end: number): StreamPiece[] {
    const pieces: StreamPiece[] = [];
    let from = start;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      const second = byte === lineFeed && this.#afterReturn;
      this.#afterReturn = byte === carriageReturn;
      // The other half of a line's end.
      if (second) continue;
      if (byte !== lineFeed && byte !== carriageReturn) {
        this.#lineLength++;
        this.#begun = true;
        continue;
      }
      if (this.#lineLength === 0 && this.#begun) {
        pieces.push(this.#piece(bytes, from, at + 1, true));
        from = at + 1;
      }
      this.#lineLength = 0;
    }
    if (from < end) this.#keep(bytes, from, end);
    if (this.#keptBytes > limits.policyEventBytesMax) {
      this.#tooLong = true;
      pieces.push(this.#piece(bytes, end, end, false));
    }
    return pieces;
  }

  /** What stands behind the last blank line when the stream ends, which careless readers take for an event; null for nothing. */
  rest(): StreamPiece | null {
    return this.#keptBytes === 0 ? null : this.#piece(new Uint8Array(0), 0, 0, true);
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    this.#kept.push(bytes.slice(start, end));
    this.#keptBytes += end - start;
  }

  #piece(bytes: Uint8Array, start: number, end: number, whole: boolean): StreamPiece {
    if (end > start) this.#keep(bytes, start, end);
    const all = this.#kept.length === 1 ? (this.#kept[0] as Uint8Array) : joined(this.#kept, this.#keptBytes);
    const tooLong = this.#tooLong || all.length > limits.policyEventBytesMax;
    const event = whole && !tooLong ? readEvent(decoder.decode(all)) : null;
    if (whole) {
      this.#tooLong = false;
      this.#begun = false;
    }
    this.#kept = [];
    this.#keptBytes = 0;
    return { bytes: all, event, tooLong };
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** null: no line of it has data. */
function readEvent(text: string): StreamEvent | null {
  const data: string[] = [];
  let said: { event?: string; id?: string } = {};
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") data.push(value);
    else if (name === "event" || name === "id") said = { ...said, [name]: value };
  }
  return data.length === 0 ? null : { ...said, data: data.join("\n") };
}

/** An event as it stands on the wire. Its type and id have no line's end in them. */
export function writeEvent({ event, id, data }: StreamEvent): Uint8Array {
  const head = `${event === undefined ? "" : `event: ${event}\n`}${id === undefined ? "" : `id: ${id}\n`}`;
  const lines = data.split(/\r\n|\n|\r/).map((line) => `data: ${line}\n`);
  return encoder.encode(`${head}${lines.join("")}\n`);
}

/** Bytes that say where they belong, made and checked a piece at a time: a long body without holding one. */
import type { Writable } from "node:stream";

const period = 65_521;
const pieceBytes = 4 * period;
const block = Buffer.alloc(pieceBytes);
for (let at = 0; at < block.length; at++) block[at] = ((at % period) * 31 + ((at % period) >>> 7)) & 255;

/** The piece of a body of `total` bytes that begins at `from`, a multiple of the period. */
function pieceAt(from: number, total: number): Buffer {
  return block.subarray(0, Math.min(pieceBytes, total - from));
}

/** Writes a body of `total` bytes as fast as it is taken, and ends. */
export function sendPattern(out: Writable, total: number): void {
  let sent = 0;
  const pump = (): void => {
    while (sent < total) {
      const piece = pieceAt(sent, total);
      sent += piece.length;
      if (!out.write(piece)) return void out.once("drain", pump);
    }
    out.end();
  };
  pump();
}

export interface Check {
  readonly bytes: number;
  /** All so far were as they must be. */
  readonly whole: boolean;
  take(chunk: Buffer): void;
}

export function checksBytes(): Check {
  let bytes = 0;
  let whole = true;
  return {
    get bytes() {
      return bytes;
    },
    get whole() {
      return whole;
    },
    take(chunk) {
      for (let at = 0; at < chunk.length && whole;) {
        const from = bytes % period;
        const length = Math.min(chunk.length - at, pieceBytes - from);
        whole = block.compare(chunk, at, at + length, from, from + length) === 0;
        at += length;
        bytes += length;
      }
    },
  };
}

/**
 * Lines that a caller sends while it follows the answer to its request: the request asks for an upgrade (RFC 9110 section 7.8), and once
 * that was granted both sides send one JSON message per line. A server that knows nothing of it answers as ever, and so does one that
 * is asked for something else.
 */
import { LineReader } from "./line_reader.ts";
import { limits } from "../model/limits.ts";

/** What the Upgrade field says. */
export const linesProtocol = "heddle-lines";

/** What a handler may make of a request that asked for it. */
export interface LinesUp {
  /** Every line of the caller from now on goes there; what it throws ends the stream. To be called before the answer is there. */
  take(line: (message: unknown) => void): void;
}

/** The lines of one caller. */
export class LinesTaken {
  readonly #reader: LineReader;

  constructor(line: (message: unknown) => void) {
    this.#reader = new LineReader(limits.upLineBytesMax, (text) => line(JSON.parse(text)));
  }

  /** False: what came is no line that is taken here. */
  take(bytes: Uint8Array): boolean {
    try {
      return this.#reader.take(bytes);
    } catch {
      return false;
    }
  }
}

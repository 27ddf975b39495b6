/**
 * Lines on their way to standard output or standard error, whose reader may be slow or gone: they wait here, bounded, and the traffic
 * does not. What does not fit is dropped, whole lines, and counted.
 */
import type { Native } from "../../runtime/contract.ts";
import { outputLook, type OutputState } from "./output_state.ts";
import { limits } from "../model/limits.ts";

/** A write that does not wait is of so many bytes at most (PIPE_BUF); a character may take three. */
const pieceBytes = 4_096;
const asciiOnly = /^[\x00-\x7f]*$/;

export interface LineOutputOptions {
  readonly native: Native;
  readonly descriptor: 1 | 2;
  /** Writes whole text to it. */
  readonly write: (text: string) => void;
  readonly charactersMax?: number;
}

export class LineOutput {
  #waiting = "";
  #lost = 0;
  readonly #max: number;
  /** Made when it is first needed: a start is quick without. */
  #look: ((descriptor: number) => OutputState) | null = null;

  constructor(readonly options: LineOutputOptions) {
    this.#max = options.charactersMax ?? limits.logWaitingCharactersMax;
  }

  /** Lines that were dropped. */
  get lost(): number {
    return this.#lost;
  }

  /** Whole lines. Writes what the reader takes now. */
  write(lines: string): void {
    const room = this.#max - this.#waiting.length;
    // The last line that still fits ends here.
    const end = lines.length <= room ? lines.length : lines.lastIndexOf("\n", room - 1) + 1;
    for (let at = end; at < lines.length; at++) if (lines[at] === "\n") this.#lost++;
    this.#waiting += lines.slice(0, end);
    this.flush();
  }

  /** Writes what the reader takes now of what waits. */
  flush(): void {
    const whole = this.#waiting;
    if (whole === "") return;
    const { native, descriptor, write } = this.options;
    const look = (this.#look ??= outputLook(native));
    let at = 0;
    while (at < whole.length && look(descriptor) !== "full") {
      const piece = pieceAt(whole, at);
      write(piece);
      at += piece.length;
    }
    if (at > 0) this.#waiting = whole.slice(at);
  }
}

function pieceAt(text: string, at: number): string {
  const piece = text.slice(at, at + pieceBytes);
  if (asciiOnly.test(piece)) return piece;
  const few = text.slice(at, at + Math.floor(pieceBytes / 3));
  // The two halves of one character stay together.
  return /[\ud800-\udbff]$/.test(few) && few.length > 1 ? few.slice(0, -1) : few;
}

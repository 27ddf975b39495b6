/** Reads source maps (version 3) of one source: from a place in what was made of it back to the place that somebody wrote. */
import { LineStarts, type Place } from "./line_starts.ts";

interface Segment {
  readonly column: number;
  /** Count from 0. */
  readonly line: number;
  readonly sourceColumn: number;
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export class SourceMap {
  readonly #starts: LineStarts;
  readonly #lines: readonly (readonly Segment[])[];

  /** `text` is what was made. */
  constructor(json: string, text: string) {
    this.#starts = new LineStarts(text);
    this.#lines = decode((JSON.parse(json) as { readonly mappings: string }).mappings);
  }

  /** null: nothing that was written stands there. */
  placeOf(offset: number): Place | null {
    const { line, column } = this.#starts.placeOf(offset);
    const segments = this.#lines[line - 1] ?? [];
    let [low, high] = [0, segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((segments[middle]?.column ?? 0) <= column - 1) low = middle + 1;
      else high = middle;
    }
    const found = segments[low - 1];
    return found === undefined ? null : { line: found.line + 1, column: found.sourceColumn + 1 };
  }
}

function decode(mappings: string): Segment[][] {
  let line = 0;
  let sourceColumn = 0;
  return mappings.split(";").map((group) => {
    let column = 0;
    return group
      .split(",")
      .filter((text) => text !== "")
      .map((text): Segment => {
        const [columns = 0, , lines = 0, sourceColumns = 0] = numbersOf(text);
        column += columns;
        line += lines;
        sourceColumn += sourceColumns;
        return { column, line, sourceColumn };
      });
  });
}

/** Base 64 VLQ: five bits per digit, lowest first, the sixth says that more follow; the lowest of all is the sign. */
export function numbersOf(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const letter of text) {
    const digit = digits.indexOf(letter);
    value += (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    numbers.push((value & 1) === 1 ? -(value >> 1) : value >> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}

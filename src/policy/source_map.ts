/** Reads source maps (version 3): from a place in a bundle back to the place that somebody wrote. */
export interface Place {
  readonly file: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

interface Segment {
  readonly column: number;
  readonly source: number;
  readonly line: number;
  readonly sourceColumn: number;
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export class SourceMap {
  readonly #sources: readonly string[];
  readonly #lines: readonly (readonly Segment[])[];

  constructor(json: string) {
    const { sources, mappings } = JSON.parse(json) as { sources: string[]; mappings: string };
    this.#sources = sources;
    this.#lines = decode(mappings);
  }

  /** Line counts from 1, column from 0, as parsers have them. null: nothing that was written stands there. */
  placeOf(line: number, column: number): Place | null {
    const segments = this.#lines[line - 1] ?? [];
    let found: Segment | null = null;
    for (const segment of segments) if (segment.column <= column) found = segment;
    const file = found === null ? undefined : this.#sources[found.source];
    if (found === null || file === undefined) return null;
    return { file, line: found.line + 1, column: found.sourceColumn + 1 };
  }
}

function decode(mappings: string): Segment[][] {
  let source = 0;
  let line = 0;
  let sourceColumn = 0;
  return mappings.split(";").map((group) => {
    let column = 0;
    return group
      .split(",")
      .filter((text) => text !== "")
      .map((text): Segment => {
        const [columns = 0, sources = 0, lines = 0, sourceColumns = 0] = numbersOf(text);
        column += columns;
        source += sources;
        line += lines;
        sourceColumn += sourceColumns;
        return { column, source, line, sourceColumn };
      });
  });
}

/** Base 64 VLQ: five bits per digit, lowest first, the sixth says that more follow; the lowest of all is the sign. */
function numbersOf(text: string): number[] {
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

/** From an offset in a text to its line and column. */
export interface Place {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

export class LineStarts {
  readonly #starts: readonly number[];

  constructor(text: string) {
    const starts = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#starts = starts;
  }

  offsetOf({ line, column }: Place): number {
    return (this.#starts[line - 1] ?? 0) + column - 1;
  }

  placeOf(offset: number): Place {
    let [low, high] = [0, this.#starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return { line: low, column: offset - (this.#starts[low - 1] ?? 0) + 1 };
  }
}

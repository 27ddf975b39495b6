/** Where in the author's files an error was thrown, by the table that travels at the end of the bundle (`places.ts`). */
export class Places {
  #files: readonly string[] = [];
  #numbers: readonly number[] = [];

  set(files: readonly string[], numbers: readonly number[]): void {
    this.#files = files;
    this.#numbers = numbers;
  }

  /** The error in words, behind the place where it was thrown if that is known: `limits.ts:12:5: TypeError: …`. */
  reasonOf(error: unknown): string {
    try {
      if (!(error instanceof Error)) return String(error);
      return `${this.#placeOf(String(error.stack))}${error.name}: ${error.message}`;
    } catch {
      return "it threw something that cannot be told";
    }
  }

  /** Of the frames of a stack, the innermost one that the author wrote. */
  #placeOf(stack: string): string {
    for (const [, line, column] of stack.slice(0, stackLengthMax).matchAll(/\bpolicy:(\d+):(\d+)/g)) {
      const place = this.#writtenAt(Number(line), Number(column));
      if (place !== null) return `${place}: `;
    }
    return "";
  }

  #writtenAt(line: number, column: number): string | null {
    const numbers = this.#numbers;
    let found = -1;
    for (let at = 0; at < numbers.length; at += 5) {
      const row = numbers[at] as number;
      if (row > line || (row === line && (numbers[at + 1] as number) > column)) break;
      found = at;
    }
    const file = this.#files[numbers[found + 2] ?? -1];
    return file === undefined ? null : `${file}:${numbers[found + 3]}:${numbers[found + 4]}`;
  }
}

const stackLengthMax = 8_192;

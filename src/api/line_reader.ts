/** Lines out of a stream of bytes. A line may come in any number of parts, and each byte of it is copied once or twice. */
export class LineReader {
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(
    readonly bytesMax: number,
    /** Called for each line that has text, without its end. */
    readonly line: (text: string) => void,
  ) {}

  /** The bytes are only looked at during the call. False: a line is longer than may be. */
  take(bytes: Uint8Array): boolean {
    let begin = 0;
    for (let end = bytes.indexOf(lineEnd); end >= 0; end = bytes.indexOf(lineEnd, begin)) {
      if (!this.#keep(bytes.subarray(begin, end))) return false;
      begin = end + 1;
      const text = this.#text();
      if (text !== "") this.line(text);
    }
    return this.#keep(bytes.subarray(begin));
  }

  #keep(part: Uint8Array): boolean {
    this.#bytes += part.length;
    if (this.#bytes > this.bytesMax) return false;
    if (part.length > 0) this.#parts.push(part.slice());
    return true;
  }

  #text(): string {
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#bytes = 0;
    return new TextDecoder().decode(all);
  }
}

const lineEnd = 10;

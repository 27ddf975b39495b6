/** HTTP/1.x response heads: as strict as requests, since what an upstream says is forwarded to somebody. */
import { limits } from "../../model/limits.ts";
import { FieldSection } from "./field_section.ts";
import { classes, problems, valueBit, type Problem } from "./grammar.ts";

const CR = 13;
const LF = 10;
const SP = 32;
/** `#` stands for a digit. */
const shape = "HTTP/1.# ###";
const digit = 35;

export class ResponseParser {
  readonly #section = new FieldSection();
  readonly fields = this.#section.fields;
  readonly framing = this.#section.framing;
  status = 0;
  minor = 1;
  problem: Problem | null = null;

  /** As `RequestParser.parse`. */
  parse(source: Uint8Array, start: number, end: number): number {
    this.problem = null;
    const until = Math.min(end, start + limits.responseHeadBytesMax + 1);
    const fieldsAt = this.#parseLine(source, start, until);
    if (fieldsAt <= 0) return fieldsAt === 0 ? this.#incomplete(start, until) : -1;
    const next = this.#section.read(source, fieldsAt, until, this.minor);
    if (next === 0) return this.#incomplete(start, until);
    if (next < 0) return this.#refuse(this.#section.problem as Problem);
    return next - start > limits.responseHeadBytesMax ? this.#refuse(problems.headLong) : next;
  }

  get persistent(): boolean {
    if (this.framing.close) return false;
    return this.minor === 1 || this.framing.keepAlive;
  }

  /** The protocol a 101 switches to, lower case; "" when it names none. */
  get upgrade(): string {
    const at = this.framing.upgradeAt;
    return at < 0 ? "" : this.fields.valueAt(at).toLowerCase();
  }

  #refuse(problem: Problem): -1 {
    this.problem = problem;
    return -1;
  }

  #incomplete(start: number, end: number): 0 | -1 {
    return end - start > limits.responseHeadBytesMax ? this.#refuse(problems.headLong) : 0;
  }

  /** `HTTP/1.x SP 3DIGIT [SP reason] CRLF`. Returns where the fields begin, 0 when incomplete, -1 when refused. */
  #parseLine(source: Uint8Array, start: number, end: number): number {
    const have = Math.min(end - start, shape.length);
    for (let at = 0; at < have; at++) {
      const byte = source[start + at] as number;
      const want = shape.charCodeAt(at);
      if (want === digit ? byte < 48 || byte > 57 : byte !== want) return this.#refuse(problems.statusLine);
    }
    if (have < shape.length) return 0;
    this.minor = (source[start + 7] as number) - 48;
    this.status =
      (source[start + 9] as number) * 100 +
      (source[start + 10] as number) * 10 +
      (source[start + 11] as number) -
      48 * 111;
    if (this.minor > 1 || this.status < 100) return this.#refuse(problems.statusLine);
    let at = start + shape.length;
    if (at < end && source[at] !== SP && source[at] !== CR) return this.#refuse(problems.statusLine);
    while (at < end && ((classes[source[at] as number] as number) & valueBit) !== 0) at++;
    if (at + 1 >= end) return 0;
    if (source[at] !== CR || source[at + 1] !== LF) return this.#refuse(problems.lineEnd);
    return at + 2;
  }
}

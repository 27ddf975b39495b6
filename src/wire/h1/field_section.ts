/**
 * The field sections of the heads of one connection. A section that is byte for byte the one before it means the same, so it
 * is compared instead of read: clients and apps mostly repeat themselves.
 */
import { sameBytes } from "../../base/bytes.ts";
import { HeadFields } from "../head_fields.ts";
import { internFields } from "../interned_fields.ts";
import { Framing, readFraming } from "./framing.ts";
import type { Problem } from "./grammar.ts";
import { FieldScan, scanFields } from "./scan_fields.ts";

/** A section that came so often again will come more often. */
const internAfter = 2;

export class FieldSection {
  readonly fields = new HeadFields();
  readonly framing = new Framing();
  problem: Problem | null = null;
  /** The section that was read last was the one before it once more. */
  repeated = false;
  readonly #scan = new FieldScan();
  /** Bytes of the section that `fields` holds; 0 for none. */
  #length = 0;
  #minor = 0;
  /** How often in a row. */
  #repeats = 0;

  /**
   * Reads the section at `start` of a message of HTTP/1.`minor`. Returns the offset behind its empty line; 0 when it is not
   * complete; -1 when it is refused, with `problem` set. Offsets of `fields` are relative to the section.
   */
  read(source: Uint8Array, start: number, end: number, minor: number): number {
    const length = this.#length;
    this.problem = null;
    this.repeated =
      length > 0 &&
      length <= end - start &&
      minor === this.#minor &&
      sameBytes(this.fields.bytes, source, start, length);
    if (!this.repeated) return this.#scanSection(source, start, end, minor);
    if (++this.#repeats === internAfter)
      this.fields.interned = internFields(this.fields, this.fields.count, length);
    return start + length;
  }

  /** What was read last is not to be believed once more. */
  forget(): void {
    this.#length = 0;
  }

  #scanSection(source: Uint8Array, start: number, end: number, minor: number): number {
    const { fields, framing } = this;
    const scan = this.#scan;
    this.#length = 0;
    this.#repeats = 0;
    fields.clear();
    scanFields(source, start, end, start, fields, scan);
    if (scan.problem === null && scan.consumed === 0) return 0;
    this.problem = scan.problem ?? readFraming(source, start, fields, minor, framing);
    if (this.problem !== null) return -1;
    fields.own(source, start, scan.consumed);
    this.#length = scan.consumed - start;
    this.#minor = minor;
    return scan.consumed;
  }
}

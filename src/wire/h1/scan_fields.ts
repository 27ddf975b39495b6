/** The field lines of a head or trailer section (RFC 9112 section 5), strictly: offsets out, one problem at most. */
import { limits } from "../../model/limits.ts";
import { nameIdAt, type HeadFields } from "../head_fields.ts";
import { classes, problems, tokenBit, valueBit, type Problem } from "./grammar.ts";

const CR = 13;
const LF = 10;
const colon = 58;

/** Result of a scan: where it ended. `consumed` 0: the section is not complete yet. */
export class FieldScan {
  consumed = 0;
  problem: Problem | null = null;
}

/**
 * Scans from `start` until the empty line. Offsets are noted relative to `base`. `scan.consumed` is the offset behind
 * the empty line, or 0 when bytes are missing; `scan.problem` is set when the section can never become valid.
 */
export function scanFields(
  source: Uint8Array,
  start: number,
  end: number,
  base: number,
  fields: HeadFields,
  scan: FieldScan,
): void {
  let at = start;
  scan.consumed = 0;
  scan.problem = null;
  for (;;) {
    if (at >= end) return;
    let byte = source[at] as number;
    if (byte === CR) {
      if (at + 1 >= end) return;
      if (source[at + 1] !== LF) scan.problem = problems.lineEnd;
      else scan.consumed = at + 2;
      return;
    }
    if (fields.count >= limits.fieldCountMax) {
      scan.problem = problems.fieldCount;
      return;
    }
    const nameStart = at;
    while (at < end && ((classes[source[at] as number] as number) & tokenBit) !== 0) at++;
    if (at >= end) return;
    if (source[at] !== colon || at === nameStart) {
      byte = source[nameStart] as number;
      scan.problem =
        byte === 32 || byte === 9 ? problems.fold : source[at] === LF ? problems.lineEnd : problems.fieldName;
      return;
    }
    const nameEnd = at++;
    while (at < end && (source[at] === 32 || source[at] === 9)) at++;
    const valueStart = at;
    while (at < end && ((classes[source[at] as number] as number) & valueBit) !== 0) at++;
    if (at >= end) return;
    if (source[at] !== CR) {
      scan.problem = source[at] === LF ? problems.lineEnd : problems.fieldValue;
      return;
    }
    if (at + 1 >= end) return;
    if (source[at + 1] !== LF) {
      scan.problem = problems.lineEnd;
      return;
    }
    let valueEnd = at;
    while (valueEnd > valueStart && (source[valueEnd - 1] === 32 || source[valueEnd - 1] === 9)) valueEnd--;
    const id = nameIdAt(source, nameStart, nameEnd);
    fields.add(id, nameStart - base, nameEnd - base, valueStart - base, valueEnd - base);
    at += 2;
  }
}

/**
 * Which trace a request belongs to: W3C Trace Context (traceparent, tracestate) is read and written, B3 (single and several fields) is
 * read, and written where that is asked for. What is malformed is as if it were not there: a new trace begins.
 */
import type { Fields } from "./fields.ts";

export interface TraceContext {
  /** 32 hexadecimal digits in lower case, never all zero. */
  readonly traceId: string;
  /** Span of whoever sent it: 16 hexadecimal digits in lower case, never all zero. */
  readonly spanId: string;
  /** What its sender decided; null: it left that to others (B3 alone can say so). */
  readonly sampled: boolean | null;
  /** The trace's id is random (flag `random` of W3C level 2). */
  readonly random: boolean;
  /** Members of tracestate as they came; "" for none. */
  readonly state: string;
  readonly from: "w3c" | "b3";
}

export const parentField = "traceparent";
export const stateField = "tracestate";
export const b3Field = "b3";
/** Fields of the form that B3 had first. */
export const b3Fields = {
  traceId: "x-b3-traceid",
  spanId: "x-b3-spanid",
  sampled: "x-b3-sampled",
  flags: "x-b3-flags",
} as const;

const sampledFlag = 1;
const randomFlag = 2;
const stateMembersMax = 32;
/** W3C: at least 512 are to be passed on. What is longer is left out from its end. */
const stateLengthMax = 1_024;

/** null: the request belongs to no trace yet. */
export function readTraceContext(fields: Fields): TraceContext | null {
  return readW3c(fields) ?? readB3(fields);
}

/** The value of traceparent. */
export function parentText(traceId: string, spanId: string, sampled: boolean, random: boolean): string {
  // Some readers drop a context whose flags they do not know: these two alone.
  return `00-${traceId}-${spanId}-0${(sampled ? sampledFlag : 0) | (random ? randomFlag : 0)}`;
}

/** The value of b3 in one field. */
export function b3Text(traceId: string, spanId: string, sampled: boolean): string {
  return `${traceId}-${spanId}-${sampled ? 1 : 0}`;
}

// ---------------------------------------------------------------------------------------------------- W3C

const parentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

function readW3c(fields: Fields): TraceContext | null {
  const first = fields.get(parentField);
  if (first === null) return null;
  // Nobody can tell which of several is meant.
  if (fields.getAll(parentField).length > 1) return null;
  const [, version, traceId = "", spanId = "", flags = "", more] = parentForm.exec(first.trim()) ?? [];
  // A version of the future may have more behind these four, this one has not.
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return null;
  if (isZero(traceId) || isZero(spanId)) return null;
  const bits = Number.parseInt(flags, 16);
  const sampled = (bits & sampledFlag) !== 0;
  const random = (bits & randomFlag) !== 0;
  return { traceId, spanId, sampled, random, state: readState(fields), from: "w3c" };
}

const keyForm = /^[a-z0-9][a-z0-9_\-*/]{0,255}$|^[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}$/;
const valueForm = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** One member that does not fit, or a key that stands twice, makes all of it void (W3C section 3.3). */
function readState(fields: Fields): string {
  const text = fields.getAll(stateField).join(",");
  if (text === "") return "";
  const seen = new Set<string>();
  const kept: string[] = [];
  let length = 0;
  for (const each of text.split(",")) {
    const member = each.replace(/^[ \t]+|[ \t]+$/g, "");
    if (member === "") continue;
    const at = member.indexOf("=");
    const [key, value] = [member.slice(0, at), member.slice(at + 1)];
    if (at < 1 || !keyForm.test(key) || !valueForm.test(value) || seen.has(key)) return "";
    seen.add(key);
    if (seen.size > stateMembersMax) return "";
    length += member.length + 1;
    if (length <= stateLengthMax) kept.push(member);
  }
  return kept.join(",");
}

// ----------------------------------------------------------------------------------------------------- B3

const b3Form = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/;
const b3IdForm = /^(?:[0-9a-f]{32}|[0-9a-f]{16})$/;
const b3SpanForm = /^[0-9a-f]{16}$/;

function readB3(fields: Fields): TraceContext | null {
  const single = fields.get(b3Field);
  if (single !== null) {
    const [, traceId = "", spanId = "", said] = b3Form.exec(single.trim().toLowerCase()) ?? [];
    return b3Context(traceId, spanId, said === undefined ? null : said !== "0");
  }
  const traceId = fields.get(b3Fields.traceId)?.trim().toLowerCase() ?? "";
  if (traceId === "") return null;
  const spanId = fields.get(b3Fields.spanId)?.trim().toLowerCase() ?? "";
  if (!b3IdForm.test(traceId) || !b3SpanForm.test(spanId)) return null;
  const said = fields.get(b3Fields.sampled)?.trim().toLowerCase();
  const sampled = said === "1" || said === "true" ? true : said === "0" || said === "false" ? false : null;
  return b3Context(traceId, spanId, fields.get(b3Fields.flags) === "1" ? true : sampled);
}

function b3Context(traceId: string, spanId: string, sampled: boolean | null): TraceContext | null {
  if (traceId === "" || isZero(traceId) || isZero(spanId)) return null;
  const whole = traceId.padStart(32, "0");
  return { traceId: whole, spanId, sampled, random: false, state: "", from: "b3" };
}

function isZero(id: string): boolean {
  return /^0*$/.test(id);
}

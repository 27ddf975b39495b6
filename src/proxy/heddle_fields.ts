/**
 * Fields that only heddle writes: who called, which attempt it is, what failed. Whatever else carries such a name, or one
 * that a careless reader could take for it, is left out before anybody reads it.
 */
import { fieldStride, type Fields } from "../wire/fields.ts";

/** Service key of the verified caller, for the app. */
export const callerField = "x-heddle-caller";
/** 1 and more on requests that are sent again. */
export const attemptField = "x-heddle-attempt";
/** `<flag>/<detail>` of an answer that a proxy gave itself. */
export const errorField = "x-heddle-error";
/** On an answer of a proxy after which the other proxy may send the request again: `yes` or `idempotent`. */
export const repeatField = "x-heddle-repeat";
/** On opaque connections between proxies: where the caller's client comes from, `10.0.0.7:51230`. */
export const clientField = "x-heddle-client";
/** On calls to a service whose protocol is not declared: `h2` when the client spoke HTTP/2. */
export const spokeField = "x-heddle-spoke";
export const requestIdField = "x-request-id";

const ownPrefix = "x-heddle-";
const certificateField = "x-forwarded-client-cert";
const forwardedPrefix = "x-forwarded-";

/**
 * Names of such fields, as they stand, and of those that pose as `x-forwarded-…` by an underscore; null when there is none,
 * which is nearly always.
 */
export function heddleFields(fields: Fields): string[] | null {
  const { bytes, table, count } = fields;
  let found: string[] | null = null;
  for (let index = 0; index < count; index++) {
    const at = index * fieldStride;
    const start = table[at] as number;
    const length = (table[at + 1] as number) - start;
    if (length < ownPrefix.length || ((bytes[start] as number) | 0x20) !== 0x78) continue;
    if (
      startsLike(bytes, start, ownPrefix) ||
      isLike(bytes, start, length, certificateField) ||
      (startsLike(bytes, start, forwardedPrefix) && hasUnderscore(bytes, start, length))
    )
      (found ??= []).push(fields.nameAt(index));
  }
  return found;
}

function isLike(bytes: Uint8Array, start: number, length: number, name: string): boolean {
  return length === name.length && startsLike(bytes, start, name);
}

function hasUnderscore(bytes: Uint8Array, start: number, length: number): boolean {
  for (let at = start; at < start + length; at++) if (bytes[at] === 0x5f) return true;
  return false;
}

/** Without regard to case; `_` counts as `-`, because CGI and its heirs cannot tell them apart. */
function startsLike(bytes: Uint8Array, start: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const byte = bytes[start + at] as number;
    const want = name.charCodeAt(at);
    if (want === 0x2d ? byte !== 0x2d && byte !== 0x5f : (byte | 0x20) !== want) return false;
  }
  return true;
}

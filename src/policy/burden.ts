/**
 * Whether JSON of a policy is worth its reading. Reading takes time for each member and element, a hundred times what one letter
 * of a text takes, and it is the proxy's time: so they are counted first, in one pass over the letters.
 */
import { limits } from "../model/limits.ts";

const quote = 0x22;
const comma = 0x2c;
const bracket = 0x5b;
const backslash = 0x5c;
const brace = 0x7b;

/** Null, or what is too much of it. */
export function burdenOf(json: string): string | null {
  const { length } = json;
  if (length <= limits.policyAnswerPartsMax) return null;
  if (length > limits.policyMessageBytesMax) {
    return `is ${length} letters long, more than ${limits.policyMessageBytesMax}`;
  }
  let parts = 0;
  for (let at = 0; at < length; at++) {
    switch (json.charCodeAt(at)) {
      case quote:
        at = endOfText(json, at + 1);
        break;
      case comma:
      case bracket:
      case brace:
        parts++;
    }
  }
  return parts <= limits.policyAnswerPartsMax
    ? null
    : `has ${parts} parts, more than ${limits.policyAnswerPartsMax}`;
}

/** Where the quote stands that closes a text; the end where none does. */
function endOfText(json: string, start: number): number {
  let at = start;
  for (; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === quote) break;
    if (code === backslash) at++;
  }
  return at;
}

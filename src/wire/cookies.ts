/** Cookies of requests (RFC 6265 section 4.2, with several fields as RFC 9113 section 8.2.3 has them). */
import type { Fields } from "./fields.ts";

/** The value of the first cookie of that name, without quotes; null when there is none. */
export function cookieOf(fields: Fields, name: string): string | null {
  if (fields.get("cookie") === null) return null;
  for (const field of fields.getAll("cookie")) {
    const found = cookieIn(field, name);
    if (found !== null) return found;
  }
  return null;
}

function cookieIn(field: string, name: string): string | null {
  for (let start = 0; start < field.length;) {
    const semicolon = field.indexOf(";", start);
    const end = semicolon < 0 ? field.length : semicolon;
    while (start < end && isBlank(field.charCodeAt(start))) start++;
    const equals = start + name.length;
    if (equals < end && field.charCodeAt(equals) === 0x3d && field.startsWith(name, start))
      return unquoted(field.slice(equals + 1, end).trim());
    start = end + 1;
  }
  return null;
}

function unquoted(value: string): string {
  const quoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return quoted ? value.slice(1, -1) : value;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

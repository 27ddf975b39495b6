/** Cookies of requests (RFC 6265 section 4.2, with several fields as RFC 9113 section 8.2.3 has them). */
import type { Fields } from "./fields.ts";

/** The values of cookies of that name, in order, without quotes; so many at most. */
export function cookiesOf(fields: Fields, name: string, most: number): string[] {
  const found: string[] = [];
  if (fields.get("cookie") === null) return found;
  for (const field of fields.getAll("cookie")) collect(field, name, most, found);
  return found;
}

function collect(field: string, name: string, most: number, found: string[]): void {
  for (let start = 0; start < field.length && found.length < most;) {
    const semicolon = field.indexOf(";", start);
    const end = semicolon < 0 ? field.length : semicolon;
    while (start < end && isBlank(field.charCodeAt(start))) start++;
    const equals = start + name.length;
    if (equals < end && field.charCodeAt(equals) === 0x3d && field.startsWith(name, start))
      found.push(unquoted(field.slice(equals + 1, end).trim()));
    start = end + 1;
  }
}

function unquoted(value: string): string {
  const quoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return quoted ? value.slice(1, -1) : value;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

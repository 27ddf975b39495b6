/** The key by which a request sticks to an endpoint, as the documents of the service say. */
import { hashText } from "../../base/hash.ts";
import type { BalanceKey } from "../../model/traffic.ts";
import { cookiesOf } from "../../wire/cookies.ts";
import type { Fields } from "../../wire/fields.ts";
import { queryValue } from "../../wire/query.ts";

interface Keyed {
  /** With its query, as it came. */
  readonly target: string;
  readonly fields: Fields;
}

/** A hash of it; null where the request has none. `caller`: who calls. */
export function requestKey(
  { header, cookie, query, caller: byCaller }: BalanceKey,
  { target, fields }: Keyed,
  caller: string,
): number | null {
  if (byCaller === true) return hashText(caller);
  let value: string | null = null;
  if (header !== undefined) value = headerOf(fields, header);
  else if (cookie !== undefined) value = cookiesOf(fields, cookie, 1)[0] ?? null;
  else if (query !== undefined) value = queryValue(target, query);
  return value === null ? null : hashText(value);
}

/** Several fields of one name are one list (RFC 9110 section 5.3). */
function headerOf(fields: Fields, name: string): string | null {
  const first = fields.get(name);
  if (first === null) return null;
  const all = fields.getAll(name);
  return all.length === 1 ? first : all.join(", ");
}

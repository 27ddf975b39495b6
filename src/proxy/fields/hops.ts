/**
 * What a proxy owes to those before and behind it (RFC 9110 section 7.6): Via on all that it forwards, and Max-Forwards,
 * which may end a request here.
 */
import type { CallerTraits } from "../../model/service_traits.ts";
import type { FieldEdits, Fields } from "../../wire/fields.ts";
import { noEdits } from "../../wire/fields.ts";
import { heddleFields } from "./heddle_fields.ts";

const via10: readonly string[] = ["via", "1.0 heddle"];
const via11: readonly string[] = ["via", "1.1 heddle"];
const via2: readonly string[] = ["via", "2 heddle"];

/** The Via field of what came in that version (`HTTP/1.1`), as pairs to add. */
export function viaOf(version: string): readonly string[] {
  if (version === "HTTP/1.1") return via11;
  return version === "HTTP/2" ? via2 : via10;
}

const edits10: FieldEdits = { ...noEdits, add: via10 };
const edits11: FieldEdits = { ...noEdits, add: via11 };
const edits2: FieldEdits = { ...noEdits, add: via2 };

/** For what came in that version and is passed on with nothing else to change. */
export function viaEdits(version: string): FieldEdits {
  if (version === "HTTP/2") return edits2;
  return version === "HTTP/1.1" ? edits11 : edits10;
}

/** Of answers, whatever carried them between proxies: it is given back as HTTP/1.1. */
export const answerVia = via11;
/** For answers that are passed on with nothing else to change. */
export const viaOnly = edits11;

/** Of an interim answer: names that are heddle's own stay behind there too. */
export function interimEdits(fields: Fields): FieldEdits {
  const remove = heddleFields(fields);
  return remove === null ? viaOnly : { ...viaOnly, remove };
}

/**
 * Whether an interim answer goes on to a caller. Clients of HTTP/1.1 are known that take any but 100 for the final one, and what
 * follows for the answer to their next request: they get it where the service says `interim: forward` (RFC 9110 section 15.2 wants
 * all forwarded). In HTTP/2 the final answer cannot be mistaken.
 */
export function passesInterim(
  status: number,
  version: string,
  service: Pick<CallerTraits, "interim"> | undefined,
): boolean {
  return status === 100 || version === "HTTP/2" || service?.interim === "forward";
}

export const maxForwardsField = "max-forwards";
/** What everything that is forwarded may use; CONNECT and TRACE are answered here. */
export const allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/** Hops that are left to an OPTIONS request: 0 when it ends here; null when it is not limited; -1 when nobody can tell. */
export function hopsLeft(fields: Fields): number | null {
  const value = fields.get(maxForwardsField);
  if (value === null) return null;
  return /^[0-9]{1,9}$/.test(value) ? Number(value) : -1;
}

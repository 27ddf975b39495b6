/** What the other proxy says about an answer that it gave itself. */
import type { ResponseHead } from "../http/exchange.ts";
import type { Flag, Outcome } from "../model/outcome.ts";
import { errorField, repeatField } from "./heddle_fields.ts";

/** null for an answer of the service. */
export function proxyFailure(head: ResponseHead): Outcome | null {
  const error = head.fields.get(errorField);
  if (error === null) return null;
  const slash = error.indexOf("/");
  const flag = (slash < 0 ? error : error.slice(0, slash)) as Flag;
  const repeat = head.fields.get(repeatField);
  return {
    flag,
    side: flag === "AD" ? "downstream" : "upstream",
    repeat: repeat === "yes" || repeat === "idempotent" ? repeat : "no",
    status: head.status,
    detail: slash < 0 ? error : error.slice(slash + 1),
  };
}

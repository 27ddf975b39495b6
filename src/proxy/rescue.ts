/** Turns outcomes into answers: the one table of what heddle itself says to a client, in plain words with a next step. */
import type { ServerExchange } from "../http/exchange.ts";
import type { Flag, Outcome, Side } from "../model/outcome.ts";

const sides: Readonly<Record<Side, string>> = {
  downstream: "the caller",
  upstream: "the service that was called",
  mesh: "the mesh",
  policy: "a policy",
};

/** What to type next, by flag. */
const nextSteps: Partial<Readonly<Record<Flag, string>>> = {
  UH: "heddle status",
  UF: "heddle status",
  UC: "heddle status",
  UR: "heddle status",
  UT: "heddle get HTTPRoute",
  NR: "heddle get HTTPRoute",
  NC: "heddle get Service",
  AD: "heddle get Access",
  ID: "heddle check",
  PE: "heddle check",
};

/** Marks an answer of a proxy after which the other proxy may send the request again: `yes` or `idempotent`. */
export const repeatField = "x-heddle-repeat";
export const errorField = "x-heddle-error";

export function answerText(outcome: Outcome, requestId: string): string {
  const next = nextSteps[outcome.flag] ?? "heddle check";
  return `heddle: ${outcome.detail}.\nAt fault: ${sides[outcome.side]} (${outcome.flag}). Request ${requestId}.\nNext: ${next}\n`;
}

/** Answers, or cuts an answer that has begun. `inside`: the client is another proxy, which wants to know about repeating. */
export function rescue(
  exchange: ServerExchange,
  outcome: Outcome,
  requestId: string,
  started: boolean,
  inside: boolean,
): void {
  if (exchange.finished) return;
  if (started) return exchange.abort();
  const body = new TextEncoder().encode(answerText(outcome, requestId));
  const set = [
    "content-type",
    "text/plain; charset=utf-8",
    "x-request-id",
    requestId,
    errorField,
    outcome.flag,
  ];
  if (inside && outcome.repeat !== "no") set.push(repeatField, outcome.repeat);
  exchange.respond(outcome.status, null, { remove: [], set, add: [] }, body.length);
  exchange.write(body);
  exchange.end(null);
}

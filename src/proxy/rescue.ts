/** Turns outcomes into answers: the one table of what heddle itself says to a client, in plain words with a next step. */
import type { ServerExchange } from "../http/exchange.ts";
import type { Flag, Outcome, Side } from "../model/outcome.ts";
import { grpcMessage, grpcStatusOf, isGrpc } from "../wire/grpc.ts";
import { errorField, repeatField, requestIdField } from "./heddle_fields.ts";
import { allowedMethods } from "./hops.ts";

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
  UO: "heddle status",
  UT: "heddle get HTTPRoute",
  NR: "heddle get HTTPRoute",
  NC: "heddle get Service",
  AD: "heddle get Access",
};

export function answerText(outcome: Outcome, requestId: string): string {
  const next = nextSteps[outcome.flag] ?? "heddle check";
  return `heddle: ${outcome.detail}.\nAt fault: ${sides[outcome.side]} (${outcome.flag}). Request ${requestId}.\nNext: ${next}\n`;
}

/**
 * Answers for heddle. `inside`: the client is another proxy, which wants the HTTP status and to know about repeating; a gRPC
 * client hears it as a gRPC status.
 */
export function rescue(exchange: ServerExchange, outcome: Outcome, requestId: string, inside: boolean): void {
  if (exchange.finished) return;
  const grpc = !inside && isGrpc(exchange.request.fields);
  const body = grpc ? nothing : new TextEncoder().encode(answerText(outcome, requestId));
  const set = [...(grpc ? grpcFields(outcome) : plainFields), requestIdField, requestId];
  set.push(errorField, `${outcome.flag}/${outcome.detail.replace(/[^\x20-\x7e]/g, "?")}`);
  if (outcome.status === 405) set.push("allow", allowedMethods);
  if (inside && outcome.repeat !== "no") set.push(repeatField, outcome.repeat);
  exchange.respond(grpc ? 200 : outcome.status, null, { remove: [], set, add: [] }, body.length);
  exchange.write(body);
  exchange.end(null);
}

const nothing = new Uint8Array(0);
const plainFields = ["content-type", "text/plain; charset=utf-8"];

/** An answer of trailers only: they stand in its head. */
function grpcFields(outcome: Outcome): string[] {
  const status = String(grpcStatusOf(outcome.status));
  return [
    "content-type",
    "application/grpc",
    "grpc-status",
    status,
    "grpc-message",
    grpcMessage(outcome.detail),
  ];
}

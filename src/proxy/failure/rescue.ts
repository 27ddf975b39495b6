/** Turns outcomes into answers: the one table of what heddle itself says to a client, in plain words with a next step. */
import type { ServerExchange } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Flag, Outcome, Side } from "../../model/outcome.ts";
import type { DirectAnswer } from "../../model/document.ts";
import { mergeEdits, type FieldEdits } from "../../wire/fields.ts";
import { grpcCodes, grpcMessage, grpcStatusOf, isGrpc, isGrpcType } from "../../wire/grpc.ts";
import { errorCodes } from "../../wire/h2/frames.ts";
import { fieldsFrom } from "../../wire/head_fields.ts";
import { errorField, grpcField, repeatField, requestIdField, resetField } from "../fields/heddle_fields.ts";
import { allowedMethods } from "../fields/hops.ts";

export const sides: Readonly<Record<Side, string>> = {
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
  RL: "heddle get Traffic",
};

/** Of callers from outside of the mesh nobody knows who they are: they hear no names, addresses and reasons. */
function outsideText({ status }: Outcome, requestId: string): string {
  return `This request could not be served (${status}). Request ${requestId}.\n`;
}

function answerText(outcome: Outcome, requestId: string): string {
  const next = nextSteps[outcome.flag] ?? "heddle check";
  return `heddle: ${outcome.detail}.\nAt fault: ${sides[outcome.side]} (${outcome.flag}). Request ${requestId}.\nNext: ${next}\n`;
}

/**
 * Answers for heddle. `inside`: the client is another proxy, which wants the HTTP status and to know about repeating; a gRPC
 * client hears it as a gRPC status, and a stream that the app reset is reset with the same code.
 */
export function rescue(exchange: ServerExchange, outcome: Outcome, requestId: string, inside: boolean): void {
  if (exchange.finished) return exchange.abort();
  if (!inside && outcome.reset !== undefined && exchange.request.version === "HTTP/2")
    return exchange.abort(outcome.reset);
  const grpc = !inside && isGrpc(exchange.request.fields);
  const outside = exchange.connection.outside === true;
  const text = (outside ? outsideText : answerText)(outcome, requestId);
  const body = grpc ? nothing : new TextEncoder().encode(text);
  const told = outside ? { ...outcome, detail: `request ${requestId} could not be served` } : outcome;
  const set = [...(grpc ? grpcFields(told) : plainFields), requestIdField, requestId];
  if (!outside) set.push(errorField, errorText(outcome));
  if (outcome.status === 405) set.push("allow", allowedMethods);
  if (outcome.retryAfterMs !== undefined) set.push(...retryFields(outcome.retryAfterMs, grpc));
  if (inside) set.push(...insideFields(outcome));
  const length = grpc ? -1 : body.length;
  exchange.respond(grpc ? 200 : outcome.status, null, { remove: [], set, add: [] }, length, grpc);
  exchange.write(body);
  exchange.end(null);
}

/** When to come again (RFC 9110 section 10.2.3; gRPC A6). */
function retryFields(afterMs: number, grpc: boolean): string[] {
  if (grpc) return ["grpc-retry-pushback-ms", String(Math.ceil(afterMs))];
  return ["retry-after", String(Math.max(1, Math.ceil(afterMs / 1_000)))];
}

/** What the other proxy has to know beside the answer. */
function insideFields({ repeat, reset, grpc }: Outcome): string[] {
  const set: string[] = [];
  if (repeat !== "no") set.push(repeatField, repeat);
  if (reset !== undefined) set.push(resetField, String(reset));
  if (grpc !== undefined) set.push(grpcField, String(grpc));
  return set;
}

/**
 * Ends an answer that has begun and cannot be completed, so that the client notices. `grpc`: it has a way to say why behind what
 * came; else, and where the app reset its stream, the stream is reset.
 */
export function breakOff(exchange: ServerExchange, outcome: Outcome, grpc: boolean): void {
  if (outcome.reset !== undefined) exchange.abort(outcome.reset);
  else if (grpc && exchange.connection.outside === true)
    exchange.end(fieldsFrom(statusFields({ ...outcome, detail: "the answer could not be completed" })));
  else if (grpc) exchange.end(fieldsFrom(statusFields(outcome)));
  else exchange.abort();
}

/** The same towards another proxy, which says it to the client. */
export function breakOffInside(exchange: ServerExchange, { reset, grpc }: Outcome): void {
  const spent = grpc === grpcCodes.resourceExhausted ? errorCodes.enhanceYourCalm : errorCodes.connectError;
  exchange.abort(reset ?? spent);
}

/**
 * Gives the answer that a policy made. One that denies says so where every refusal does; to a gRPC client it is told as any
 * other refusal, unless the policy speaks gRPC itself.
 */
export function answerOfPolicy(
  exchange: ServerExchange,
  answer: { readonly status: number; readonly headers: FieldEdits; readonly body: string },
  denial: Outcome | null,
  requestId: string,
): void {
  if (exchange.finished) return exchange.abort();
  if (denial !== null && isGrpc(exchange.request.fields) && !speaksGrpc(answer.headers))
    return rescue(exchange, denial, requestId, false);
  const { remove, add } = answer.headers;
  const set = [...answer.headers.set, requestIdField, requestId];
  if (denial !== null && exchange.connection.outside !== true) set.push(errorField, errorText(denial));
  const body = new TextEncoder().encode(answer.body);
  exchange.respond(answer.status, null, { remove, set, add }, body.length);
  exchange.write(body);
  exchange.end(null);
}

/** Gives the answer that a route has ready. gRPC hears of one that is no success as a status. */
export function answerOfRoute(exchange: ServerExchange, answer: DirectAnswer, edits: FieldEdits): void {
  if (exchange.finished) return exchange.abort();
  const { status, headers, body } = answer;
  if (isGrpc(exchange.request.fields) && status >= 300) {
    const code = String(grpcStatusOf(status));
    const told = ["content-type", "application/grpc", "grpc-status", code, "grpc-message", grpcMessage(body)];
    exchange.respond(200, null, mergeEdits({ remove: [], set: told, add: [] }, edits), -1, true);
    return exchange.end(null);
  }
  const typed = body !== "" && !headers.includes("content-type");
  const set = typed ? [...plainFields, ...headers] : headers;
  const bytes = new TextEncoder().encode(body);
  exchange.respond(status, null, mergeEdits({ remove: [], set, add: [] }, edits), bytes.length);
  exchange.write(bytes);
  exchange.end(null);
}

/** What stands in a field: printable, and of a length that every reader takes. */
export function errorText({ flag, detail }: Outcome): string {
  return `${flag}/${detail.slice(0, limits.failureDetailLengthMax).replace(/[^\x20-\x7e]/g, "?")}`;
}

export function speaksGrpc({ set }: FieldEdits): boolean {
  return set.some((name, at) => at % 2 === 0 && name === "content-type" && isGrpcType(set[at + 1] ?? ""));
}

const nothing = new Uint8Array(0);
const plainFields = ["content-type", "text/plain; charset=utf-8"];

/** An answer of trailers only: they stand in its head. */
function grpcFields(outcome: Outcome): string[] {
  return ["content-type", "application/grpc", ...statusFields(outcome)];
}

function statusFields({ status, grpc, detail }: Outcome): string[] {
  const message = grpcMessage(detail.slice(0, limits.failureDetailLengthMax));
  return ["grpc-status", String(grpc ?? grpcStatusOf(status)), "grpc-message", message];
}

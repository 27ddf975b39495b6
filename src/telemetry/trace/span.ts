/**
 * One hop of a request in a trace, made of the record that it left: the proxy before the caller's app has a client span, the one
 * before the service's app a server span. Names and attributes by OpenTelemetry's semantic conventions 1.44. They are said here once,
 * to whoever makes an object of them or bytes.
 */
import type { Evidence, EvidenceOfPolicy } from "../../model/evidence.ts";
import type { TraceRef } from "../../model/trace_ref.ts";

export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** What a span tells of a hop, as its record has it and what is remembered of that. */
export type HopFacts = Pick<
  Evidence,
  | (
      | "direction"
      | "kind"
      | "requestId"
      | "service"
      | "source"
      | "sourceId"
      | "destinationId"
      | "tls"
      | "method"
      | "path"
    )
  | (
      | "protocol"
      | "grpc"
      | "route"
      | "status"
      | "outcome"
      | "bytesIn"
      | "bytesOut"
      | "endpoint"
      | "attempts"
      | "ejected"
    )
  | "access"
> & { readonly policies: readonly Omit<EvidenceOfPolicy, "hash" | "failure">[] };

/** A hop that is over, to be looked at now: its record may go on to be something else. */
export interface Hop {
  readonly facts: HopFacts;
  readonly trace: TraceRef;
  /** Wall clock, milliseconds with their fraction. */
  readonly startMs: number;
  readonly endMs: number;
  /** From the start; null: no head was sent. */
  readonly firstByteMs: number | null;
}

/** Who is told attributes, one after the other. */
export interface AttributeSink {
  text(name: string, value: string): void;
  figure(name: string, value: number): void;
  flag(name: string, value: boolean): void;
}

export interface SpanEvent {
  readonly name: string;
  /** Wall clock, milliseconds. */
  readonly atMs: number;
  readonly attributes: Attributes;
}

export interface Span {
  readonly trace: TraceRef;
  readonly name: string;
  readonly kind: "client" | "server";
  /** Wall clock, milliseconds with their fraction. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  /** Why it is an error; null: it is none. */
  readonly error: string | null;
}

/** Methods that the conventions know; another is `_OTHER`. */
const methods: ReadonlySet<string> = new Set([
  ...["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"],
]);

const httpError = { client: 400, server: 500 } as const;

/** Codes of gRPC that are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const grpcServerErrors: ReadonlySet<string> = new Set(["2", "4", "12", "13", "14", "15"]);

const grpcNames = (
  "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED " +
  "FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
).split(" ");

export function spanOf({ facts, trace, startMs, endMs, firstByteMs }: Hop): Span {
  const attributes = new AttributeObject();
  const error = errorOf(facts);
  sayEdge(attributes, facts);
  sayError(attributes, facts, error);
  sayRequest(attributes, facts);
  return {
    trace,
    name: nameOf(facts),
    kind: kindOf(facts),
    startMs,
    endMs,
    attributes: attributes.said,
    events: eventsOf(facts, startMs, endMs, firstByteMs),
    error,
  };
}

/** What the conventions say of a call, and what only a mesh knows of it. */
export function attributesOf(facts: HopFacts): Attributes {
  const attributes = new AttributeObject();
  sayEdge(attributes, facts);
  sayRequest(attributes, facts);
  return attributes.said;
}

class AttributeObject implements AttributeSink {
  readonly said: Record<string, AttributeValue> = {};

  text(name: string, value: string): void {
    this.said[name] = value;
  }

  figure(name: string, value: number): void {
    this.said[name] = value;
  }

  flag(name: string, value: boolean): void {
    this.said[name] = value;
  }
}

export function kindOf({ direction }: HopFacts): Span["kind"] {
  return direction === "outbound" ? "client" : "server";
}

/** `{method} {route}`, where a route was configured; never a path, of which there are too many. */
export function nameOf({ kind, grpc, path, method, route }: HopFacts): string {
  if (kind === "tcp") return "tcp";
  if (grpc !== "") return path.slice(1);
  const known = methods.has(method) ? method : "HTTP";
  return route === "" || route === "unmatched" ? known : `${known} ${route}`;
}

/** What all requests of one edge and route have in common, of one protocol and not of gRPC. */
export function sayEdge(to: AttributeSink, facts: HopFacts): void {
  const { direction, kind, grpc, protocol, route, service, source, sourceId, destinationId } = facts;
  if (kind === "tcp") to.text("network.transport", "tcp");
  else if (grpc === "") {
    if (direction === "outbound") to.text("server.address", service);
    else {
      to.text("url.scheme", "http");
      if (route !== "") to.text("http.route", route);
    }
    if (protocol.startsWith("HTTP/")) {
      to.text("network.protocol.name", "http");
      to.text("network.protocol.version", protocol.slice("HTTP/".length));
    }
  }
  to.text("heddle.direction", direction);
  if (source !== "") to.text("heddle.source", source);
  if (service !== "") to.text("heddle.destination", service);
  if (sourceId !== "") to.text("heddle.source_id", sourceId);
  if (destinationId !== "") to.text("heddle.destination_id", destinationId);
  if (route !== "") to.text("heddle.route", route);
  to.flag("heddle.mtls", facts.tls);
}

/** Whether `sayEdge` says the same of both. */
export function sameEdge(one: HopFacts, other: HopFacts): boolean {
  return (
    one.service === other.service &&
    one.source === other.source &&
    one.direction === other.direction &&
    one.route === other.route &&
    one.kind === other.kind &&
    (one.grpc === "") === (other.grpc === "") &&
    one.protocol === other.protocol &&
    one.sourceId === other.sourceId &&
    one.destinationId === other.destinationId &&
    one.tls === other.tls
  );
}

/** What differs between requests that are alike otherwise. */
export const ownNames = {
  requestId: "heddle.request_id",
  bytesIn: "heddle.bytes_in",
  bytesOut: "heddle.bytes_out",
} as const;

/**
 * Whether the span of this hop is that of any other of its edge, path, endpoint and status, but for ids, times and sizes: nothing went
 * wrong, and nothing is to be told of attempts and policies.
 */
export function isUsual({ facts, trace, firstByteMs }: Hop): boolean {
  return (
    facts.kind === "http" &&
    facts.outcome === null &&
    facts.policies.length === 0 &&
    facts.attempts.length <= 1 &&
    facts.ejected === "" &&
    firstByteMs !== null &&
    trace.state === ""
  );
}

/** Whether the spans of two such hops are the same but for those. */
export function sameUsual(one: HopFacts, other: HopFacts): boolean {
  return (
    one.path === other.path &&
    one.endpoint === other.endpoint &&
    one.status === other.status &&
    one.method === other.method &&
    one.grpc === other.grpc &&
    one.access?.rule === other.access?.rule &&
    one.access?.verdict === other.access?.verdict &&
    sameEdge(one, other)
  );
}

/** What a request has of its own. */
export function sayRequest(to: AttributeSink, facts: HopFacts): void {
  const { endpoint, outcome, access, requestId } = facts;
  const isCall = facts.kind !== "tcp";
  if (isCall) sayCall(to, facts);
  if (endpoint !== "") to.text("heddle.endpoint", endpoint);
  if (requestId !== "") to.text(ownNames.requestId, requestId);
  if (outcome !== null) {
    to.text("heddle.flag", outcome.flag);
    to.text("heddle.side", outcome.side);
  }
  if (access !== null) to.text("heddle.access", `${access.verdict} ${access.rule}`);
  if (isCall && facts.grpc === "") figureCall(to, facts);
  to.figure(ownNames.bytesIn, facts.bytesIn);
  to.figure(ownNames.bytesOut, facts.bytesOut);
}

/** `error`: of `errorOf`. Its type is one of few words: a status, a code of gRPC, a flag. */
export function sayError(to: AttributeSink, { outcome }: HopFacts, error: string | null): void {
  if (error !== null) to.text("error.type", outcome?.flag ?? error);
}

function sayCall(to: AttributeSink, { grpc, path, method, service, direction }: HopFacts): void {
  if (grpc !== "") {
    to.text("rpc.system.name", "grpc");
    to.text("rpc.method", path.slice(1));
    to.text("rpc.status_code", grpcNames[Number(grpc)] ?? grpc);
    return;
  }
  const known = methods.has(method);
  to.text("http.request.method", known ? method : "_OTHER");
  if (!known) to.text("http.request.method_original", method);
  if (direction === "outbound") to.text("url.full", `http://${service}.mesh${path}`);
  else to.text("url.path", path);
}

function figureCall(to: AttributeSink, { status, direction, attempts }: HopFacts): void {
  if (status !== 0) to.figure("http.response.status_code", status);
  const resent = attempts.length - 1;
  if (direction === "outbound" && resent > 0) to.figure("http.request.resend_count", resent);
}

const none: Attributes = {};

/** Attempts, what policies said, and the head of the answer, in the order of time as far as it is known. */
export function eventsOf(
  facts: HopFacts,
  startMs: number,
  endMs: number,
  firstByteMs: number | null,
): SpanEvent[] {
  const events: SpanEvent[] = [];
  let atMs = startMs;
  for (const { name, hook, action, said, reason, us } of facts.policies) {
    atMs = Math.min(endMs, atMs + us / 1_000);
    const told = { policy: name, hook, decision: said === "" ? action : `${action} ${said}` };
    events.push({ name: "policy", atMs, attributes: reason === "" ? told : { ...told, reason } });
  }
  facts.attempts.forEach(({ endpoint, ms, result }, at) => {
    atMs = Math.min(endMs, atMs + ms);
    if (facts.attempts.length > 1)
      events.push({ name: "attempt", atMs, attributes: { attempt: at + 1, endpoint, result, ms } });
  });
  if (facts.ejected !== "")
    events.push({ name: "endpoint ejected", atMs: endMs, attributes: { reason: facts.ejected } });
  if (firstByteMs !== null)
    events.push({ name: "first byte", atMs: startMs + firstByteMs, attributes: none });
  return events.length > 1 ? events.sort((a, b) => a.atMs - b.atMs) : events;
}

/** Why it is an error; null: it is none. */
export function errorOf(facts: HopFacts): string | null {
  const { outcome, status, grpc } = facts;
  const kind = kindOf(facts);
  if (outcome !== null && (outcome.side !== "downstream" || kind === "client"))
    return `${outcome.flag}: ${outcome.detail}`;
  if (grpc !== "" && grpc !== "0" && (kind === "client" || grpcServerErrors.has(grpc)))
    return grpcNames[Number(grpc)] ?? grpc;
  return status >= httpError[kind] ? String(status) : null;
}

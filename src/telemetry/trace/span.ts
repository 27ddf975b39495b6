/**
 * One hop of a request in a trace, made of the record that it left: the proxy before the caller's app has a client span, the one
 * before the service's app a server span. Names and attributes by OpenTelemetry's semantic conventions 1.44.
 */
import type { Evidence } from "../../model/evidence.ts";
import type { TraceRef } from "../../model/trace_ref.ts";

export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue>>;

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

/** `wallMs`: what the wall clock said when it ended. */
export function spanOf(record: Evidence, trace: TraceRef, wallMs: number): Span {
  const kind = kindOf(record);
  const startMs = wallMs - (record.durationMs ?? 0);
  const error = errorOf(record, kind);
  const attributes = attributesOf(record);
  return {
    trace,
    name: nameOf(record),
    kind,
    startMs,
    endMs: wallMs,
    // One of few words: a status, a code of gRPC, a flag.
    attributes: error === null ? attributes : { ...attributes, "error.type": record.outcome?.flag ?? error },
    events: eventsOf(record, startMs, wallMs),
    error,
  };
}

/** What the conventions say of a call, and what only a mesh knows of it. Made for every span: written straight on, one after the other. */
export function attributesOf(record: Evidence): Attributes {
  const said: Record<string, AttributeValue> = {};
  sayCall(said, record, kindOf(record));
  sayMesh(said, record);
  return said;
}

function kindOf({ direction }: Evidence): Span["kind"] {
  return direction === "outbound" ? "client" : "server";
}

/** `{method} {route}`, where a route was configured; never a path, of which there are too many. */
function nameOf({ kind, grpc, path, method, route }: Evidence): string {
  if (kind === "tcp") return "tcp";
  if (grpc !== "") return path.slice(1);
  const known = methods.has(method) ? method : "HTTP";
  return route === "" || route === "unmatched" ? known : `${known} ${route}`;
}

type Said = Record<string, AttributeValue>;

function sayCall(said: Said, record: Evidence, kind: Span["kind"]): void {
  const { method, path, status, grpc, protocol, route, service } = record;
  if (record.kind === "tcp") {
    said["network.transport"] = "tcp";
    return;
  }
  if (grpc !== "") {
    said["rpc.system.name"] = "grpc";
    said["rpc.method"] = path.slice(1);
    said["rpc.status_code"] = grpcNames[Number(grpc)] ?? grpc;
    return;
  }
  const known = methods.has(method);
  said["http.request.method"] = known ? method : "_OTHER";
  if (!known) said["http.request.method_original"] = method;
  if (kind === "client") {
    said["server.address"] = service;
    said["url.full"] = `http://${service}.mesh${path}`;
  } else {
    said["url.path"] = path;
    said["url.scheme"] = "http";
  }
  if (status !== 0) said["http.response.status_code"] = status;
  if (route !== "" && kind === "server") said["http.route"] = route;
  if (protocol.startsWith("HTTP/")) {
    said["network.protocol.name"] = "http";
    said["network.protocol.version"] = protocol.slice("HTTP/".length);
  }
  const resent = record.attempts.length - 1;
  if (kind === "client" && resent > 0) said["http.request.resend_count"] = resent;
}

/** What only a mesh knows. */
function sayMesh(said: Said, record: Evidence): void {
  const { source, service, sourceId, destinationId, endpoint, route, outcome, access, requestId } = record;
  said["heddle.direction"] = record.direction;
  if (source !== "") said["heddle.source"] = source;
  if (service !== "") said["heddle.destination"] = service;
  if (sourceId !== "") said["heddle.source_id"] = sourceId;
  if (destinationId !== "") said["heddle.destination_id"] = destinationId;
  if (endpoint !== "") said["heddle.endpoint"] = endpoint;
  if (route !== "") said["heddle.route"] = route;
  if (requestId !== "") said["heddle.request_id"] = requestId;
  if (outcome !== null) {
    said["heddle.flag"] = outcome.flag;
    said["heddle.side"] = outcome.side;
  }
  if (access !== null) said["heddle.access"] = `${access.verdict} ${access.rule}`;
  said["heddle.mtls"] = record.tls;
  said["heddle.bytes_in"] = record.bytesIn;
  said["heddle.bytes_out"] = record.bytesOut;
}

/** Attempts, what policies said, and the head of the answer, in the order of time as far as it is known. */
function eventsOf(record: Evidence, startMs: number, endMs: number): SpanEvent[] {
  const events: SpanEvent[] = [];
  let atMs = startMs;
  for (const { name, hook, action, said, reason, us } of record.policies) {
    atMs = Math.min(endMs, atMs + us / 1_000);
    const told = { policy: name, hook, decision: said === "" ? action : `${action} ${said}` };
    events.push({ name: "policy", atMs, attributes: reason === "" ? told : { ...told, reason } });
  }
  record.attempts.forEach(({ endpoint, ms, result }, at) => {
    atMs = Math.min(endMs, atMs + ms);
    if (record.attempts.length > 1)
      events.push({ name: "attempt", atMs, attributes: { attempt: at + 1, endpoint, result, ms } });
  });
  if (record.ejected !== "")
    events.push({ name: "endpoint ejected", atMs: endMs, attributes: { reason: record.ejected } });
  if (record.firstByteMs !== null)
    events.push({ name: "first byte", atMs: startMs + record.firstByteMs, attributes: {} });
  return events.length > 1 ? events.sort((a, b) => a.atMs - b.atMs) : events;
}

function errorOf({ outcome, status, grpc }: Evidence, kind: Span["kind"]): string | null {
  if (outcome !== null && outcome.side !== "downstream") return `${outcome.flag}: ${outcome.detail}`;
  if (outcome !== null && kind === "client") return `${outcome.flag}: ${outcome.detail}`;
  if (grpc !== "" && grpc !== "0" && (kind === "client" || grpcServerErrors.has(grpc)))
    return grpcNames[Number(grpc)] ?? grpc;
  return status >= httpError[kind] ? String(status) : null;
}

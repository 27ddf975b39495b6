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
  return {
    trace,
    name: nameOf(record),
    kind,
    startMs,
    endMs: wallMs,
    attributes: attributesOf(record),
    events: eventsOf(record, startMs, wallMs),
    error: errorOf(record, kind),
  };
}

/** What the conventions say of a call, and what only a mesh knows of it. */
export function attributesOf(record: Evidence): Attributes {
  return { ...callOf(record, kindOf(record)), ...meshOf(record) };
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

function callOf(record: Evidence, kind: Span["kind"]): Record<string, AttributeValue> {
  const { method, path, status, grpc, protocol, route, service } = record;
  if (record.kind === "tcp") return { "network.transport": "tcp" };
  if (grpc !== "")
    return {
      "rpc.system.name": "grpc",
      "rpc.method": path.slice(1),
      "rpc.status_code": grpcNames[Number(grpc)] ?? grpc,
    };
  const resent = record.attempts.length - 1;
  const [, version = ""] = /^HTTP\/(.*)$/.exec(protocol) ?? [];
  return {
    "http.request.method": methods.has(method) ? method : "_OTHER",
    ...(methods.has(method) ? {} : { "http.request.method_original": method }),
    ...(kind === "client"
      ? { "server.address": service, "url.full": `http://${service}.mesh${path}` }
      : { "url.path": path, "url.scheme": "http" }),
    ...(status === 0 ? {} : { "http.response.status_code": status }),
    ...(route === "" || kind === "client" ? {} : { "http.route": route }),
    ...(version === "" ? {} : { "network.protocol.name": "http", "network.protocol.version": version }),
    ...(kind === "client" && resent > 0 ? { "http.request.resend_count": resent } : {}),
  };
}

/** What only a mesh knows. */
function meshOf(record: Evidence): Record<string, AttributeValue> {
  const { source, service, sourceId, destinationId, endpoint, route, outcome, access, requestId } = record;
  const said: Record<string, AttributeValue> = {
    "heddle.direction": record.direction,
    "heddle.source": source,
    "heddle.destination": service,
    "heddle.source_id": sourceId,
    "heddle.destination_id": destinationId,
    "heddle.endpoint": endpoint,
    "heddle.route": route,
    "heddle.request_id": requestId,
    "heddle.flag": outcome?.flag ?? "",
    "heddle.side": outcome?.side ?? "",
    "heddle.access": access === null ? "" : `${access.verdict} ${access.rule}`,
    "heddle.mtls": record.tls,
    "heddle.bytes_in": record.bytesIn,
    "heddle.bytes_out": record.bytesOut,
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== ""));
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
  return events.sort((a, b) => a.atMs - b.atMs);
}

function errorOf({ outcome, status, grpc }: Evidence, kind: Span["kind"]): string | null {
  if (outcome !== null && outcome.side !== "downstream") return `${outcome.flag}: ${outcome.detail}`;
  if (outcome !== null && kind === "client") return `${outcome.flag}: ${outcome.detail}`;
  if (grpc !== "" && grpc !== "0" && (kind === "client" || grpcServerErrors.has(grpc)))
    return grpcNames[Number(grpc)] ?? grpc;
  return status >= httpError[kind] ? String(status) : null;
}

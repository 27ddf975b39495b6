/**
 * What is known of one request, as operators read it: what a proxy remembers of it, and what the proxy would decide now. Each is
 * told by the machine that knows it: the caller's knows the route and the endpoints, the callee's the access rules and the app.
 */
import type { StreamCounts } from "./stream_kind.ts";
import type { Flag, Side } from "./outcome.ts";
import type { TraceRef } from "./trace_ref.ts";

/** A record of telemetry/record.ts that ended, or one that is under way. */
export interface Evidence {
  readonly direction: "inbound" | "outbound";
  readonly kind: "http" | "tcp";
  readonly requestId: string;
  /** Monotonic in the proxy, milliseconds. */
  readonly startedMs: number;
  /** null: it is under way. */
  readonly durationMs: number | null;
  /** From its beginning to the head of the answer; null: no head was sent. */
  readonly firstByteMs: number | null;
  readonly service: string;
  readonly source: string;
  readonly sourceId: string;
  readonly destinationId: string;
  readonly tls: boolean;
  readonly method: string;
  /** Without the query; cut to `evidenceTextLengthMax`. */
  readonly path: string;
  readonly protocol: string;
  readonly detected: string;
  readonly upgrade: string;
  readonly grpc: string;
  readonly route: string;
  readonly status: number;
  /** null: it ended as whoever took part in it wanted. */
  readonly outcome: { readonly flag: Flag; readonly side: Side; readonly detail: string } | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly endpoint: string;
  readonly attempts: readonly { readonly endpoint: string; readonly ms: number; readonly result: string }[];
  /** Why it was not sent again (`retryRefusals`); "" when nothing failed. */
  readonly noRetry: string;
  readonly ejected: string;
  readonly policies: readonly EvidenceOfPolicy[];
  readonly access: { readonly verdict: string; readonly rule: string } | null;
  /** Where its span stands; null: it is not traced. */
  readonly trace: TraceRef | null;
}

export interface EvidenceOfPolicy {
  readonly name: string;
  readonly hash: string;
  readonly hook: string;
  readonly action: string;
  /** "" unless it failed. */
  readonly failure: string;
  readonly said: string;
  readonly reason: string;
  readonly us: number;
}

/** The answer of a proxy to the question `request`: one line for each record of that request. */
export interface RequestLine {
  readonly record: Evidence;
  /** Wall clock of its machine when it began, milliseconds. */
  readonly atMs: number;
  /** Of the outbound side: as it would be decided now. null: the service is not known there any more. */
  readonly caller: CallerView | null;
  /** Of the inbound side. */
  readonly callee: CalleeView | null;
}

/** What the caller's proxy decides. */
export interface CallerView {
  /** Of the snapshot in force. */
  readonly version: string;
  readonly source: string;
  readonly sourceId: string;
  readonly service: string;
  /** Whom the other proxy must prove to be. */
  readonly destinationId: string;
  readonly protocol: string;
  /** In order of precedence. Empty: the service has none, and everything goes to it. */
  readonly routes: readonly RouteView[];
  /** Of the chosen route, in order: those that are asked about the request. */
  readonly policies: readonly string[];
  readonly backends: readonly BackendView[];
  readonly endpoints: readonly EndpointView[];
  /** How many there are, those that are not shown too. */
  readonly endpointCount: number;
  /** What is live: null where a file is read rather than a proxy asked. */
  readonly live: {
    readonly underWay: number;
    readonly underWayMax: number;
    readonly waiting: number;
    readonly retriesLeft: number;
    /** Open ones, each of which takes a place of those limits until it ends; absent: a proxy of before tells none. */
    readonly streams?: StreamCounts;
  } | null;
}

export interface RouteView {
  readonly name: string;
  readonly chosen: boolean;
  /** What it asks of a request. */
  readonly match: string;
  /** Why it was not chosen; of the one that was, "". */
  readonly because: string;
}

export interface BackendView {
  readonly service: string;
  readonly subset: string | null;
  /** 0 to 1. */
  readonly share: number;
  /** Why its share is answered 500; null: it is valid. */
  readonly invalid: string | null;
}

export interface EndpointView {
  readonly id: string;
  readonly service: string;
  readonly machine: string;
  readonly zone: string;
  /** `ready`, `ejected`, `probing`, `unhealthy`, `drained`. */
  readonly state: string;
  /** Why circuit breaking took it out; "" when it did not. */
  readonly reason: string;
  /** Milliseconds until a request may probe it; 0 when it is not out. */
  readonly probeInMs: number;
  /** Requests of this proxy that are under way there; null where nothing is live. */
  readonly pending: number | null;
  /** What balancing goes by: latency in milliseconds times requests; null where nothing is live. */
  readonly load: number | null;
}

/** What the callee's proxy decides. */
export interface CalleeView {
  readonly version: string;
  readonly service: string;
  readonly spiffeId: string;
  readonly access: { readonly verdict: string; readonly rule: string };
  /** The rules of the service, in the order in which they are looked at. */
  readonly rules: readonly RuleView[];
  /** What of the rules is left; `allow` or `deny`. */
  readonly otherwise: string;
  /** Rates that are limited, in words. */
  readonly limits: readonly string[];
  /** Open ones, each of which holds a connection to an app of HTTP/1.1 until it ends; absent: nothing is live, or none told. */
  readonly streams?: StreamCounts;
}

export interface RuleView {
  readonly id: string;
  readonly effect: "allow" | "deny";
  readonly mode: string;
  readonly from: string;
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

/** A request or connection that just ended, as `heddle tap` tells it: of its head only what the access log has, too. */
export interface TapLine extends Pick<
  Evidence,
  | "direction"
  | "kind"
  | "requestId"
  | "service"
  | "source"
  | "tls"
  | "method"
  | "path"
  | "protocol"
  | "grpc"
  | "route"
  | "status"
  | "outcome"
  | "firstByteMs"
  | "bytesIn"
  | "bytesOut"
  | "endpoint"
> {
  /** Wall clock of its machine when it ended, milliseconds. */
  readonly atMs: number;
  readonly durationMs: number;
  readonly attempts: number;
}

/** The answer of a proxy to the question `decide`. */
export interface DecideLine {
  /** The calling service runs there; the called one does. */
  readonly isCaller: boolean;
  readonly isCallee: boolean;
  /** As the called service reads it; null: it takes none like it, or is not known there. */
  readonly path: string | null;
  /** null: the calling service does not run there, or the called one is not known there. */
  readonly caller: CallerView | null;
  readonly callee: CalleeView | null;
}

/**
 * The one record that every exchange and every opaque connection begins and finishes exactly once: golden metrics, access log line
 * and the evidence for explaining it come from here, and what shows it while it lasts reads it too.
 */
import type { Usage } from "../model/usage.ts";
import type { Outcome } from "../model/outcome.ts";
import type { TraceRef } from "../model/trace_ref.ts";

/** What a record says of a call to a language model. */
export interface InferenceRecord {
  /** As OpenTelemetry calls it (`gen_ai.operation.name`): `chat`, `embeddings`. */
  readonly operation: string;
  /** Engine or API (`gen_ai.provider.name`): `vllm`, `anthropic`. */
  readonly provider: string;
  /** That was asked for; "": it does not say. */
  readonly requestModel: string;
  /** That answered, as it says; "": it does not. */
  responseModel: string;
  /** The answer came as a stream. */
  stream: boolean;
  usage: Usage;
  /** Tokens of the answer: what it says, or what its text comes to. */
  outputTokens: number;
  /** When the first and the last content came, monotonic, milliseconds; 0: none did. */
  firstContentMs: number;
  lastContentMs: number;
  /** As the answer says; "": it does not. */
  finishReason: string;
}

export interface ExchangeRecord {
  readonly direction: "inbound" | "outbound";
  readonly kind: "http" | "tcp";
  /** Monotonic, milliseconds. */
  readonly startedMs: number;
  /** Key of the service that was called: `orders.default`; "" while unknown. */
  service: string;
  /** Key of the calling service, from its verified identity (inbound) or its listener (outbound); "" when unknown. */
  source: string;
  /** Both verified SPIFFE IDs; "" when there is none. */
  sourceId: string;
  destinationId: string;
  /** Whether the other proxy of the exchange is on mTLS (`true`), in this process or in clear text (`false`). */
  tls: boolean;
  requestId: string;
  method: string;
  /** Without the query. */
  path: string;
  protocol: string;
  /** What told the protocol of a connection to a service that declares none: `bytes`, `port`, `time`, `end`; else "". */
  detected: string;
  /** The protocol that took the exchange over, out of sight of every rule: `websocket`; "" for none. */
  upgrade: string;
  /** Status code of a gRPC answer, `0` to `16`; "" for everything else. */
  grpc: string;
  /** Name of the route; "" when none is attached, `unmatched` when none matched. */
  route: string;
  status: number;
  outcome: Outcome | null;
  /** Monotonic, milliseconds; 0 while no head was sent. */
  firstByteMs: number;
  bytesIn: number;
  bytesOut: number;
  /** Instance id of the endpoint that answered; "" when none. */
  endpoint: string;
  /** Zone in which that stands; "" when its machine says none. */
  zone: string;
  attempts: AttemptRecord[];
  /** Inbound: how many tries at this call were made before, as the caller's proxy says. */
  attempt: number;
  /** Why its last failure was no reason for another attempt (`retryRefusals`); "" when none failed. */
  noRetry: string;
  /** Its failure was the one after which circuit breaking took the endpoint out, for this reason; else "". */
  ejected: string;
  policies: PolicyRecord[];
  access: AccessVerdict | null;
  /** Where its span stands; null: it is not traced. */
  trace: TraceRef | null;
  /** The proxy that answered keeps the trace, sampled or not. */
  keep: boolean;
  /** The proxy that answered keeps its line in the access log. */
  keepLine: boolean;
  /** null: it was none to a language model. */
  inference: InferenceRecord | null;
  /** The recorder's own: what began before and after it and is under way still (`under_way.ts`). */
  older: ExchangeRecord | null;
  newer: ExchangeRecord | null;
}

export interface AttemptRecord {
  readonly endpoint: string;
  readonly ms: number;
  /** `ok` or the flag of what failed. */
  readonly result: string;
}

/** What a policy did with a request. `error` is a failure of the policy itself. */
export type PolicyAction = "next" | "route" | "respond" | "error";

/** How a policy failed: its code `throw`s, what it decided is `invalid`, or its host has no answer of it (`unanswered`). */
export type PolicyFailure = "throw" | "invalid" | "unanswered";

export interface PolicyRecord {
  readonly name: string;
  readonly hash: string;
  readonly hook: string;
  readonly action: PolicyAction;
  /** null unless `action` is `error`. */
  readonly failure: PolicyFailure | null;
  /** Where it leads or what it answers: `search/v2`, `403`; else "". */
  readonly said: string;
  /** Why, in the words of the policy or of its failure; "" when there are none. For logs: never sent, and no label. */
  readonly reason: string;
  readonly us: number;
}

export interface AccessVerdict {
  readonly verdict: "allow" | "deny" | "would-deny";
  /** Id of the deciding rule, or `default`. */
  readonly rule: string;
}

/** What a pipeline needs of telemetry. `proxy_telemetry.ts` implements it; handles of hot metrics are resolved once per service. */
export interface Recorder {
  /**
   * An exchange or an opaque connection began. Call exactly once per record, with what is known so far; the rest is filled in while
   * it lasts. A connection keeps the service and source that it has now.
   */
  began(record: ExchangeRecord): void;
  /** Call exactly once per record that began. `endedMs` is monotonic. */
  finish(record: ExchangeRecord, endedMs: number): void;
  /** A limit of `model/limits.ts` ended or refused something. */
  limitTripped(limit: string, listener: string): void;
  /** A connection to a service whose protocol is not declared showed what it speaks: by `bytes`, `port`, `time` or `end`. */
  detected(service: string, protocol: string, by: string): void;
  /** An attempt beyond or including the first; cause: first, connect, reset, status. */
  attempt(service: string, cause: string, result: string): void;
  /** An attempt went to an endpoint in this zone. */
  wentTo(service: string, zone: string): void;
  /** A connection of `source` to what is not in the mesh, which `passed` or was `refused`. */
  outside(source: string, address: string, verdict: "passed" | "refused"): void;
  /** Circuit breaking took an endpoint of a service out: `streak`, `connect` or `rate`. */
  ejected(service: string, reason: string): void;
}

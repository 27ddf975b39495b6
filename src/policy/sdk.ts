/**
 * What authors of policies import, as `heddle/policy`. A policy is a module whose default export is `definePolicy({…})`:
 *
 * ```ts
 * import { definePolicy, next, routeTo } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "night-shift",
 *   version: "1.0.0",
 *   options: v.object({ service: v.string() }),
 *   onError: "open",
 *   onRequest(request, context) {
 *     return request.headers.has("x-night") ? routeTo(context.options.service) : next();
 *   },
 * });
 * ```
 *
 * A policy runs in a realm of its own with the language and nothing else: no files, network, timers, `process` or `fetch`.
 * Time and randomness come from `context` (`Date.now` and `Math.random` give the same values). Decisions are plain data.
 */
import type { GenericSchema, InferOutput } from "valibot";
import type { HeaderList } from "./header_list.ts";
import type { QueryList } from "./query_list.ts";
import type { PolicyBody, PolicyChunk, PolicyEvent, UnreadBody } from "./sdk_bodies.ts";
import type {
  Duration,
  Reserved,
  ServiceAnswer,
  ServiceRequest,
  SharedCounter,
  SignatureCheck,
  Taken,
} from "./sdk_calls.ts";
import type {
  Decision,
  HeaderEdit,
  Next,
  PassOn,
  Respond,
  ResponseDecision,
  Retries,
  Route,
  Sending,
} from "./sdk_decisions.ts";

export type { HeaderList, QueryList };
export { fromBase64, fromBase64Url, toBase64, toBase64Url } from "./base64.ts";
export { hmacSha256, sha256, toHex } from "./sha256.ts";
export { TextDecoder, TextEncoder } from "./text_codec.ts";
export { URL } from "./url.ts";
export { URLSearchParams } from "./url_params.ts";
export { next, pass, respond, routeTo } from "./sdk_decisions.ts";
export type {
  Decision,
  Duration,
  HeaderEdit,
  Next,
  PassOn,
  PolicyBody,
  PolicyChunk,
  PolicyEvent,
  Reserved,
  Respond,
  ResponseDecision,
  Retries,
  Route,
  Sending,
  ServiceAnswer,
  ServiceRequest,
  SharedCounter,
  SignatureCheck,
  Taken,
  UnreadBody,
};

/**
 * The head of a request, and its body where `uses.requestJson` asks for it.
 *
 * ```ts
 * import { definePolicy, next, respond } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "cheap-model",
 *   version: "1.0.0",
 *   options: v.strictObject({}),
 *   uses: { requestJson: true },
 *   onError: "closed",
 *   onRequest(request) {
 *     if (request.unread !== null) return respond(413, `its body is ${request.unread}`);
 *     const wanted = v.safeParse(v.looseObject({ model: v.string() }), request.json);
 *     return wanted.success ? next({ json: { ...wanted.output, model: "small" } }) : next();
 *   },
 * });
 * ```
 */
export interface PolicyRequest extends PolicyBody {
  /** As sent: `GET`. */
  readonly method: string;
  /** Host that is meant, lower case, with the port if one was sent: `orders.mesh`. */
  readonly host: string;
  /** Normalised, without the query: `/v1/items`. */
  readonly path: string;
  readonly query: QueryList;
  readonly headers: HeaderList;
}

/**
 * Counters of this policy in this proxy, which every request of one service shares that is under the same options. They count by
 * the virtual clock, so that a replay counts the same, and are empty when the process of the policy starts anew. So many keys are
 * kept (`policyCounterKeysMax`); the one that was not asked for longest goes first.
 *
 * ```ts
 * import { definePolicy, next, respond } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "ten-per-second",
 *   version: "1.0.0",
 *   options: v.strictObject({}),
 *   onError: "open",
 *   onRequest(request, context) {
 *     const { ok, resetMs } = context.local.take(context.source ?? "nobody", 1, 10, "1s");
 *     return ok ? next() : respond(429, "too many", "", { "retry-after": String(Math.ceil(resetMs / 1000)) });
 *   },
 * });
 * ```
 */
export interface Counter {
  /**
   * Takes `amount` out of a bucket of `limit`, which fills again within `per`. When there is not so much in it nothing is taken, and
   * `resetMs` says when there will be.
   */
  take(key: string, amount: number, limit: number, per: Duration): Taken;
  /** Counts, and tells how much was counted within the last `per`, roughly. */
  add(key: string, amount: number, per: Duration): number;
  /** Takes what may be needed; `settle` says what was, which may be more or less. */
  reserve(key: string, amount: number, limit: number, per: Duration): Reserved;
  settle(id: string, used: number): void;
}

/** What a hook is given besides what it is about. */
export interface PolicyContext<Options, State = undefined> {
  /** As the schema returned them: defaults filled in, transformed. */
  readonly options: Options;
  /** What `state` made of the options, once for each set of them; it lives as long as the process of the policy. */
  readonly state: State;
  /** Of this exchange alone: what one hook puts there, a later one finds. */
  readonly scratch: Map<string, unknown>;
  readonly local: Counter;
  /** Counters of this policy and service in the whole mesh. */
  readonly shared: SharedCounter;
  /** The service that was called: `orders.default`. */
  readonly service: string;
  /** Verified SPIFFE ID of the caller; null when there is none. */
  readonly source: string | null;
  readonly requestId: string;
  /** Milliseconds that the caller still waits, when the hook was asked; Infinity where nobody said. */
  readonly deadlineMs: number;
  /**
   * Address of whoever connected, at the caller's side: an app of this machine, or whom the PROXY protocol names where it is expected.
   * null at the server's side, where only proxies connect.
   */
  readonly address: string | null;
  /** Milliseconds since 1970. Stands still while a hook runs. */
  now(): number;
  /** Uniform in [0, 1). The sequence depends on request and hook alone, so that a replay decides the same. */
  random(): number;
  /** A number of 32 bits that spreads evenly and is the same on every machine: for sticky choices. */
  hash(text: string): number;
  /**
   * Asks a service of the mesh, which the options must name as text (as for `routeTo`). The request goes out as one of the service that
   * the policy stands at: with its identity, under the access rules and traffic settings of the service that is called; policies of the
   * caller's side do not see it. Rejects when there is no answer of that service (it is not named, its rules refuse, nobody listens,
   * `limits.wait` of the hook is over, it has more than 64 KiB); one of any status is an answer. What is not awaited is not asked, and a
   * rejection that nobody catches is a failure of the policy which does not put it aside. Never in `onEvent`, nor about a request
   * that a policy sent itself.
   */
  call(service: string, path: string, request?: ServiceRequest): Promise<ServiceAnswer>;
  /** Whether a signature is right, found out by the proxy. Rejects for a key that fits the algorithm in no way. Counts as `call`. */
  verify(check: SignatureCheck): Promise<boolean>;
  /** A line in the log of the proxy, with the name of the policy and the request id. So many in a second (`policyLogLinesPerSecond`). */
  log(level: LogLevel, message: string, fields?: Readonly<Record<string, string | number | boolean>>): void;
  /** Adds to `heddle_policy_counted_total` of this policy and name: letters, digits and `_`. Labels have few values. */
  count(name: string, amount?: number, labels?: Readonly<Record<string, string>>): void;
  /** Adds a value to the histogram `heddle_policy_observed`. */
  observe(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** An opaque connection: nobody looks inside. Who calls whom is in the context. */
export interface PolicyConnection {
  /** `tls` stays closed to heddle, too. */
  readonly protocol: "tcp" | "tls";
}

/** What becomes of a connection. `reason` goes to the logs. */
export type ConnectionDecision =
  { readonly allow: true } | { readonly allow: false; readonly reason: string };

/** The head of an answer of the service, and its body where `uses.responseJson` asks for it. */
export interface PolicyResponse extends PolicyBody {
  readonly status: number;
  readonly headers: HeaderList;
  /** In the head of an answer that has nothing else; null where it stands in the trailers, or it is no gRPC. */
  readonly grpcStatus: string | null;
  /** Instance that answered: `vm-2/orders.default/8080`. */
  readonly endpoint: string;
  /** From the request to this head. */
  readonly ms: number;
  /**
   * From when this instance had all of the request to this head; what went before (slow clients, other instances that were tried) does not
   * count. At the server's side as `ms`.
   */
  readonly instanceMs: number;
}

/**
 * An instance that a request may go to.
 *
 * ```ts
 * import { definePolicy } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "idlest",
 *   version: "1.0.0",
 *   options: v.strictObject({}),
 *   onError: "open",
 *   pick: (endpoints) => endpoints.toSorted((one, other) => one.inflight - other.inflight).map(({ id }) => id),
 * });
 * ```
 */
export interface PolicyEndpoint {
  readonly id: string;
  readonly weight: number;
  /** Where its machine stands; "" when nobody said. */
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Requests of this proxy that are under way there. */
  readonly inflight: number;
  /** What a request takes there now, as far as this proxy knows. */
  readonly ewmaMs: number;
}

/**
 * How an exchange ended.
 *
 * ```ts
 * import { definePolicy } from "heddle/policy";
 * import * as v from "valibot";
 *
 * export default definePolicy({
 *   api: 1,
 *   name: "slowest",
 *   version: "1.0.0",
 *   options: v.strictObject({ ms: v.number() }),
 *   onError: "open",
 *   onEnd({ ms, status }, context) {
 *     if (ms > context.options.ms) context.log("warn", `${context.service} took ${ms} ms`, { status });
 *   },
 * });
 * ```
 */
export interface PolicySummary {
  /** 0: it was not answered. */
  readonly status: number;
  /** Why it failed, as in the access log: `UF`, `DC`; "" when it did not. */
  readonly flag: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ms: number;
  /** Until the head of its answer; null without one. */
  readonly ttfbMs: number | null;
  /** Instance of the last attempt; "" for none. */
  readonly endpoint: string;
  readonly retries: number;
}

export interface OptionIssue {
  /** Below `with`: `variants.0.weight`; "" for all of it. */
  readonly path: string;
  readonly message: string;
}

/** What `definePolicy` takes. Everything but schema and functions must be written as literals: it is read without being run. */
export interface Policy<Schema extends GenericSchema, State = undefined> {
  /** Version of this interface. */
  readonly api: 1;
  /** As documents say it: lower case, digits and dashes. */
  readonly name: string;
  /** Of the policy, for people: `1.2.0`. What runs is told apart by the hash of the bundle. */
  readonly version: string;
  /** Schema of the settings that a document gives under `with`. */
  readonly options: Schema;
  /**
   * What a failure (a throw, no answer in time, no valid decision) does: `open` lets the request go on, `closed` answers 503. Why
   * it failed, and at which `file:line:col`, is in the logs; the caller learns the name of the policy and the request id.
   */
  readonly onError: "open" | "closed";
  readonly limits?: {
    /** Processor time of one call, 2 ms when not given. A call that takes ten times as long, and 200 ms, is ended. */
    readonly cpu?: Duration;
    /** How long all calls of one hook may take together (`context.call`), 50 ms when not given, 5 s at most. */
    readonly wait?: Duration;
    /** Of a body that it sees (`uses`), in bytes: 65536 when not given, 131072 at most. */
    readonly body?: number;
  };
  /** What hooks see beside heads. It waits until all of it is there, so whoever does not need it should not ask. */
  readonly uses?: {
    /** `onRequest` finds the body of a request as `json`, if it is JSON and not longer than `limits.body`. */
    readonly requestJson?: boolean;
    /**
     * `onResponse` finds the body of an answer so. It is asked for without compression, and one whose end takes long, as of a stream,
     * goes on no sooner.
     */
    readonly responseJson?: boolean;
  };
  /**
   * What is wrong with options that fit the schema, for instance with two of them together: told at `apply` and `validate`, at the place
   * of the option. Write it above the hooks.
   */
  readonly onConfig?: (options: InferOutput<Schema>) => readonly OptionIssue[];
  /** Makes what hooks find as `context.state`. Write it above the hooks. */
  readonly state?: (options: InferOutput<Schema>) => State;
  /**
   * Called once per opaque connection, at the caller's side before an endpoint is chosen, at the server's behind the access rules. One
   * that is not allowed is closed (flag PD).
   */
  onConnection?(
    connection: PolicyConnection,
    context: PolicyContext<InferOutput<Schema>, State>,
  ): ConnectionDecision | Promise<ConnectionDecision>;
  /** Called once per request, before an endpoint is chosen. */
  onRequest?(
    request: PolicyRequest,
    context: PolicyContext<InferOutput<Schema>, State>,
  ): Decision | Promise<Decision>;
  /**
   * Called at the caller's side once the service was chosen, where it has several instances: ids of those that it prefers, the dearest
   * first; null leaves it to the balancer. A retry goes to the next one. When it fails or is late, the balancer chooses. Of several
   * policies that pick the last one is asked.
   */
  pick?(
    endpoints: readonly PolicyEndpoint[],
    request: PolicyRequest,
    context: PolicyContext<InferOutput<Schema>, State>,
  ): readonly string[] | null | Promise<readonly string[] | null>;
  /**
   * Called with the head of an answer of the service, before it goes on: of the policies that saw the request, the last one first. Not
   * for answers of heddle or of policies, nor for connections that were upgraded.
   */
  onResponse?(
    response: PolicyResponse,
    context: PolicyContext<InferOutput<Schema>, State>,
  ): ResponseDecision | Promise<ResponseDecision>;
  /**
   * Called at the caller's side for each event of an answer of server-sent events (`text/event-stream`), in order, once it is whole:
   * nothing lets it go on as it came, null drops it, another event goes in its place. Comments go on unseen. When it fails (so do a
   * compressed stream and an event of more than 64 KiB) events go on as they came, or the stream ends with an event `error`.
   */
  onEvent?(event: PolicyEvent, context: PolicyContext<InferOutput<Schema>, State>): PolicyEvent | null | void;
  /**
   * Called with bytes of bodies as they go on, in order, those of requests and of answers; nothing waits for it, and it changes nothing.
   * What comes faster than it looks is left out (`missed`). Not for connections that were upgraded.
   */
  onChunk?(chunk: PolicyChunk, context: PolicyContext<InferOutput<Schema>, State>): void | Promise<void>;
  /** Called exactly once for each request or connection that the policy saw, when all of it is over, also when its client left. */
  onEnd?(summary: PolicySummary, context: PolicyContext<InferOutput<Schema>, State>): void | Promise<void>;
}

/** Defines a policy; export its result as default. */
export function definePolicy<Schema extends GenericSchema, State = undefined>(
  policy: Policy<Schema, State>,
): Readonly<Policy<Schema, State>> {
  return Object.freeze(policy);
}

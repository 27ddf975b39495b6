/**
 * What the calls of a service go by, as `kind: Traffic` says it over `kind: Mesh`, and what holds where both say nothing. A
 * group more is its interface, and a line in each of the three tables below.
 */
import type { GrpcCodeName } from "./grpc_code.ts";
import { limits } from "./limits.ts";
import type { Priority } from "./priority.ts";

/** Every group and every field of a group is optional: what is absent holds as in `trafficDefaults`. */
export interface TrafficTraits {
  readonly balance?: Balancing;
  readonly timeouts?: Timeouts;
  readonly retries?: Retries;
  readonly retryBudget?: RetryBudgetTraits;
  readonly hedging?: Hedging;
  readonly circuitBreaking?: CircuitBreaking;
  readonly limits?: Limits;
  readonly concurrency?: ConcurrencyLimit;
  readonly priority?: CallerPriorities;
  readonly rateLimit?: RateLimits;
  readonly bandwidth?: Bandwidth;
  readonly sessionPersistence?: SessionPersistence;
  readonly zones?: ZonePreference;
}

export type TrafficGroup = keyof TrafficTraits;

/** A group with a value for each of its fields. */
export type WholeGroup<Group extends TrafficGroup> = Required<NonNullable<TrafficTraits[Group]>>;

export type BalanceStrategy =
  "peak-ewma" | "least-request" | "round-robin" | "random" | "maglev" | "ring-hash";

/** What of a request is its key: one of a header, cookie or query parameter of that name, or whoever calls. */
export interface BalanceKey {
  /** Lower case. */
  readonly header?: string;
  readonly cookie?: string;
  readonly query?: string;
  /** The service that calls. */
  readonly caller?: true;
}

/** How one of the instances is chosen. */
export interface Balancing {
  readonly strategy?: BalanceStrategy;
  /** Requests of equal keys go to the same instance; null: none has a key. */
  readonly key?: BalanceKey | null;
  /** Where keys choose: no instance has more than so much of the average of what is under way; 0: as much as comes. */
  readonly boundedLoadPercent?: number;
  /** For how long an instance that is new or came back grows into its share, and what it begins with; 0: all at once. */
  readonly slowStartMs?: number;
  readonly slowStartPercent?: number;
}

/** Milliseconds; 0: none. */
export interface Timeouts {
  /** To connect to an instance, and as long again for the handshake of TLS. */
  readonly connectMs?: number;
  /** From the head of the request to the end of the answer, retries included. */
  readonly requestMs?: number;
  /** Of one attempt, to the end of its answer. */
  readonly perTryMs?: number;
  /** For which a connection to an instance is kept that nothing uses. */
  readonly idleMs?: number;
  /** Within which a byte of the request or of its answer must move; written, it holds for streams too. */
  readonly streamIdleMs?: number;
}

export const retryConditions = [
  ...(["connect-failure", "refused-stream", "reset", "timeout"] as const),
  ...(["gateway-error", "5xx"] as const),
] as const;
export type RetryCondition = (typeof retryConditions)[number];

/** After what a request is sent again, and how often. */
export interface Retries {
  /** Beyond the first. */
  readonly attempts?: number;
  readonly on?: readonly RetryCondition[];
  /** HTTP statuses, beside what `on` names. */
  readonly codes?: readonly number[];
  /** Statuses of gRPC. */
  readonly grpc?: readonly GrpcCodeName[];
  /** The app tells repeats: whatever the method of a request is, it may be sent again. */
  readonly idempotent?: boolean;
  /** Longest wait before the first retry; it doubles up to the other one. */
  readonly backoffMs?: number;
  readonly backoffMaxMs?: number;
}

/** Whether a slow request is sent to a second instance as well. */
export interface Hedging {
  /** `off`, `p95`, or a duration as operators write it. */
  readonly delay?: string;
}

/** How many retries, of whatever cause, the calls of a service may come to from one proxy. */
export interface RetryBudgetTraits {
  /** Of the requests within the interval. */
  readonly percent?: number;
  /** A second, whatever the requests are. */
  readonly min?: number;
  readonly intervalMs?: number;
}

/** When an instance that fails gets no requests, and for how long. */
export interface CircuitBreaking {
  /** In a row; 0: not by a streak. */
  readonly failures?: number;
  /** Fewer successes within the window, once there are so many answers; 0: not by their share. */
  readonly successPercent?: number;
  readonly windowMs?: number;
  readonly answers?: number;
  /** Of the first time; each further one is twice as long, up to the longest. */
  readonly penaltyMs?: number;
  readonly penaltyMaxMs?: number;
  /** Of the instances, that may be out at a time; 0: none, ever. */
  readonly ejectedPercent?: number;
}

/** How much may be under way at a time; each proxy counts for itself. */
export interface Limits {
  /** Requests and opaque connections to the service, of all that call it from one machine. */
  readonly requests?: number;
  /** Those that wait for a place, and for how long. */
  readonly pending?: number;
  readonly pendingWaitMs?: number;
  /** Of one calling service to one instance, and of a proxy to its app; null: what the connections carry. */
  readonly requestsPerEndpoint?: number | null;
  /** The same of connections; those that many requests share are `sharedConnectionsMax` at most. */
  readonly connectionsPerEndpoint?: number;
  /** Over all instances, of a machine that calls it and of a machine's proxy to its apps; null: no limit of its own. */
  readonly connections?: number | null;
}

/** How many requests the instances on one machine serve at a time; streams are not counted. */
export interface ConcurrencyLimit {
  /** It follows how long requests take, between `min` and `max`. */
  readonly adaptive?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Requests that wait for their turn, and for how long. */
  readonly pending?: number;
  readonly pendingWaitMs?: number;
}

/** How much the requests of callers matter, when not all can be served. */
export interface CallerPriorities {
  /** By key of the calling service: no request of it matters more, whatever its route says. */
  readonly callers?: Readonly<Record<string, Priority>>;
}

export interface Rate {
  readonly perSecond: number;
  /** Requests that may come at once; null: those of one second. */
  readonly burst: number | null;
}

/** How many requests a service takes; a proxy counts for the instances that it stands before. An opaque connection counts as one. */
export interface RateLimits {
  /** Of all callers, to all instances in the mesh: proxies have slices of it from the controller. Its burst is that of one second. */
  readonly mesh?: Rate | null;
  /** Of all callers, on one machine. */
  readonly total?: Rate | null;
  /** Of each calling service without a rate of its own, as its certificate names it. */
  readonly identity?: Rate | null;
  /** By key of the calling service, in place of `identity`. */
  readonly overrides?: Readonly<Record<string, Rate>>;
  readonly keys?: readonly KeyedRate[];
}

/** Bytes a second on one machine, each direction by itself; bodies and opaque connections count. */
export interface Bandwidth {
  readonly total?: number | null;
  readonly identity?: number | null;
  /** By key of the calling service, in place of `identity`. */
  readonly overrides?: Readonly<Record<string, number>>;
}

/** A rate of the requests that are alike: each value of the header, each path, or all of them together where neither is asked for. */
export interface KeyedRate extends Rate {
  /** Lower case; requests without it are not counted. */
  readonly header: string | null;
  readonly eachPath: boolean;
  /** The rule is about requests to these alone, exact or with a last segment `*`; empty: all. */
  readonly paths: readonly string[];
}

/** Whether the requests of a client's session go to one instance (GEP-1619), which a token of heddle's in a cookie or header names. */
export interface SessionPersistence {
  readonly type?: "Cookie" | "Header" | "None";
  /** Of the cookie or the header; null: `heddle-<service>`. */
  readonly sessionName?: string | null;
  /** After so long a session is over, whatever its client does; null: never. */
  readonly absoluteTimeoutMs?: number | null;
  /** After so long without a request it is over; null: never. */
  readonly idleTimeoutMs?: number | null;
  /** `Permanent`: the cookie outlives the client's own session, as long as `absoluteTimeoutMs` says. */
  readonly lifetimeType?: "Session" | "Permanent";
  /** Of the cookie. */
  readonly path?: string;
}

/** Whether calls stay near, where machines say in which zone they stand. */
export interface ZonePreference {
  /** `nearest`: the caller's own zone first, then others of its region, then the rest; `none`: all are alike. */
  readonly prefer?: "nearest" | "none";
  /** Zones in the order in which they stand in for the caller's own; those that it does not name come last. null: by nearness. */
  readonly failover?: readonly string[] | null;
}

/** In the order in which they are shown. */
export const trafficDefaults: { readonly [Group in TrafficGroup]-?: WholeGroup<Group> } = {
  balance: {
    strategy: "peak-ewma",
    key: null,
    boundedLoadPercent: limits.boundedLoadFactor * 100,
    slowStartMs: limits.slowStartMs,
    slowStartPercent: limits.slowStartShareMin * 100,
  },
  timeouts: {
    connectMs: limits.connectMeshMs,
    requestMs: 0,
    perTryMs: 0,
    idleMs: limits.keepAlivePoolMs,
    streamIdleMs: limits.answerIdleMs,
  },
  retries: {
    attempts: limits.attemptsMax - 1,
    on: ["connect-failure", "refused-stream", "reset", "timeout"],
    codes: [],
    grpc: [],
    idempotent: false,
    backoffMs: limits.retryBackoffMs,
    backoffMaxMs: limits.retryBackoffMaxMs,
  },
  retryBudget: {
    percent: limits.retryBudgetRatio * 100,
    min: limits.retryBudgetFloorPerSecond,
    intervalMs: limits.retryBudgetWindowMs,
  },
  hedging: { delay: "off" },
  circuitBreaking: {
    failures: limits.breakerStreakMax,
    successPercent: limits.breakerSuccessMin * 100,
    windowMs: limits.breakerWindowMs,
    answers: limits.breakerWindowAnswersMin,
    penaltyMs: limits.breakerPenaltyMs,
    penaltyMaxMs: limits.breakerPenaltyMaxMs,
    ejectedPercent: limits.breakerEjectedShareMax * 100,
  },
  limits: {
    requests: limits.requestsMax,
    pending: limits.pendingMax,
    pendingWaitMs: limits.pendingMs,
    requestsPerEndpoint: null,
    connectionsPerEndpoint: limits.connectionsMax,
    connections: null,
  },
  concurrency: {
    adaptive: false,
    min: limits.concurrencyMin,
    max: limits.concurrencyMax,
    pending: limits.concurrencyPendingMax,
    pendingWaitMs: limits.concurrencyPendingMs,
  },
  priority: { callers: {} },
  bandwidth: { total: null, identity: null, overrides: {} },
  rateLimit: { mesh: null, total: null, identity: null, overrides: {}, keys: [] },
  sessionPersistence: {
    type: "None",
    sessionName: null,
    absoluteTimeoutMs: null,
    idleTimeoutMs: null,
    lifetimeType: "Session",
    path: "/",
  },
  zones: { prefer: "nearest", failover: null },
};

export const trafficGroups = Object.keys(trafficDefaults) as readonly TrafficGroup[];

type Side = "caller" | "callee";

/** Who goes by it: proxies whose apps call the service, proxies before its instances, or both. */
const sides: { readonly [Group in TrafficGroup]-?: Side | "both" } = {
  balance: "caller",
  timeouts: "caller",
  retries: "caller",
  retryBudget: "caller",
  hedging: "caller",
  circuitBreaking: "caller",
  limits: "both",
  concurrency: "callee",
  priority: "callee",
  rateLimit: "callee",
  bandwidth: "callee",
  sessionPersistence: "caller",
  zones: "caller",
};

/** Field by field: what `above` does not say is as in `below`. */
export function mergeTraffic(below: TrafficTraits, above: TrafficTraits): TrafficTraits {
  const groups = trafficGroups.filter((group) => below[group] !== undefined || above[group] !== undefined);
  return Object.fromEntries(groups.map((group) => [group, { ...below[group], ...above[group] }]));
}

/** The groups that this side goes by, without those that say nothing; `{}` when none is left. */
export function trafficOf(traffic: TrafficTraits, side: Side): TrafficTraits {
  const own = trafficGroups.filter((group) => sides[group] === side || sides[group] === "both");
  return Object.fromEntries(
    own
      .filter((group) => Object.keys(traffic[group] ?? {}).length > 0)
      .map((group) => [group, traffic[group]]),
  );
}

/** A value for each field of the group. */
export function wholeGroup<Group extends TrafficGroup>(
  group: Group,
  traffic: TrafficTraits = {},
): WholeGroup<Group> {
  return { ...trafficDefaults[group], ...traffic[group] } as unknown as WholeGroup<Group>;
}

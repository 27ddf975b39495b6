/**
 * What a service is like, as its document says: what both sides of each call to it go by. The document, the snapshot and the
 * live objects of the proxy hold these very fields under these names; a new one is a line in each of the two tables below.
 */
import type { ExternalTraits } from "./external.ts";
import type { InferenceTraits } from "./inference.ts";
import type { EscapedSlashes, Protocol, Transport } from "./service.ts";

export type Balance = "round-robin" | "ewma";

export interface HealthCheck {
  /** Path for an HTTP probe (2xx or 3xx is well); null: a TCP connect is enough. */
  readonly http: string | null;
  /** Name that its health service (grpc.health.v1) is asked for, "" for the whole server. Absent: it is not asked. */
  readonly grpc?: string;
  /** Program of the machine, with its arguments, that ends with 0 while the app is well; of a Machine document alone. */
  readonly exec?: readonly string[];
  readonly everyMs: number;
}

export interface ServiceTraits {
  /** `detect` when none is declared. */
  readonly protocol: Protocol;
  readonly transport: Transport;
  /** For proxies that do not know `balance` of `Traffic`, which says it for the others. */
  readonly balance: Balance;
  /** Answers may be silent for long, and bodies of requests slow: no idle timer, no floor. */
  readonly stream: boolean;
  readonly escapedSlashes: EscapedSlashes;
  /** What `//` in a path is: one slash, or an error. Absent: kept. */
  readonly mergeSlashes?: "merge" | "refuse";
  /** What `;` and the rest of its segment are: left out, or an error. Absent: kept. */
  readonly pathParameters?: "strip" | "refuse";
  /** Protocols beside `websocket` that an upgrade may lead to, lower case. Absent: none. */
  readonly upgrades?: readonly string[];
  /** Whether interim answers (102, 103) go on to callers of HTTP/1.1 too. Absent: no. */
  readonly interim?: "forward";
  /** It answers with a language model. Absent: its calls are like any others. */
  readonly inference?: InferenceTraits;
  /** Subset name to the labels an instance must have. */
  readonly subsets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly health: HealthCheck | null;
  /** It is outside of the mesh. Absent: it has instances. */
  readonly external?: ExternalTraits;
}

/** Who goes by it: proxies whose apps call the service, proxies before its instances, or both. */
const sides = {
  protocol: "both",
  transport: "caller",
  balance: "caller",
  stream: "both",
  escapedSlashes: "both",
  mergeSlashes: "both",
  pathParameters: "both",
  upgrades: "both",
  interim: "caller",
  inference: "both",
  subsets: "caller",
  health: "callee",
  external: "caller",
} as const satisfies Record<keyof ServiceTraits, Side | "both">;

type Side = "caller" | "callee";

type TraitsOf<S extends Side> = Pick<
  ServiceTraits,
  { [Name in keyof typeof sides]: (typeof sides)[Name] extends S | "both" ? Name : never }[keyof typeof sides]
>;

export type CallerTraits = TraitsOf<"caller">;
export type CalleeTraits = TraitsOf<"callee">;

export function callerTraits(service: ServiceTraits): CallerTraits {
  return traitsOf(service, "caller");
}

export function calleeTraits(service: ServiceTraits): CalleeTraits {
  return traitsOf(service, "callee");
}

function traitsOf<S extends Side>(service: ServiceTraits, side: S): TraitsOf<S> {
  const own = Object.entries(sides).filter(([name, of]) => (of === side || of === "both") && name in service);
  return Object.fromEntries(
    own.map(([name]) => [name, service[name as keyof ServiceTraits]]),
  ) as unknown as TraitsOf<S>;
}

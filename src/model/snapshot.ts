/**
 * What the controller compiled for one proxy: immutable, versioned by content, complete in itself. It is JSON on the
 * wire and on the proxy's disk. A proxy builds its live state from it and from nothing else.
 */
import type { Address } from "../base/socket_address.ts";
import type { TelemetrySettings } from "./telemetry.ts";
import type { TrafficTraits } from "./traffic.ts";
import type { BackendFilters, Egress, RouteMatch, RouteTraits } from "./document.ts";
import type { GatewayListener } from "./gateway.ts";
import type { ServiceName } from "./service.ts";
import type { CalleeTraits, CallerTraits } from "./service_traits.ts";

export interface Snapshot {
  /** Format of this shape; a proxy refuses one it does not know. */
  readonly format: 1;
  /** SHA-256 of the content without this field, hex. */
  readonly version: string;
  readonly node: string;
  readonly trustDomain: string;
  readonly bundle: TrustBundle;
  /** SPIFFE IDs that must not be served any more, whatever certificate they hold. */
  readonly deniedIds: readonly string[];
  /** Serial numbers of certificates that were revoked before their end, lower-case hex. */
  readonly deniedSerials: readonly string[];
  readonly locals: readonly LocalService[];
  readonly destinations: readonly Destination[];
  readonly policies: readonly PolicyRef[];
  /** That this machine may run. Absent: none. */
  readonly gateways?: readonly SnapshotGateway[];
  /** Absent: as by default. */
  readonly telemetry?: TelemetrySettings;
  /** What intercepted units may call outside of the mesh. Absent: everything (`open`). */
  readonly egress?: Egress;
  /** Policies do not run where their process cannot be sealed. Absent: they do. */
  readonly unsealedPolicies?: "refuse";
  /** Every service of the mesh with its virtual address, a line each (`readMeshName`). Absent: none has one, or an older controller. */
  readonly names?: readonly string[];
  /** Those with gateways that pass TLS of the mesh on to their machines. Absent: none has any. */
  readonly networks?: readonly Network[];
  /** External services that callers reach by gateways of this machine. Absent: none. */
  readonly exits?: readonly Exit[];
  /** Whom the gateways of this machine pass TLS of the mesh on to. Absent: nobody. */
  readonly relays?: readonly Relay[];
}

export interface Network {
  /** As Machine documents name it; "" of machines that name none. */
  readonly name: string;
  /** Where machines of other networks reach its gateways. */
  readonly gateways: readonly Address[];
}

/** A service outside of the mesh that callers reach by a gateway of this machine. */
export interface Exit {
  /** Whose identity it shows to them. */
  readonly gateway: ServiceName;
  /** As it stands outside, without the routes and policies that callers go by. */
  readonly destination: Destination;
}

/** Connections that ask for that name, at a gateway of that network, are for the inbound port of one machine. */
export interface Relay extends Address {
  readonly network: string;
  /** `machineServerName`. */
  readonly serverName: string;
}

/** Routes of its listeners are those of destinations: `listenerService`. */
export interface SnapshotGateway {
  /** Whose identity its calls carry. */
  readonly service: ServiceName;
  readonly listeners: readonly GatewayListener[];
}

/** Roots of one trust domain (SPIFFE bundle). `sequence` rises with every change. */
export interface TrustBundle {
  readonly trustDomain: string;
  readonly sequence: number;
  readonly rootsPem: readonly string[];
  /** Oldest first; what was issued below another than the last is to be renewed at once. */
  readonly renewNow?: boolean;
}

/** A service that runs on this machine, as its inbound side needs it. */
export interface LocalService extends CalleeTraits {
  readonly service: ServiceName;
  readonly spiffeId: string;
  /** What its own proxies go by. Absent: as by default. */
  readonly traffic?: TrafficTraits;
  /** Machines with instances of it, where these share a rate (`rateLimit.mesh`): what a machine goes by until it has a slice. */
  readonly rateSharers?: number;
  readonly access: Access;
  /** Policies of its callers' requests that are asked here, in order. Absent: none. */
  readonly policies?: readonly PolicyBinding[];
  /** An operator took what this machine runs of it out: nobody calls it. */
  readonly drained?: true;
}

/** Access rules of one service, merged from all its documents. Deny first, then allow, then `otherwise`. */
export interface Access {
  readonly otherwise: "allow" | "deny";
  readonly deny: readonly CompiledAccessRule[];
  readonly allow: readonly CompiledAccessRule[];
}

export interface CompiledAccessRule {
  /** `<document name>#<allow|deny>[<index>]`, for logs and answers. */
  readonly id: string;
  /** `audit` rules only report what they would have done. */
  readonly mode: "enforce" | "audit";
  readonly source:
    | { readonly kind: "any" | "any-mesh" }
    | { readonly kind: "exact" | "prefix"; readonly value: string }
    /** Where a client comes from, as one of these gateways says it. */
    | { readonly kind: "cidr"; readonly value: string; readonly gateways: readonly string[] };
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

/** A service that local services may call. */
export interface Destination extends CallerTraits {
  readonly service: ServiceName;
  /** Whom the other proxy must prove to be. */
  readonly spiffeId: string;
  /** Not declared, and at its port the server speaks first: opaque without a look. */
  readonly serverFirst: boolean;
  /** What its callers go by. Absent: as by default. */
  readonly traffic?: TrafficTraits;
  /** What tokens of sessions are sealed with: 32 bytes, base64, of this service alone. Absent: it has no sessions. */
  readonly sessionKey?: string;
  /** The one before, which tokens may be sealed with still, and when it was replaced: seconds since 1970. Absent: there is none. */
  readonly sessionKeyBefore?: { readonly key: string; readonly replacedS: number };
  /** Of one outside of the mesh: who may call it, which each caller's own proxy judges. Absent: it is in the mesh. */
  readonly externalAccess?: Access;
  readonly endpoints: readonly Endpoint[];
  /** In order of precedence: the first that matches wins. Empty: no route attached, everything goes to the service. */
  readonly routes: readonly CompiledRoute[];
  /** For opaque connections, the most specific hostname first. Empty: none attached, everything goes to the service. */
  readonly tlsRoutes: readonly CompiledTlsRoute[];
  /** Policies of the mesh and of the service itself that its callers ask; they run before those of the route. */
  readonly policies: readonly PolicyBinding[];
}

export interface Endpoint {
  /** Instance id. */
  readonly id: string;
  readonly node: string;
  readonly address: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly ready: boolean;
  /** Absent: none is known. */
  readonly zone?: string;
  readonly region?: string;
  /** Machines of others reach it by the gateways of this one. Absent: its machine names none. */
  readonly network?: string;
  /** Absent: 1. */
  readonly weight?: number;
  /** One of several of its machine: it is asked for by a name of its own. */
  readonly apart?: true;
  /** An operator took it out; it is not ready then, so that a proxy of before does not call it either. */
  readonly drained?: true;
}

/** One match of one rule; a rule with three alternatives is three of these. */
export interface CompiledRoute extends RouteTraits {
  /** `<route name>/<rule name>`, the metric label. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly backends: readonly CompiledBackend[];
  readonly policies: readonly PolicyBinding[];
}

/** One hostname of one TLSRoute, or a TCPRoute. */
export interface CompiledTlsRoute {
  readonly name: string;
  /** `db.example`, `*.example` for everything below, or `*` of a TCPRoute, for every connection. */
  readonly hostname: string;
  readonly backends: readonly CompiledBackend[];
}

export interface CompiledBackend {
  readonly service: ServiceName;
  readonly subset: string | null;
  readonly weight: number;
  /** Set when the backend does not exist: its share of requests is answered 500 with this reason. */
  readonly invalid: string | null;
  /** Of its share alone. Absent: nothing. */
  readonly filters?: BackendFilters;
  /** It gets what those before it failed to answer. Absent: no. */
  readonly fallback?: true;
}

/** Bodies that a policy sees, each with how many bytes it takes at most. Absent: it does not see it. */
export interface BodiesRead {
  readonly request?: number;
  readonly response?: number;
}

/** A policy attached to a place with its settings. */
export interface PolicyBinding {
  /** SHA-256 of the bundle, hex. */
  readonly hash: string;
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Points of an exchange at which it has something to decide: it is not asked at others. Absent: at all. */
  readonly hooks?: readonly string[];
  /** Bodies that it is shown. Absent: none. */
  readonly bodies?: BodiesRead;
  /** Another version of it that is tried beside this one. Absent: none is. */
  readonly candidate?: PolicyCandidate;
}

/** How a version is tried: asked beside the one in force and not obeyed, or asked instead of it for a share of requests. */
export interface PolicyCandidate {
  readonly mode: "shadow" | "percent";
  /** Of requests or machines; 0 to 100. */
  readonly percent: number;
  /** What decides whether a request is of the share. */
  readonly by: "request" | "machine";
  /** When it began, ms since 1970: one that is tried again is another trial. Absent: a controller of before does not say. */
  readonly startedMs?: number;
  readonly binding: PolicyBinding;
}

/** Every place where it asks a policy. */
export function bindingsIn({
  destinations,
  locals,
}: Pick<Snapshot, "destinations" | "locals">): PolicyBinding[] {
  const called = destinations.flatMap(({ policies, routes }) => [
    ...policies,
    ...routes.flatMap((route) => route.policies),
  ]);
  const all = [...called, ...locals.flatMap(({ policies }) => policies ?? [])];
  return all.flatMap((each) => (each.candidate === undefined ? [each] : [each, each.candidate.binding]));
}

/** A policy bundle this snapshot needs, to be fetched by hash and verified. */
export interface PolicyRef {
  readonly hash: string;
  readonly name: string;
  readonly version: string;
  /** Of the SDK that it is written against. Absent: 1. */
  readonly api?: number;
  readonly onError: "open" | "closed";
  readonly cpuMs: number;
  /** How long what one call of it waits for may take, milliseconds. Absent: `policyWaitMs`. */
  readonly waitMs?: number;
  /** It came with heddle: it may share a process with others that did. */
  readonly shipped?: boolean;
  /** It is tried: in a process of its own, so that the version in force has nothing to fear from it. */
  readonly tried?: boolean;
}

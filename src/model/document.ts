/**
 * What operators write, after parsing: defaults filled in, durations in milliseconds, sugar expanded. The shapes
 * follow the Gateway API's field names; `src/config` turns YAML into these and is the only place that does.
 */
import type { ModelMatch } from "./inference.ts";
import type { ExternalTraits } from "./external.ts";
import type { WrittenListener } from "./gateway_routes.ts";
import type { Priority } from "./priority.ts";
import type { Cors, Fault, Mirror } from "./route_filters.ts";
import type { ReferenceGrant, Referring } from "./reference_grant.ts";
import { serviceKey, servicesOf, type ServiceName } from "./service.ts";
import type { HealthCheck, ServiceTraits } from "./service_traits.ts";
import type { TelemetrySettings } from "./telemetry.ts";
import type { SessionPersistence, TrafficTraits } from "./traffic.ts";

/** What is applied to the mesh. */
export type Document =
  | ServiceDocument
  | ExternalDocument
  | GatewayDocument
  | HttpRouteDocument
  | TlsRouteDocument
  | TcpRouteDocument
  | ReferenceGrantDocument
  | TrafficDocument
  | AccessDocument
  | MeshDocument;

/** A `Machine` too, which stays on its machine. */
export type AnyDocument = Document | MachineDocument;

const places: Readonly<Record<Document["kind"], number>> = {
  Mesh: 0,
  Service: 1,
  External: 2,
  Gateway: 3,
  HTTPRoute: 4,
  TLSRoute: 5,
  TCPRoute: 6,
  ReferenceGrant: 7,
  Traffic: 8,
  Access: 9,
};

/** Kinds that are applied, in the order in which lists show them: services before what refers to them. */
export const appliedKinds = Object.keys(places) as readonly Document["kind"][];

/** The one that says what holds for all services; null without one. */
export function meshIn(documents: readonly Document[]): MeshDocument | null {
  return documents.find((each): each is MeshDocument => each.kind === "Mesh") ?? null;
}

/** Keys of the services that are declared. */
export function declaredServices(documents: readonly Document[]): readonly string[] {
  return documents.flatMap((each) => asService(each) ?? []).map(serviceKey);
}

/** A policy attached to a place. `use` is the policy's name; `with` its options, checked by the policy's own schema. */
export interface PolicyUse {
  readonly use: string;
  readonly with: Readonly<Record<string, unknown>>;
  /** Whose proxy asks it. Absent: that of whoever calls. */
  readonly side?: "server";
}

/** Its traits are what the mesh goes by; `model/service_traits.ts` tells what each means and which side reads it. */
export interface ServiceDocument extends ServiceTraits {
  readonly kind: "Service";
  readonly name: string;
  readonly namespace: string;
  /** What callers say, and where its virtual address listens; the app's own port is its machine's business. */
  readonly port: number;
  readonly policies: readonly PolicyUse[];
  /** What it says itself of its traffic, under what its `Traffic` says; absent: nothing. */
  readonly traffic?: TrafficTraits;
}

/** What is called as a service is, and is none of the mesh. */
export interface ExternalDocument extends Omit<ServiceDocument, "kind"> {
  readonly kind: "External";
  readonly external: ExternalTraits;
}

/** As whoever calls it sees it; null: it is nothing that can be called. */
export function asService(document: Document): ServiceDocument | null {
  if (document.kind === "External") return { ...document, kind: "Service" };
  return document.kind === "Service" ? document : null;
}

export interface PathMatch {
  readonly type: "Exact" | "PathPrefix" | "RegularExpression";
  readonly value: string;
}

export interface HeaderMatch {
  readonly type: "Exact" | "RegularExpression";
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

export interface QueryMatch {
  readonly type: "Exact" | "RegularExpression";
  /** Compared, as the value is, as it reads when nothing in it is escaped. */
  readonly name: string;
  readonly value: string;
}

/** All parts must agree (AND); the matches of a rule are alternatives (OR). */
export interface RouteMatch {
  readonly path: PathMatch;
  readonly method: string | null;
  readonly headers: readonly HeaderMatch[];
  /** Absent: any query. */
  readonly query?: readonly QueryMatch[];
  /** Host of the request, lower case; `*.example` for all below. Absent: any. */
  readonly host?: string;
  /** Who calls, one of them; as `from` of access rules, in snapshots SPIFFE IDs alone. Absent: whoever does. */
  readonly from?: readonly string[];
  /** Which model the request asks for, of a service with `inference`. Absent: any, or none. */
  readonly model?: ModelMatch;
}

/** What is changed of a head. Names in lower case; pairs of name and value, one after the other. */
export interface FieldChanges {
  readonly remove: readonly string[];
  readonly set: readonly string[];
  readonly add: readonly string[];
}

/** Of requests that go to one backend, and of its answers. Absent: nothing. */
export interface BackendFilters {
  readonly requestHeaders?: FieldChanges;
  readonly responseHeaders?: FieldChanges;
  /** Model that is asked for in place of the one that the request names. */
  readonly model?: string;
}

export interface PathRewrite {
  /** In place of the whole path; else of the prefix that was matched. */
  readonly whole: boolean;
  readonly value: string;
}

/** What is absent stays as it was asked for. */
export interface Redirect {
  readonly status: number;
  readonly scheme?: "http" | "https";
  readonly host?: string;
  readonly port?: number;
  readonly path?: PathRewrite;
}

export interface DirectAnswer {
  readonly status: number;
  /** Pairs of name and value. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** What a rule does with its requests, beside sending them on. */
export interface RouteFilters extends BackendFilters {
  readonly rewrite?: { readonly host?: string; readonly path?: PathRewrite };
  readonly redirect?: Redirect;
  readonly respond?: DirectAnswer;
  readonly cors?: Cors;
  readonly mirrors?: readonly Mirror[];
  readonly fault?: Fault;
}

export interface Backend {
  readonly service: ServiceName;
  readonly subset: string | null;
  /** 0 gets nothing. */
  readonly weight: number;
  /** It gets what those before it failed to answer; its weight is 0. Absent: no. */
  readonly fallback?: true;
  /** What was written; a service has one port, whatever it is. Absent: nothing was. */
  readonly port?: number;
  /** Nothing lets the route refer to it. Absent: it may. */
  readonly refused?: true;
  /** Of its share alone. Absent: nothing. */
  readonly filters?: BackendFilters;
}

/** What a rule says of retries, over what the service says (GEP-1731). */
export interface RouteRetry {
  /** HTTP statuses after which a request is sent again. */
  readonly codes?: readonly number[];
  /** Beyond the first. */
  readonly attempts?: number;
  /** Shortest wait before each. */
  readonly backoffMs?: number;
}

/** What a rule says of the requests that it matches; the same fields in the document, the snapshot and the live route. */
export interface RouteTraits {
  /** null: as the service says, unless `requestUnbounded`. */
  readonly requestTimeoutMs: number | null;
  /** The route says that there is none. Absent: it says nothing. */
  readonly requestUnbounded?: boolean;
  /** Of one attempt; 0: none. Absent: as the service says. */
  readonly perTryMs?: number;
  readonly retry?: RouteRetry;
  /** Marks requests of this rule as safe to repeat whatever their method. */
  readonly idempotent: boolean;
  /** How much its requests matter when not all can be served. Absent: `default`. */
  readonly priority?: Priority;
  /** Absent: its requests go on as they came, or as policies say. */
  readonly filters?: RouteFilters;
  /** Sessions of its requests, in place of all that the service says of them. Absent: as the service says. */
  readonly sessionPersistence?: SessionPersistence;
}

export interface RouteRule extends RouteTraits {
  /** Unique in the route; `rule-<index>` when not given. */
  readonly name: string;
  readonly matches: readonly RouteMatch[];
  /** Empty: the route's own service, whole. */
  readonly backends: readonly Backend[];
  readonly policies: readonly PolicyUse[];
}

/** Callers come in there as nobody; what goes on carries its identity, which is that of a service of its name. */
export interface GatewayDocument {
  readonly kind: "Gateway";
  readonly name: string;
  readonly namespace: string;
  readonly listeners: readonly WrittenListener[];
}

export interface HttpRouteDocument extends Referring {
  readonly kind: "HTTPRoute";
  readonly name: string;
  /** Of a gateway: hosts of its requests, lower case; `*.example` for all below. Absent: any. */
  readonly hostnames?: readonly string[];
  /** Lower wins between routes that match equally well; then the name decides. */
  readonly order: number;
  readonly rules: readonly RouteRule[];
}

/** Where TLS connections go by the server name that their client asks for; they stay closed to heddle. */
export interface TlsRouteDocument extends Referring {
  readonly kind: "TLSRoute";
  readonly name: string;
  /** Lower case; `*.` as the first label stands for one label and more. */
  readonly hostnames: readonly string[];
  /** Empty: the route's own service, whole. */
  readonly backends: readonly Backend[];
}

/** Where opaque connections go, whatever they are. */
export interface TcpRouteDocument extends Referring {
  readonly kind: "TCPRoute";
  readonly name: string;
  /** Empty: the route's own service, whole. */
  readonly backends: readonly Backend[];
}

export interface ReferenceGrantDocument extends ReferenceGrant {
  readonly kind: "ReferenceGrant";
  readonly name: string;
}

/** What the calls of a service go by. */
export interface TrafficDocument {
  readonly kind: "Traffic";
  readonly name: string;
  readonly namespace: string;
  readonly service: ServiceName;
  readonly traffic: TrafficTraits;
}

/** What holds for every service, where its own documents say nothing. */
export interface MeshDocument {
  readonly kind: "Mesh";
  readonly name: string;
  readonly namespace: string;
  readonly traffic: TrafficTraits;
  readonly telemetry: TelemetrySettings;
  /** Of every service, before its own. Absent: none. */
  readonly policies?: readonly PolicyUse[];
  /** Absent: `open`. */
  readonly egress?: Egress;
  /** Routes may make faults. Absent: they make none. */
  readonly faults?: "allowed";
  /** What becomes of policies where the machine cannot seal their process. Absent: `run`. */
  readonly unsealedPolicies?: "run" | "refuse";
}

/** What intercepted units may call outside of the mesh: `open`, everything; `declared`, nothing that no document names. */
export type Egress = "open" | "declared";

export interface AccessRule {
  /** As written, for logs: `web`, `spiffe://…`. A bare service name is resolved to its ID when compiled. */
  readonly from: string;
  /** Upper case; empty: all. */
  readonly methods: readonly string[];
  /** Normalised; `*` only as the last segment; empty: all. */
  readonly paths: readonly string[];
}

export interface AccessDocument {
  readonly kind: "Access";
  readonly name: string;
  readonly namespace: string;
  readonly service: ServiceName;
  readonly mode: "enforce" | "audit";
  readonly deny: readonly AccessRule[];
  readonly allow: readonly AccessRule[];
}

/** The one document that lives on the machine: what runs here and what it may reach. */
export interface MachineDocument {
  readonly kind: "Machine";
  readonly name: string;
  /** null: the local address of the connection to the controller. */
  readonly address: string | null;
  /** Where it stands, as others of the mesh call it: `eu-1a` in `eu-1`; "" for none. */
  readonly zone: string;
  readonly region: string;
  /** Machines that name another have no route to it. Absent: it names none. */
  readonly network?: string;
  readonly services: readonly MachineService[];
  /** Who calls where that cannot be told: whoever connects to a virtual address. Absent: the only service. */
  readonly caller?: ServiceName;
  /** Units that only call, such as jobs of timers. Absent: none. */
  readonly callers?: readonly CallingUnit[];
  /** Gateways that run on it. Absent: none. */
  readonly gateways?: readonly ServiceName[];
  /** Ports that no virtual address takes. Absent: none. */
  readonly keepFree?: readonly number[];
}

export interface CallingUnit {
  readonly unit: string;
  /** Whose identity its calls carry. */
  readonly service: ServiceName;
  /** Absent: its traffic is its own business. */
  readonly intercept?: Interception;
}

/** Every service that the machine is, each once: those that run there, those that only call, and gateways. */
export function ownServices({ services, callers = [], gateways = [] }: MachineDocument): ServiceName[] {
  return servicesOf([...services, ...callers, ...gateways.map((service) => ({ service }))]);
}

export interface MachineService {
  readonly service: ServiceName;
  /** Where the app listens. */
  readonly host: string;
  readonly port: number;
  /** The app expects the PROXY protocol before each connection, in this version; null: it does not. */
  readonly proxyProtocol: 1 | 2 | null;
  /** null: the Service document's, else a TCP connect. */
  readonly health: HealthCheck | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Its share beside other instances of the service. */
  readonly weight: number;
  readonly upstreams: readonly Upstream[];
  /** Port of this service's own HTTP outbound listener; null: the next free one from the default. */
  readonly httpPort: number | null;
  /** The systemd unit that the app runs in. Absent: nobody said. */
  readonly unit?: string;
  /** Of that unit. Absent: its traffic is its own business. */
  readonly intercept?: Interception;
}

/** How the traffic of a unit is taken into the mesh without its doing, by rules of this machine's firewall. */
export interface Interception {
  /** Which of its connections go through the proxy: `mesh`, those to virtual addresses; `all`, whatever leaves the machine. */
  readonly outbound: "mesh" | "all";
  /** Other machines that call its port around the mesh: `audit` counts and names them, `enforce` refuses them too. */
  readonly inbound: "audit" | "enforce";
  /** Its rules stand while the proxy does not run, too: it reaches nothing then, rather than something outside of the mesh. */
  readonly strict?: true;
}

export function isIntercepting({ services, callers = [] }: MachineDocument): boolean {
  return [...services, ...callers].some(({ intercept }) => intercept !== undefined);
}

/** Keys of services whose units reach nothing, rather than something outside of the mesh. */
export function strictServices({ services, callers = [] }: MachineDocument): ReadonlySet<string> {
  const strict = [...services, ...callers].filter(({ intercept }) => intercept?.strict === true);
  return new Set(strict.map(({ service }) => serviceKey(service)));
}

/** An explicit port: whoever connects to it calls `service` as the local service that declares it. */
export interface Upstream {
  readonly service: ServiceName;
  readonly host: string;
  /** null: reached by the HTTP outbound listener only. */
  readonly port: number | null;
  /** Whoever connects sends the PROXY protocol first (a load balancer in front): the address it names is the caller's. */
  readonly proxyProtocol: boolean;
}

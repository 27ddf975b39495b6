/**
 * What the modes say to each other, as JSON over HTTP on mTLS. One place for every path, body and answer; servers
 * validate what arrives, clients use the same types. Streams are NDJSON: one message per line.
 */
import type { SocketError } from "../../runtime/contract.ts";
import type { Address } from "../base/socket_address.ts";
import type { Drain, DrainPlace, EjectedEndpoint, Instance, Node, ServiceName } from "../model/service.ts";
import type { TrustBundle } from "../model/snapshot.ts";
import type { CertificateStatus, ProxyAbout } from "./snapshot_messages.ts";

/** Every refusal: what failed, in words, and what to do about it. */
export interface ApiProblem {
  readonly error: string;
  readonly hint?: string;
  /** Problems of documents, each with its place. */
  readonly issues?: readonly ApiIssue[];
}

/** Of a list that may have more. */
export interface PageAnswer {
  /** What to ask for as `after`; null on the last page. */
  readonly next: string | null;
}

export interface ApiIssue {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly severity: "error" | "warning";
  readonly message: string;
  /** `HED0110`. Absent: an older controller, or a policy's own. */
  readonly code?: string;
  /** `rules[1].timeouts` */
  readonly field?: string;
  /** What stands there, as JSON, shortened. */
  readonly value?: string;
}

// ------------------------------------------------------------------------------- registry (port 7444, mTLS)

/** Paths of the registry. Who may call what: `src/registry/permissions.ts`. */
export const registryPaths = {
  /** PUT RegisterRequest by the instance's service SVID; also renews. POST /remove {id} takes it back. */
  instances: "/v1/instances",
  /** GET ?prefix=&after=: RangeAnswer, one page of the keys under `prefix`. */
  range: "/v1/range",
  /** POST CommitRequest by a controller: CommitAnswer, also when a condition failed. */
  commit: "/v1/commit",
  /** GET ?prefix=&from=&epoch=: stream of WatchLine. */
  watch: "/v1/watch",
  /** PUT HoldRequest by a controller: HoldAnswer; also renews. POST /release {name}. */
  holds: "/v1/holds",
  health: "/v1/health",
} as const;

/** Key prefixes in the registry's store. */
export const registryKeys = {
  instances: "instances/",
  documents: "documents/",
  nodes: "nodes/",
  tokens: "tokens/",
  /** By machine: which of its certificates are alive. */
  certificates: "certificates/",
  /** By serial number: certificates that must not be accepted any more, though they have not ended. */
  revoked: "revoked/",
  policies: "policies/",
  /** By name of the policy: the version that is tried, and what happened to it. */
  policyTrials: "policy-trials/",
  policyHistory: "policy-history/",
  /** By name of the policy and hash: the versions that are kept. */
  policyVersions: "policy-versions/",
  /** By name of the policy: the version before the one in force, where a heddle of before versions were kept by hash left it. */
  policiesBefore: "policies-before/",
  operators: "operators/",
  /** By address: the service whose virtual address it is. */
  addresses: "addresses/",
  /** By machine, or machine and service: what operators took out (`drainKey`). */
  drains: "drains/",
  /** By machine with a controller: where its controller and its registry are. */
  places: "places/",
  /** What a controller holds while it is alive; on leases. */
  holds: "holds/",
  meta: "meta/",
} as const;

export interface RegisterRequest {
  readonly instance: Instance;
  readonly ttlMs: number;
}

export interface RegisterAnswer {
  readonly revision: number;
  /** The lease lives so long unless it is renewed. */
  readonly ttlMs: number;
}

/** A key as its reader knows it. `modified` is the revision of its last change. */
export interface KnownEntry {
  readonly key: string;
  readonly value: string;
  readonly modified: number;
}

/** One page. Pages may be of different revisions: a watch from the first page's revision tells what changed between them. */
export interface RangeAnswer {
  /** Life of the registry: its revisions can be watched from in this one only. */
  readonly epoch: string;
  readonly revision: number;
  readonly entries: readonly KnownEntry[];
  /** What to ask for as `after`; null on the last page. */
  readonly next: string | null;
}

export interface CommitRequest {
  readonly conditions: readonly { readonly key: string; readonly modified: number }[];
  readonly operations: readonly (
    | { readonly do: "put"; readonly key: string; readonly value: string }
    | { readonly do: "delete"; readonly key: string }
  )[];
}

export interface CommitAnswer {
  readonly ok: boolean;
  readonly revision: number;
  readonly conflict?: string;
}

/**
 * One line of a watch. `heartbeat` tells that the stream lives and how far it is. `compacted` ends it: what changed since
 * `from` is not known any more.
 */
export type WatchLine =
  | {
      readonly kind: "changes";
      readonly revision: number;
      /** More of the same revision follows: only together they are a state that ever was. */
      readonly partial: boolean;
      readonly changes: readonly WatchChange[];
    }
  | { readonly kind: "heartbeat"; readonly revision: number }
  | { readonly kind: "compacted"; readonly revision: number };

export type WatchChange =
  (KnownEntry & { readonly kind: "put" }) | { readonly kind: "delete"; readonly key: string };

// ----------------------------------------------------------------------------- controller (port 7443, TLS)

export const controllerPaths = {
  /** GET without a client certificate: JoinRoot. The caller compares the root with the pin of its token. */
  root: "/v1/root",
  /** GET without a client certificate: the trusted roots as a SPIFFE bundle, for other trust domains. */
  bundle: "/.well-known/spiffe/bundle.json",
  /** POST without a client certificate: JoinNonce. */
  nonce: "/v1/join/nonce",
  /** POST JoinRequest without a client certificate: JoinAnswer. */
  join: "/v1/join",
  /** POST RenewRequest by a node: RenewAnswer. */
  renew: "/v1/renew",
  /** POST RenewRequest with a nonce signature, without a valid certificate: RenewAnswer (identity R3). */
  reattest: "/v1/reattest",
  /** POST SubscribeRequest by a node: stream of SnapshotLine; with `Upgrade: heddle-lines` it takes UpLine meanwhile. */
  snapshots: "/v1/snapshots",
  /** POST SnapshotReply by a node. */
  reply: "/v1/snapshots/reply",
  /** PUT string[] of all service keys that its apps use or ask for, by a node: UsesAnswer. */
  uses: "/v1/uses",
  /** PUT EjectedEndpoint[] of all that its proxy has taken out, by a node. */
  ejections: "/v1/ejections",
  /** PUT TrialReading[] of versions of policies that its proxy tries, by a node. */
  trials: "/v1/trials",
  /** POST SliceAsk by service key, by a node that has the services: RatesAnswer. */
  rates: "/v1/rates",
  /** POST BudgetsRequest by a node: BudgetGrants. */
  budgets: "/v1/budgets",
  /** GET: AuthorityAnswer; POST /rotate {force, now}: AuthorityAnswer after the next step. By an operator. */
  authority: "/v1/authority",
  /** POST IntermediateRequest by a node that may be part of the control plane, or by a controller: IntermediateAnswer. */
  intermediate: "/v1/authority/intermediate",
  /** POST PeerRatesRequest by a controller: RatesAnswer of the one that leads. */
  peerRates: "/v1/peers/rates",
  /** POST PeerBudgetsRequest by a controller: BudgetGrants of the one that leads. */
  peerBudgets: "/v1/peers/budgets",
  /** GET by a controller: stream of PeerLine, what is known here of machines that follow this controller. */
  peerNodes: "/v1/peers/nodes",
  /** POST PeerRelay by a controller. */
  peerRelay: "/v1/peers/relay",
  /** POST {address, port} by a node: ReachAnswer with the controller's clock. It connects to the machine's inbound port. */
  reach: "/v1/reach",
  /** GET by hash, by a node: the bundle's text. */
  policy: "/v1/policies/:hash",
  /** GET ?after=&limit=: DocumentsPage; POST ApplyRequest: ApplyAnswer; POST /remove RemoveRequest: ApplyAnswer. By an operator. */
  documents: "/v1/documents",
  /** GET by an operator: PoliciesAnswer. POST /steps PolicyStep: PolicyStepAnswer. */
  policies: "/v1/policies",
  /** POST { services, ttlMs } (services null: any): TokenAnswer; GET: TokensAnswer; POST /v1/tokens/:id/revoke. By an operator. */
  tokens: "/v1/tokens",
  /** GET ?after=&limit=: NodesPage; POST /v1/nodes/:name/allow {service}; POST /v1/nodes/:name/remove. By an operator. */
  nodes: "/v1/nodes",
  /**
   * GET: OperatorsAnswer; POST OperatorRequest with a role: OperatorAnswer; POST /:name/revoke: by an operator who is admin.
   * POST /renew OperatorRequest without a client certificate: OperatorAnswer.
   */
  operators: "/v1/operators",
  /** GET by an operator: ControlPlaceAnswer; PUT ControlPlace by an admin: the same, once every machine that follows was told. */
  controlPlace: "/v1/control-plane",
  /** POST AskRequest by an operator: stream of AskedLine. */
  ask: "/v1/ask",
  /** POST {machine: trace ids} by a node: those machines are to keep these traces too. */
  kept: "/v1/traces/kept",
  /** POST AskAnswer by a node. */
  answers: "/v1/answers",
  /** POST DrainRequest by an operator who is editor: DrainAnswer. */
  drains: "/v1/drains",
  /** GET ?after=&limit= by an operator: StatusPage. */
  status: "/v1/status",
  /** GET without a client certificate: HealthAnswer. */
  health: "/v1/health",
} as const;

export interface HealthAnswer {
  /** Whether it has seen what the registry holds. */
  readonly ok: boolean;
  readonly controllerMs: number;
}

export interface JoinRoot {
  readonly rootPem: string;
  readonly trustDomain: string;
  /** Absent from a controller of before. */
  readonly controllerMs?: number;
}

export interface JoinNonce {
  readonly nonce: string;
}

export interface JoinRequest {
  readonly token: string;
  readonly node: string;
  readonly nonce: string;
  /** Node key: SPKI, base64 DER, and its signature (ECDSA P-256, SHA-256, DER, base64) over `heddle-join:<nonce>:<node>`. */
  readonly publicKey: string;
  readonly signature: string;
  readonly services: readonly ServiceKeyProof[];
  /** Where the machine accepts mTLS; null address: the one this connection came from. */
  readonly address: string | null;
  readonly port: number;
}

/** A service whose certificate is wanted: its own new key with a signature over `heddle-svid:<nonce>:<service key>`. */
export interface ServiceKeyProof {
  readonly service: ServiceName;
  readonly publicKey: string;
  readonly signature: string;
}

export interface IssuedCertificate {
  /** Leaf first, then intermediates, without the root. */
  readonly chainPem: string;
  readonly notAfterMs: number;
}

export interface JoinAnswer {
  readonly trustDomain: string;
  readonly bundle: TrustBundle;
  readonly node: IssuedCertificate;
  readonly services: readonly (IssuedCertificate & { readonly service: ServiceName })[];
  /** Address that the controller saw, or was told. */
  readonly address: string;
  /** Where the registry may be, as preferred. An older controller says `registry` alone. */
  readonly registries?: readonly Address[];
  /** The first of them, for machines of an older version. */
  readonly registry: Address;
  /** Where the controller may be, as preferred. An older one does not say. */
  readonly controllers?: readonly Address[];
  /** Whether the controller could connect back to the machine's inbound port; null: nothing listened yet. */
  readonly reachable: ReachAnswer;
  readonly controllerMs: number;
}

export interface ReachAnswer {
  readonly ok: boolean;
  /** Why it was not reached; null when it was. */
  readonly cause: SocketError["kind"] | null;
  readonly detail: string;
}

export interface RenewRequest {
  readonly nonce: string;
  readonly node: string;
  readonly publicKey: string;
  readonly signature: string;
  readonly services: readonly ServiceKeyProof[];
}

export interface RenewAnswer {
  readonly bundle: TrustBundle;
  readonly node: IssuedCertificate;
  readonly services: readonly (IssuedCertificate & { readonly service: ServiceName })[];
  /** Services that were asked for and that the machine may not be: nothing was issued for them. */
  readonly refused: readonly ServiceName[];
  readonly controllerMs: number;
}

export interface TokenAnswer {
  /** `hd1.<id>.<secret>.<pin>`: shown once. */
  readonly token: string;
  readonly expiresMs: number;
  /** A whole command line. */
  readonly joinLine: string;
}

export interface TokensAnswer {
  readonly tokens: readonly TokenStatus[];
}

export interface TokenStatus {
  readonly id: string;
  readonly services: readonly ServiceName[] | null;
  readonly expiresMs: number;
  /** When and by which machine it was used; null: it may be used until it ends. */
  readonly used: { readonly atMs: number; readonly node: string; readonly address: string } | null;
}

export interface DrainRequest extends DrainPlace {
  /** False: it comes back. */
  readonly drained: boolean;
}

export interface DrainAnswer {
  readonly change: "changed" | "unchanged";
  /** Instances that it is about, by id, as they are registered now. */
  readonly instances: readonly string[];
}

export interface StatusAnswer {
  readonly trustDomain: string;
  readonly controllerMs: number;
  readonly revision: number;
  readonly nodes: readonly NodeStatus[];
  readonly instances: readonly Instance[];
  readonly services: readonly ServiceName[];
  readonly registry: { readonly ok: boolean; readonly detail: string };
}

export interface StatusPage extends StatusAnswer, PageAnswer {}

/** One page of all machines. */
export interface NodesPage extends PageAnswer {
  readonly nodes: readonly Node[];
}

export interface NodeStatus extends Omit<Node, "publicKey"> {
  readonly connected: boolean;
  readonly lastSeenMs: number;
  /** Wanted and acknowledged snapshot versions; error of the last nack. */
  readonly wanted: string;
  readonly acknowledged: string;
  readonly error: string | null;
  readonly certificates: readonly CertificateStatus[];
  /** What its proxy has taken out, as it stands now; absent from a controller of before. */
  readonly ejected?: readonly EjectedEndpoint[];
  /** Of the proxy there; absent until it said so. */
  readonly about?: ProxyAbout;
  /** An operator took the whole machine out; absent: none did. */
  readonly drained?: Drain;
}

/**
 * What the dashboard shows, as the controller tells it: read-only, for operators. `heddle dashboard` hands it to a browser; the
 * pages are in `src/dashboard`. Rates are requests a second, times are seconds, shares are 0 to 1.
 */
import type { TrafficEdge } from "../model/traffic_reading.ts";
import type { RuleView } from "../model/evidence.ts";
import type { CertificateStatus } from "./snapshot_messages.ts";

export const dashboardPaths = {
  /** POST by an operator: SessionAnswer. */
  sessions: "/v1/dashboard/sessions",
  /** GET by an operator: MeshView. */
  mesh: "/v1/dashboard/mesh",
  /** GET by an operator: ServiceView. */
  service: "/v1/dashboard/services/:key",
  /** GET by an operator: MachinesView. */
  machines: "/v1/dashboard/machines",
} as const;

/** What a browser asks of whoever serves it the pages. Each but the first with `authorization: Bearer TOKEN`. */
export const pagePaths = {
  /** POST {code}: PageSession. */
  session: "/api/session",
  mesh: "/api/mesh",
  services: "/api/services/",
  machines: "/api/machines",
  /** POST AskRequest: stream of AskedLine. */
  ask: "/api/ask",
} as const;

/** A way in for a browser on the controller's machine. */
export interface SessionAnswer {
  readonly host: string;
  readonly port: number;
  /** Works once. */
  readonly code: string;
}

export interface PageSession {
  readonly token: string;
}

export interface MeshView {
  readonly trustDomain: string;
  readonly nowMs: number;
  readonly revision: number;
  readonly registry: { readonly ok: boolean; readonly detail: string };
  /** What rates are an average over. */
  readonly windowMs: number;
  readonly services: readonly ServiceRow[];
  readonly edges: readonly EdgeRow[];
  readonly machines: {
    readonly all: number;
    readonly connected: number;
    /** Without the snapshot that they should have. */
    readonly behind: number;
    /** Connected, but they tell nothing of their traffic: their version is too old. */
    readonly silent: readonly string[];
  };
  /** Edges that are counted nowhere, because there are too many (trafficEdgesMax, trafficReadingEdgesMax). */
  readonly left: number;
}

export interface Golden {
  readonly rate: number;
  /** null: no request. */
  readonly success: number | null;
  /** null: no request, or longer than the last bucket says. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly bytesPerSecond: number;
  readonly tcpOpen: number;
}

export interface ServiceRow extends Golden {
  readonly key: string;
  /** No document declares it: only its traffic is known. */
  readonly declared: boolean;
  readonly protocol: string;
  readonly instances: number;
  /** Those that are to get requests. */
  readonly ready: number;
  /** Instances that one caller or more have taken out. */
  readonly ejected: number;
  /** `open`: no rule, everybody may call; `audit`: rules that refuse nobody; `enforced`. */
  readonly access: "open" | "audit" | "enforced";
  /** Requests a second over the last hour, a few points, oldest first. */
  readonly trend: readonly number[];
}

export interface EdgeRow extends Golden {
  /** "" when nobody proved to be a service. */
  readonly from: string;
  readonly to: string;
  /** Of the requests, over mutual TLS; the others stayed within their machine. null: no request. */
  readonly secure: number | null;
  readonly seenBy: TrafficEdge["direction"];
}

export interface ServiceView {
  readonly nowMs: number;
  readonly service: ServiceRow;
  readonly spiffeId: string;
  readonly port: number | null;
  readonly address: string | null;
  readonly history: History;
  readonly callers: readonly EdgeRow[];
  readonly callees: readonly EdgeRow[];
  readonly endpoints: readonly EndpointRow[];
  readonly routes: readonly RouteRow[];
  /** Of the service itself. */
  readonly policies: readonly PolicyRow[];
  readonly rules: readonly RuleView[];
  readonly otherwise: "allow" | "deny";
  readonly certificates: readonly (CertificateStatus & { readonly machine: string })[];
  readonly documents: readonly { readonly kind: string; readonly name: string; readonly text: string }[];
}

/** Points of one time after the other, the last one ends at `endMs` (wall clock). */
export interface History {
  readonly stepMs: number;
  readonly endMs: number;
  readonly rate: readonly (number | null)[];
  /** null: no request, or nothing was heard. */
  readonly success: readonly (number | null)[];
  readonly p50: readonly (number | null)[];
  readonly p95: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  readonly bytesPerSecond: readonly (number | null)[];
  readonly tcpOpen: readonly (number | null)[];
}

export interface EndpointRow {
  readonly id: string;
  readonly machine: string;
  readonly address: string;
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ready: boolean;
  /** An operator took it out. */
  readonly drained: boolean;
  /** Why it is not ready; "" while it is. */
  readonly problem: string;
  readonly ejectedBy: readonly {
    readonly machine: string;
    readonly reason: string;
    readonly probing: boolean;
    readonly probeInMs: number;
  }[];
}

export interface RouteRow {
  readonly name: string;
  readonly match: string;
  readonly backends: readonly {
    readonly to: string;
    readonly share: number;
    /** null: it is valid. */
    readonly invalid: string | null;
  }[];
  readonly policies: readonly string[];
  /** What it says of timeouts, retries and the like. */
  readonly settings: readonly string[];
}

export interface PolicyRow {
  readonly name: string;
  readonly version: string;
  readonly onError: string;
  readonly hooks: readonly string[];
  readonly options: string;
}

export interface MachinesView {
  readonly nowMs: number;
  readonly machines: readonly MachineRow[];
}

export interface MachineRow {
  readonly name: string;
  readonly address: string;
  readonly zone: string;
  readonly joinedMs: number;
  readonly connected: boolean;
  /** An operator took all of it out. */
  readonly drained: boolean;
  readonly lastSeenMs: number;
  /** Of heddle there; "" while it has not told. */
  readonly version: string;
  readonly wanted: string;
  readonly acknowledged: string;
  /** Why it refused its snapshot; null: it did not. */
  readonly error: string | null;
  readonly services: readonly string[];
  readonly instances: number;
  readonly ready: number;
  readonly certificates: readonly CertificateStatus[];
  /** Instances that its proxy has taken out. */
  readonly ejected: number;
  /** Processors that its proxy uses; null while it has not told. */
  readonly processors: number | null;
  readonly residentBytes: number | null;
}

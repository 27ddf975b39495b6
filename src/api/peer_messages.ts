/** What controllers and registries of one mesh say to each other, where there are several. */
import type { BudgetsRequest } from "../model/budget.ts";
import type { RateSlice, SliceAsk } from "../model/rate_slice.ts";
import type { Address } from "../base/socket_address.ts";
import type { EjectedEndpoint } from "../model/service.ts";
import type { AskAnswer } from "./questions.ts";
import type { CertificateStatus, ProxyAbout, SnapshotLine } from "./snapshot_messages.ts";

/** A controller wants to hold a name for a while, alone. */
export interface HoldRequest {
  readonly name: string;
  readonly value: string;
  readonly ttlMs: number;
}

export interface HoldAnswer {
  readonly held: boolean;
  /** Who holds it. */
  readonly holder: string;
  readonly value: string;
  /** Revision since which it is held: greater with each further holder. */
  readonly since: number;
}

/** A controller hands on what a machine that follows it asks for. */
export interface PeerRatesRequest {
  /** Since which revision it leads, as the asker knows. */
  readonly since: number;
  readonly node: string;
  readonly asks: Readonly<Record<string, SliceAsk>>;
}

export interface PeerBudgetsRequest extends BudgetsRequest {
  /** As in PeerRatesRequest. */
  readonly since: number;
  readonly node: string;
}

export interface PeerRatesAnswer {
  readonly slices: Readonly<Record<string, RateSlice>>;
}

/** What is known of a machine that follows another controller. */
export interface PeerNodeState {
  readonly connected: boolean;
  readonly lastSeenMs: number;
  readonly wanted: string;
  readonly acknowledged: string;
  readonly error: string | null;
  readonly certificates: readonly CertificateStatus[];
  readonly controllers: readonly Address[];
  readonly about: ProxyAbout | null;
  readonly uses: readonly string[];
  readonly ejected: readonly EjectedEndpoint[];
}

export type PeerLine =
  | { readonly kind: "heartbeat" }
  | { readonly kind: "node"; readonly node: string; readonly state: PeerNodeState };

/** A line for a machine that follows the controller that gets this; or what such a machine answered, for the one that asked. */
export type PeerRelay =
  | { readonly to: "machine"; readonly node: string; readonly line: SnapshotLine }
  | { readonly to: "asker"; readonly node: string; readonly answer: AskAnswer };

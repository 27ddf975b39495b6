/**
 * What the keeper of a proxy and its shards, the processes that carry traffic, say to each other. Each order is carried out before the
 * next one is read; what a shard has to say of one comes back with its number.
 */
import type { TlsCredential } from "../../../runtime/contract.ts";
import type { Question } from "../../api/questions.ts";
import type { MachineDocument } from "../../model/document.ts";
import type { BudgetAsks, BudgetGrants } from "../../model/budget.ts";
import type { RateSlice, SliceAsk } from "../../model/rate_slice.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { TrialReading } from "../../model/trial.ts";
import type { PolicyAnswer, PolicyCall } from "../../policy/policy_call.ts";
import type { VirtualPlace } from "../../proxy/listen/virtual_listeners.ts";
import type { FamilyReading } from "../../telemetry/metrics.ts";
import type { Settings } from "../settings.ts";

/** Certificates and keys of local services by their key, and what is trusted. */
export interface ShardCredentials {
  readonly services: Readonly<Record<string, { readonly notAfterMs: number; readonly tls: TlsCredential }>>;
  readonly rootsPem: readonly string[];
  /** What was revoked. */
  readonly denied: readonly string[];
}

/** A snapshot under the number that the keeper knows it by. */
export interface NumberedSnapshot {
  readonly number: number;
  readonly snapshot: Snapshot;
}

/** All that a shard begins with. The ports were handed over before. */
export interface Beginning {
  readonly kind: "begin";
  readonly settings: Settings;
  /** With the ports that took effect. */
  readonly machine: MachineDocument;
  readonly inbound: { readonly host: string; readonly port: number };
  readonly credentials: ShardCredentials;
  readonly inForce: NumberedSnapshot | null;
  readonly virtual: readonly VirtualPlace[];
  /** What this machine had of rates that the mesh shares, by service. */
  readonly firstSlices: Readonly<Record<string, number>>;
  readonly logSampleRatio: number | null;
  /** How many shards there are, and which of them this is, from 0. */
  readonly shards: number;
  readonly own: number;
}

/** A port whose descriptor was handed over just before. */
export interface PortMessage {
  readonly kind: "port";
  readonly host: string;
  readonly port: number;
}

/** A port that is given up; to be answered. */
export interface ShutMessage extends Omit<PortMessage, "kind"> {
  readonly kind: "shut";
  readonly number: number;
  /** The others let go of it first; until it is told again this one takes whatever connection comes, so that none is left waiting there. */
  readonly last: boolean;
}

export type ToShard =
  | Beginning
  | PortMessage
  | ShutMessage
  /** To build a state beside the one in force; then one of the two. */
  | ({ readonly kind: "prepare" } & NumberedSnapshot)
  | { readonly kind: "enforce" | "forget"; readonly number: number }
  /** `changed`: what shows or trusts the ones before takes nothing new. */
  | { readonly kind: "credentials"; readonly credentials: ShardCredentials; readonly changed: boolean }
  | { readonly kind: "machine"; readonly machine: MachineDocument }
  /** Where virtual listeners are to stand, and no others. */
  | { readonly kind: "virtual"; readonly places: readonly VirtualPlace[] }
  | {
      readonly kind: "slices";
      readonly slices: Readonly<Record<string, RateSlice>>;
      readonly askedMs: number;
    }
  | { readonly kind: "missing"; readonly keys: readonly string[] }
  | { readonly kind: "keep"; readonly traces: readonly string[] }
  | { readonly kind: "question"; readonly ask: number; readonly question: Question }
  | { readonly kind: "cancel"; readonly ask: number }
  | {
      readonly kind: "policy-answer";
      readonly call: number;
      readonly answer: PolicyAnswer;
      /** What the clock of the policy said. */
      readonly atMs?: number;
    }
  /** null: no controller answered. */
  | { readonly kind: "budgets"; readonly number: number; readonly grants: BudgetGrants | null }
  /** To report at once. */
  | { readonly kind: "gather"; readonly number: number }
  /** Whoever can be told to end is told. */
  | { readonly kind: "retire"; readonly softly: boolean }
  /** To say when what is open now is gone. */
  | { readonly kind: "when-gone"; readonly number: number }
  /** What is open is cut, what waits is written, and the process ends. */
  | { readonly kind: "end" };

/** A request as a policy is asked about it; fields as name, value, name, value …. */
export interface CallMessage extends Omit<PolicyCall, "fields" | "services"> {
  readonly fields: readonly string[];
}

export type FromShard =
  /** It carries traffic from now on. */
  | { readonly kind: "ready" }
  /** It has one more descriptor of those that were handed over. */
  | { readonly kind: "took" }
  /** `problem`: why it cannot go by that snapshot; null: it can. */
  | { readonly kind: "prepared"; readonly number: number; readonly problem: string | null }
  /** It has let go of a port, or is the last one there. */
  | { readonly kind: "shut"; readonly number: number }
  /** Whole lines for standard output (1) or standard error (2). */
  | { readonly kind: "lines"; readonly to: 1 | 2; readonly text: string }
  | Report
  /** The report that was asked for has gone before. */
  | { readonly kind: "gathered"; readonly number: number }
  /** The names that it wants now. */
  | { readonly kind: "ask"; readonly wanted: readonly string[] }
  | { readonly kind: "confirmed"; readonly key: string }
  /** Traces that other machines are to keep, by machine. */
  | { readonly kind: "kept"; readonly traces: Readonly<Record<string, readonly string[]>> }
  | { readonly kind: "line"; readonly ask: number; readonly line: unknown }
  | { readonly kind: "lost"; readonly ask: number; readonly count: number }
  | { readonly kind: "answered"; readonly ask: number; readonly problem: string | null }
  | {
      readonly kind: "policy-call";
      readonly call: number;
      readonly binding: BindingRef;
      readonly asked: CallMessage;
    }
  | { readonly kind: "policy-trip"; readonly hash: string; readonly reason: string }
  /** It asks for tokens of budgets. */
  | { readonly kind: "ask-budgets"; readonly number: number; readonly asks: BudgetAsks }
  | { readonly kind: "gone"; readonly number: number; readonly open: number };

/** Which binding of a snapshot that was handed over, as `bindingsIn` counts them. */
export interface BindingRef {
  readonly snapshot: number;
  readonly at: number;
}

/** What it counted, now and then. */
export interface Report {
  readonly kind: "report";
  readonly metrics: readonly FamilyReading[];
  /** What it wants of rates that the mesh shares, by service. */
  readonly asks: Readonly<Record<string, SliceAsk>>;
  readonly wanted: readonly string[];
  /** Bindings that streams under way will ask again. */
  readonly held: readonly BindingRef[];
  /** The level of priority below which it refuses requests, because its event loop is late. */
  readonly lowest: number;
  /** How versions of policies do that are tried. Absent: none is. */
  readonly trials?: readonly TrialReading[];
}

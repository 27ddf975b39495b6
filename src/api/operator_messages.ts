/** What operators and the controller say to each other of operators themselves, and of what is to go. */

import type { Address } from "../base/socket_address.ts";
import type { TrialReading } from "../model/trial.ts";
import type { ApiIssue } from "./messages.ts";

/** What an operator may do: look; change documents and policies too; everything. */
export type OperatorRole = "viewer" | "editor" | "admin";

export interface OperatorRequest {
  readonly name: string;
  readonly nonce: string;
  /** SPKI, base64 DER, and its signature over `heddle-operator:<nonce>:<name>`. */
  readonly publicKey: string;
  readonly signature: string;
}

export interface OperatorAnswer {
  readonly spiffeId: string;
  readonly chainPem: string;
  readonly notAfterMs: number;
  readonly rootsPem: readonly string[];
  /** Where the controller is, and may be. An older one does not tell. */
  readonly controllers?: readonly Address[];
}

export interface OperatorsAnswer {
  readonly operators: readonly {
    readonly name: string;
    readonly role: OperatorRole;
    readonly createdMs: number;
    /** When its last certificate ends. */
    readonly endsMs: number;
  }[];
}

/** Documents and policies that are to go. */
export interface RemoveRequest {
  readonly documents: readonly { readonly kind: string; readonly namespace: string; readonly name: string }[];
  readonly policies: readonly string[];
  readonly dryRun: boolean;
}

export interface PoliciesAnswer {
  readonly policies: readonly PolicyRow[];
}

export interface PolicyRow {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly onError: "open" | "closed";
  /** It comes with heddle. */
  readonly shipped: boolean;
  /** `HTTPRoute web`: documents that use it. */
  readonly usedBy: readonly string[];
  /** An operator had it left out; nobody asks it. */
  readonly disabled: boolean;
  /** The version that is tried beside it; null: none is. */
  readonly trial: PolicyTrial | null;
  /** The newest last. */
  readonly events: readonly PolicyEvent[];
  /** What `rollback` leads to where nothing is tried; null: nothing is kept. */
  readonly before: { readonly version: string; readonly hash: string } | null;
  /** All that are kept, the newest first. Absent: a controller of before. */
  readonly versions?: readonly PolicyVersion[];
}

/** A version of a policy that is kept. */
export interface PolicyVersion {
  readonly version: string;
  /** Of its bundle: SHA-256, in hexadecimal. */
  readonly hash: string;
  /** Version of the SDK that it is written against. */
  readonly api: number;
  /** The operator who handed it in last, and when. Absent: it is not remembered. */
  readonly by?: string;
  readonly atMs?: number;
  /** `before`: what `rollback` leads to. `share`: it is tried for a share of requests or machines. */
  readonly state: "in force" | "shadow" | "share" | "returned" | "rolled back" | "before" | "kept";
  /** Why it was returned. */
  readonly why?: string;
}

export interface PolicyTrial {
  readonly version: string;
  readonly hash: string;
  readonly mode: "shadow" | "percent";
  readonly percent: number;
  readonly by: "request" | "machine";
  readonly startedBy: string;
  readonly startedMs: number;
  /** Of all machines together; null: none told of it yet. */
  readonly reading: TrialReading | null;
}

export interface PolicyEvent {
  readonly atMs: number;
  /** The operator; `heddle` for what it did by itself. */
  readonly by: string;
  readonly what: string;
  readonly version: string;
  readonly hash: string;
  readonly detail: string;
}

/** One step in the life of a policy. */
export type PolicyStep =
  /** A version that is tried: the policies of these files, each beside the one of its name. */
  | {
      readonly do: "try";
      readonly policies: readonly { readonly file: string; readonly text: string }[];
      readonly mode: "shadow" | "percent";
      readonly percent: number;
      readonly by: "request" | "machine";
    }
  /** The one that is tried gets this share from now on; or another that is kept, whose hash begins so. */
  | {
      readonly do: "share";
      readonly name: string;
      readonly hash?: string;
      readonly percent: number;
      readonly by: "request" | "machine";
    }
  /** The one that is tried goes, and where none is tried the one before comes back; or that whose hash begins so. */
  | { readonly do: "rollback"; readonly name: string; readonly hash?: string }
  /** The one that is tried takes the place of the one in force. */
  | { readonly do: "promote" | "disable" | "enable"; readonly name: string };

export interface PolicyStepAnswer {
  /** What happened, one for each policy. */
  readonly events: readonly (PolicyEvent & { readonly name: string })[];
  readonly warnings: readonly ApiIssue[];
}

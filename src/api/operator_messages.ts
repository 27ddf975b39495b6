/** What operators and the controller say to each other of operators themselves, and of what is to go. */

import type { Address } from "../base/socket_address.ts";

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
  readonly policies: readonly {
    readonly name: string;
    readonly version: string;
    readonly hash: string;
    readonly onError: "open" | "closed";
    /** It comes with heddle. */
    readonly shipped: boolean;
    /** `HTTPRoute web`: documents that use it. */
    readonly usedBy: readonly string[];
  }[];
}

/** What operators and the controller say to each other about documents: those that stand, and what an apply changes. */
import type { ApiIssue, PageAnswer } from "./messages.ts";

export interface ApplyRequest {
  /** Files as the operator has them; the whole set is validated together with what stands. */
  readonly files: readonly { readonly file: string; readonly text: string }[];
  /** Policy sources that documents use: `policies/header_route.ts` and what it imports. */
  readonly policies: readonly { readonly file: string; readonly text: string }[];
  /** Delete standing documents that are not in `files`. */
  readonly prune: boolean;
  readonly dryRun: boolean;
  /** Refuse if a document that would be changed or deleted was changed after this revision. Absent: whatever stands is replaced. */
  readonly revision?: number;
}

/** How the snapshot of one machine differs. */
export interface MachineChange {
  readonly node: string;
  /** `calls to orders.default: routes orders/rule-0, instances` */
  readonly changes: readonly string[];
}

export interface ApplyAnswer {
  readonly revision: number;
  readonly changes: readonly {
    readonly kind: string;
    readonly name: string;
    readonly change: "created" | "changed" | "unchanged" | "deleted";
    /** Of the bundle of a policy that is handed in. */
    readonly hash?: string;
  }[];
  /** Proxies whose snapshot differs by it. */
  readonly proxies: readonly string[];
  /** The same with what differs. Absent: an older controller. */
  readonly machines?: readonly MachineChange[];
  readonly warnings: readonly ApiIssue[];
}

export interface DocumentsAnswer {
  readonly revision: number;
  readonly documents: readonly {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly text: string;
    readonly revision: number;
    /** The operator who applied it as it is, and when. Absent: an older controller did not keep it. */
    readonly by?: string;
    readonly atMs?: number;
  }[];
}

export interface DocumentsPage extends DocumentsAnswer, PageAnswer {}

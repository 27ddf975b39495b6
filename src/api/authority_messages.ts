/** What is said of the authority: to operators who rotate its root, and between controllers, each with an intermediate of its own. */
import type { SharedAuthority } from "../model/shared_authority.ts";
import type { ControlPlace } from "./snapshot_messages.ts";

export interface AuthorityAnswer {
  /** `added`: a new root is trusted beside the old one. `switched`: it signs, the old one is still trusted. */
  readonly phase: "none" | "added" | "switched";
  readonly roots: number;
  readonly sequence: number;
  /** Machines of the mesh, and those that may not trust every root yet. */
  readonly machines: number;
  readonly behind: readonly string[];
  /** While switched: machines whose certificates are still below the old root. */
  readonly notRenewed: readonly string[];
  /** While switched: when the last certificate below the old root ends. */
  readonly oldLeavesEndMs: number;
}

export interface IntermediateRequest {
  readonly nonce: string;
  /** Of the intermediate. */
  readonly publicKey: string;
  /** By that key over `heddle-intermediate:<nonce>:<machine>`. */
  readonly signature: string;
  /** Where the machine's controller and registry will be; null: as it is known. */
  readonly place: ControlPlace | null;
}

export interface IntermediateAnswer {
  readonly certificatePem: string;
  readonly authority: SharedAuthority;
  readonly leafMs: number;
  /** `etcd://…` where the registry keeps everything; null: a file of its machine. */
  readonly store: string | null;
  /** Of the whole control plane. */
  readonly place: ControlPlace;
}

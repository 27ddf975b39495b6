/** The authority as a controller keeps it on disk, keys included. */
import type { SharedAuthority } from "../model/shared_authority.ts";
import type { Signer } from "./certificates.ts";

/** As it lies on disk. */
export interface AuthorityState {
  readonly format: 1;
  readonly trustDomain: string;
  /** Rises with every change of the roots. */
  readonly sequence: number;
  /** All trusted roots, oldest first: one, or two while they rotate. Without the root's key `keyPem` is "". */
  readonly roots: readonly Signer[];
  /** Which root the intermediate was signed by. */
  readonly signingRoot: number;
  readonly intermediate: Signer;
  /** Until when leaves below the old root may live; 0: no root is on its way out. */
  readonly oldLeavesEndMs: number;
  /** When the new root began to sign; absent: none is on its way in. */
  readonly switchedMs?: number;
  /** Every certificate below the old root is to be renewed at once, not at half of its life. */
  readonly renewNow?: boolean;
  /** The longest life that a leaf was given. */
  readonly leafMsMax: number;
  /** Where the root's key is: by machine, the intermediate that its controller was given last. Absent: nobody was. */
  readonly others?: Readonly<Record<string, GivenIntermediate>>;
}

/** An intermediate of another controller. */
export interface GivenIntermediate {
  /** Pin of the root that signed it. */
  readonly rootPin: string;
  readonly issuedMs: number;
  readonly notAfterMs: number;
}

/** Of a controller that joins others: its intermediate was signed for it. */
export function joinedAuthority(shared: SharedAuthority, intermediate: Signer): AuthorityState {
  const { trustDomain, sequence, rootsPem, signingRoot, oldLeavesEndMs, switchedMs, renewNow } = shared;
  return {
    ...{ format: 1, trustDomain, sequence, signingRoot, oldLeavesEndMs, switchedMs, renewNow },
    roots: rootsPem.map((certificatePem) => ({ certificatePem, keyPem: "" })),
    intermediate,
    leafMsMax: 0,
  };
}

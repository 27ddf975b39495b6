/** What all controllers of a mesh must agree on of its authority, as the one with the root's key says it. */
export interface SharedAuthority {
  readonly trustDomain: string;
  /** Rises with every change of the roots. */
  readonly sequence: number;
  /** All trusted roots, oldest first. */
  readonly rootsPem: readonly string[];
  /** Which of them signs. */
  readonly signingRoot: number;
  /** Until when leaves below the old root may live; 0: no root is on its way out. */
  readonly oldLeavesEndMs: number;
  /** When the new root began to sign; 0: none is on its way in. */
  readonly switchedMs: number;
  /** Every certificate below the old root is to be renewed at once. */
  readonly renewNow: boolean;
}

export interface SignedAuthority {
  /** A `SharedAuthority` as JSON. */
  readonly text: string;
  /** Base64, of the root that signs. */
  readonly signature: string;
}

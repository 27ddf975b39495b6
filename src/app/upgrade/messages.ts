/**
 * What a mode and the process that takes over from it say to each other. The two may be of different versions: what one does not know
 * it passes over, and what stands here keeps its meaning.
 */

export type ToSuccessor =
  /** One more descriptor is there to be taken. */
  | { readonly kind: "socket" }
  /** All are there: it is to begin. `draining`: processes of earlier generations that still let what they have finish. */
  | { readonly kind: "begin"; readonly draining: readonly number[] }
  /** It is the service from now on. */
  | { readonly kind: "main" };

export type FromSuccessor =
  /** It runs, and can read the state. */
  | { readonly kind: "hello"; readonly pid: number; readonly version: string }
  /** It has taken a descriptor. */
  | { readonly kind: "took" }
  /** It serves. */
  | { readonly kind: "ready" }
  /** Another one has taken over from it: it may end, and nothing is lost with it. */
  | { readonly kind: "ceded" }
  /** It will not, and ends. */
  | { readonly kind: "failed"; readonly reason: string };

/** In the environment of a successor: the process from which it takes over. */
export const takesOverFrom = "HEDDLE_TAKES_OVER";

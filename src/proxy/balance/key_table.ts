/** A table that leads each key to an endpoint, the same on every proxy that knows the same endpoints. */
import type { Candidate } from "./candidate.ts";

/** What a table is made of. */
export type Placed = Pick<Candidate, "id" | "weight">;

export interface KeyTable {
  /** Index of the endpoint that is the key's at this step of its walk; step 0 is its own. */
  indexAt(key: number, step: number): number;
}

/** Lays out a table for at least one endpoint. What comes between two yields takes about a millisecond at most. */
export type LayOut = (endpoints: readonly Placed[]) => Generator<void, KeyTable>;

/** Endpoints that are looked at, or points that are hashed, in one piece. */
export const lookedAtOnce = 2_048;

/** What reads the documents of one mesh. */
import type { Origin } from "./origin.ts";
import type { Target } from "./target.ts";

export interface ConvertOptions {
  /** Of the identities that access rules name. */
  readonly trustDomain: string;
}

/** Reads all of a mesh's documents into the target. Those that it does not know it refuses. */
export type Dialect = (origins: readonly Origin[], target: Target, options: ConvertOptions) => void;

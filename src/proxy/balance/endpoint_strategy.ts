/** What a balancing strategy sees of endpoints and requests, and what it answers. */
import type { Candidates } from "./candidates.ts";
import type { Candidate } from "./candidate.ts";
import type { Prompt } from "./engine_load.ts";

/** What a request says about where it may go. */
export interface Choice<Endpoint> {
  /** Hash of the key by which it sticks to an endpoint (`src/base/hash.ts`); null when it has none. */
  readonly key: number | null;
  /** Endpoints that failed it already. */
  readonly tried: readonly Endpoint[];
  /** It may be sent again when it fails: it is the better probe of an endpoint that was ejected. */
  readonly repeatable: boolean;
  readonly nowMs: number;
  /** What it asks a language model; absent or null: nothing that is known. */
  readonly prompt?: Prompt | null;
}

export interface EndpointStrategy<Endpoint extends Candidate> {
  /** Picks will be of these, which do not change: what must be laid out for them begins now, not with the first request. */
  use(endpoints: readonly Endpoint[]): void;
  /**
   * One of the candidates; null when there is none. One that is ejected only when all are; one that was tried only when there is
   * no other that is well. Allocates nothing, and costs the same for ten candidates and ten thousand.
   */
  pick(candidates: Candidates<Endpoint>, choice: Choice<Endpoint>): Endpoint | null;
  /** Nobody picks by it any more: endpoints forget it. */
  close(): void;
}

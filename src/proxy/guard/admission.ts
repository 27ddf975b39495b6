/**
 * How many exchanges with one destination may be under way. Each client and each calling service has its share of them; beyond
 * it they wait in line for a while.
 */
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import type { WholeGroup } from "../../model/traffic.ts";
import { FairGate } from "../share/fair_gate.ts";

/** Waits to be let in. At most one of the two is called. */
export interface Entrant {
  admitted(): void;
  /** It waited too long. */
  overdue(): void;
}

type Bounds = WholeGroup<"limits">;

export type Admission = FairGate<Entrant>;

/** What is under way counts under that name in all event loops. */
export function createAdmission(shard: Shard, name: string): Admission {
  return new FairGate<Entrant>({
    shard,
    name,
    max: limits.requestsMax,
    admit: (entrant) => entrant.admitted(),
    overdue: (entrant) => entrant.overdue(),
  });
}

/** As a service says it of what is under way; `most` of it. Nobody who is in loses its place. */
export function boundAdmission(admission: Admission, most: number, { pending, pendingWaitMs }: Bounds): void {
  if (admission.max !== most) admission.resize(most);
  if (admission.pendingMax !== pending || admission.pendingMs !== pendingWaitMs)
    admission.resizeLine(pending, pendingWaitMs);
}

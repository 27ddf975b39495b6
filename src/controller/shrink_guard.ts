/**
 * A registry that lost what it held, or that reads another store than before, answers like one whose mesh was emptied on purpose. What it
 * shows in a new life is therefore compared with what is known: where much of it is gone, it is not obeyed. Machines and documents come
 * back when the registry is mended, or an operator says by starting the controller again that it is meant; instances register themselves
 * anew, so those are waited for as long as a lease lives.
 */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { registryKeys, type KnownEntry } from "../api/messages.ts";
import { limits } from "../model/limits.ts";

export type RegistryState = readonly [entries: ReadonlyMap<string, KnownEntry>, revision: number];

export interface ShrinkGuardOptions {
  readonly clock: Clock;
  /** Takes a state over. */
  readonly take: (...state: RegistryState) => void;
  readonly log: (text: string) => void;
}

interface Counts {
  readonly machines: number;
  readonly documents: number;
  readonly instances: number;
}

export class ShrinkGuard {
  /** Of the state that was taken over last; null: there was none. */
  #known: Counts | null = null;
  /** When a new life of the registry began that has not been believed yet. */
  #doubtedMs: number | null = null;
  #timer: Timer | null = null;
  #problem: string | null = null;

  constructor(readonly options: ShrinkGuardOptions) {}

  /** Why what the registry shows is not obeyed; null: it is. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Takes the state over, or holds it back. `anew`: of a new life of the registry. */
  look(entries: RegistryState[0], revision: number, anew: boolean): void {
    this.#timer?.cancel();
    const { clock, take } = this.options;
    if (anew) this.#doubtedMs = clock.now();
    const counts = countsOf(entries);
    const doubt = this.#doubtedMs === null ? null : this.#doubt(counts, clock.now() - this.#doubtedMs);
    this.#tell(doubt?.text ?? null);
    if (doubt === null) {
      this.#doubtedMs = null;
      this.#known = counts;
      return take(entries, revision);
    }
    if (doubt.leftMs === null) return;
    // They are the follower's, who goes on with them.
    const then = new Map(entries);
    this.#timer = clock.after(doubt.leftMs, () => this.look(then, revision, false), true);
  }

  close(): void {
    this.#timer?.cancel();
  }

  #tell(problem: string | null): void {
    if (problem !== null && this.#problem === null) this.options.log(problem);
    if (problem === null && this.#problem !== null)
      this.options.log("what the registry shows is obeyed again");
    this.#problem = problem;
  }

  /** null: it is to be believed. `leftMs`: until it will be; null: never. */
  #doubt(now: Counts, passedMs: number): { readonly text: string; readonly leftMs: number | null } | null {
    const known = this.#known;
    if (known === null) return null;
    for (const what of ["machines", "documents"] as const)
      if (hasShrunk(known[what], now[what]))
        return {
          text:
            `the registry was started again and shows ${now[what]} ${what}, of ${known[what]} that are known: that is not obeyed, ` +
            "and machines keep what they have; mend the registry, or start the controller again if it is meant",
          leftMs: null,
        };
    const leftMs = limits.leaseMs - passedMs;
    if (leftMs <= 0 || !hasShrunk(known.instances, now.instances)) return null;
    return {
      text: `the registry was started again and shows ${now.instances} instances, of ${known.instances} that are known: they may register themselves anew for ${limits.leaseMs / 1_000} s`,
      leftMs,
    };
  }
}

/** Nothing is left, or less than so much of it. */
function hasShrunk(before: number, now: number): boolean {
  return now < before && (now === 0 || now < before * limits.shrunkRatio);
}

function countsOf(entries: RegistryState[0]): Counts {
  const { nodes, documents, instances } = registryKeys;
  const counts = { machines: 0, documents: 0, instances: 0 };
  for (const key of entries.keys()) {
    if (key.startsWith(nodes)) counts.machines++;
    else if (key.startsWith(documents)) counts.documents++;
    else if (key.startsWith(instances)) counts.instances++;
  }
  return counts;
}

/** The latest changes of a store, oldest first, bounded in number and size: what watchers resume from. */
import { limits } from "../model/limits.ts";
import type { Change } from "./store.ts";

export class ChangeLog {
  #changes: Change[] = [];
  #characters = 0;

  /** `compacted`: changes up to this revision are forgotten. */
  constructor(
    public compacted: number,
    changes: readonly Change[] = [],
  ) {
    this.append(changes);
  }

  get length(): number {
    return this.#changes.length;
  }

  append(changes: readonly Change[]): void {
    for (const change of changes) {
      this.#changes.push(change);
      this.#characters += sizeOf(change);
    }
  }

  /** Takes back what was appended since it had this length. */
  truncate(length: number): void {
    for (const change of this.#changes.splice(length)) this.#characters -= sizeOf(change);
  }

  after(revision: number, prefix: string): Change[] {
    const found: Change[] = [];
    for (let at = this.#changes.length - 1; at >= 0; at--) {
      const change = this.#changes[at] as Change;
      if (change.revision <= revision) break;
      if (keyOf(change).startsWith(prefix)) found.push(change);
    }
    return found.reverse();
  }

  /**
   * Revision up to which changes should go; null while there is room. Whole revisions go, so that nobody who resumes sees
   * half of one, and some more than must, so that not every commit has to do it.
   */
  excess(): number | null {
    const { registryHistoryMax: countMax, registryHistoryCharactersMax: charactersMax } = limits;
    if (this.#changes.length <= countMax && this.#characters <= charactersMax) return null;
    let count = this.#changes.length;
    let characters = this.#characters;
    let last = this.compacted;
    for (const change of this.#changes) {
      if (count <= countMax * keptRatio && characters <= charactersMax * keptRatio) break;
      count--;
      characters -= sizeOf(change);
      last = change.revision;
    }
    return last;
  }

  forget(upTo: number): void {
    const first = this.#changes.findIndex((each) => each.revision > upTo);
    const gone = this.#changes.splice(0, first < 0 ? this.#changes.length : first);
    for (const change of gone) this.#characters -= sizeOf(change);
    this.compacted = upTo;
  }
}

const keptRatio = 0.9;

export function keyOf(change: Change): string {
  return change.kind === "put" ? change.entry.key : change.key;
}

/** In characters. */
export function sizeOf(change: Change): number {
  return change.kind === "put" ? change.entry.key.length + change.entry.value.length : change.key.length;
}

/** The reference store: everything in memory, nothing survives. For tests and `heddle dev`. */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { KeySpace, type Lease } from "./key_space.ts";
import { expireLeases, leaseCheckMs } from "./leases.ts";
import type { Change, CommitResult, Condition, Entry, Operation, Store, WatchStart } from "./store.ts";

export class MemoryStore implements Store {
  readonly #space = new KeySpace();
  #timer: Timer;

  constructor(readonly clock: Clock) {
    this.#timer = this.#plan();
  }

  revision(): number {
    return this.#space.revision;
  }

  range(prefix: string): { readonly entries: readonly Entry[]; readonly revision: number } {
    return { entries: this.#space.range(prefix), revision: this.#space.revision };
  }

  get(key: string): Entry | null {
    return this.#space.entries.get(key) ?? null;
  }

  async commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult> {
    const applied = this.#space.apply(conditions, operations);
    if (!applied.ok) return applied;
    this.#space.tell(applied.changes, applied.revision);
    return { ok: true, revision: applied.revision };
  }

  async lease(id: string, ttlMs: number): Promise<void> {
    const keys = this.#space.leases.get(id)?.keys ?? new Set<string>();
    const lease: Lease = { ttlMs, keys, deadlineMs: this.clock.now() + ttlMs };
    this.#space.leases.set(id, lease);
  }

  async revoke(id: string): Promise<void> {
    const lease = this.#space.leases.get(id);
    if (lease === undefined) return;
    const operations = [...lease.keys].map((key) => ({ do: "delete", key }) as const);
    this.#space.leases.delete(id);
    await this.commit([], operations);
  }

  watch(
    prefix: string,
    from: number,
    change: (changes: readonly Change[], revision: number) => void,
  ): WatchStart {
    return this.#space.watch(prefix, from, change);
  }

  close(): void {
    this.#timer.cancel();
  }

  #plan(): Timer {
    return this.clock.after(
      leaseCheckMs,
      () => {
        for (const id of expireLeases(this.#space, this.clock.now())) void this.revoke(id);
        this.#timer = this.#plan();
      },
      true,
    );
  }
}

/**
 * Looks for leases that have ended. A store that stood still itself (a paused machine, a stalled disk) heard no renewal
 * meanwhile, so it gives that time back to every lease: nobody vanishes because the registry was away.
 */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Lease } from "./key_space.ts";

export interface LeaseKeeperOptions {
  readonly clock: Clock;
  readonly leases: ReadonlyMap<string, Lease>;
  /** These have ended; whoever takes their keys away looks once more by `isOver`. */
  readonly ended: (ids: readonly string[]) => void;
}

export class LeaseKeeper {
  #dueMs = 0;
  #timer: Timer;

  constructor(readonly options: LeaseKeeperOptions) {
    this.#timer = this.#plan();
  }

  isOver(id: string): boolean {
    const lease = this.options.leases.get(id);
    return lease !== undefined && lease.deadlineMs <= this.options.clock.now();
  }

  close(): void {
    this.#timer.cancel();
  }

  #plan(): Timer {
    const { clock } = this.options;
    this.#dueMs = clock.now() + limits.leaseCheckMs;
    return clock.after(limits.leaseCheckMs, () => this.#check(), true);
  }

  #check(): void {
    const { clock, leases, ended } = this.options;
    const lateMs = clock.now() - this.#dueMs;
    if (lateMs > limits.leaseStallMs) for (const lease of leases.values()) lease.deadlineMs += lateMs;
    const over = [...leases.keys()].filter((id) => this.isOver(id));
    if (over.length > 0) ended(over);
    this.#timer = this.#plan();
  }
}

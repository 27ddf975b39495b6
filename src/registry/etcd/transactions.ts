/**
 * Transactions that etcd takes exactly once, though answers get lost: each writes a mark of its lane and holds only while the
 * mark of the one before stands. So a repeat finds out that the first attempt was taken, and one that comes late fails.
 */
import type { Clock } from "../../../runtime/contract.ts";
import { problemOf } from "../../base/result.ts";
import { limits } from "../../model/limits.ts";
import { StoreUnavailable, type Condition, type Operation } from "../store.ts";
import { EtcdLost, type Gateway } from "./gateway.ts";
import {
  decoded,
  encoded,
  revisionOf,
  type WireCompare,
  type WireEntry,
  type WireOperation,
  type WireTxn,
  type WireTxnAnswer,
} from "./gateway_messages.ts";
import type { KeyNames } from "./key_names.ts";

export interface TransactionsOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly names: KeyNames;
  /** No other process ever has it. */
  readonly writer: string;
  /** The lease that marks live on. */
  readonly lease: string;
}

export type Settled =
  | { readonly taken: true; readonly revision: number }
  /** Each key that was looked at, as it stands; null: it is absent. */
  | { readonly taken: false; readonly found: readonly (WireEntry | null)[] };

/** What holds before it, what it does, and what to look at when it does not hold. Names of etcd, not keys of the store. */
export interface Transaction {
  readonly compare: readonly WireCompare[];
  readonly success: readonly WireOperation[];
  readonly look: readonly string[];
}

interface Lane {
  readonly mark: string;
  /** Revision of its mark; 0: it has none. */
  revision: number;
}

export class Transactions {
  readonly #free: Lane[];
  readonly #waiting: ((lane: Lane) => void)[] = [];
  #count = 0;

  constructor(readonly options: TransactionsOptions) {
    const { names, writer } = options;
    this.#free = Array.from({ length: limits.etcdLanes }, (_, at) => ({
      mark: names.mark(writer, at),
      revision: 0,
    }));
  }

  /** Rejects with `StoreUnavailable` when it cannot be told, and with `EtcdRefusal`. */
  async run(transaction: Transaction): Promise<Settled> {
    const lane = this.#free.pop() ?? (await new Promise<Lane>((resolve) => this.#waiting.push(resolve)));
    try {
      return await this.#settle(lane, transaction);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(lane);
      else next(lane);
    }
  }

  async #settle(lane: Lane, { compare, success, look }: Transaction): Promise<Settled> {
    const { clock, lease, gateway } = this.options;
    const id = String(++this.#count);
    const untilMs = clock.now() + limits.etcdGiveUpMs;
    let unsure = false;
    for (;;) {
      const body: WireTxn = {
        compare: [...compare, modifiedIs(lane.mark, lane.revision)],
        success: [...success, putOf(lane.mark, id, lease)],
        failure: [lane.mark, ...look].map(rangeOf),
      };
      let answer: WireTxnAnswer;
      try {
        answer = (await gateway.call("/v3/kv/txn", body)) as WireTxnAnswer;
      } catch (error) {
        if (!(error instanceof EtcdLost)) throw unsure ? notKnown(problemOf(error)) : error;
        unsure = true;
        if (clock.now() > untilMs) throw notKnown(error.message);
        await pause(clock, limits.reconnectMs);
        continue;
      }
      if (answer.succeeded === true) {
        lane.revision = revisionOf(answer.header.revision);
        return { taken: true, revision: lane.revision };
      }
      const [mark, ...found] = foundIn(answer);
      const revision = revisionOf(mark?.mod_revision);
      if (mark != null && decoded(mark.value) === id) {
        lane.revision = revision;
        return { taken: true, revision };
      }
      if (revision === lane.revision) return { taken: false, found };
      // One that was given up was taken late; or the marks' lease is over, and with it goes what they would tell.
      if (mark == null && unsure) throw notKnown("its mark is gone");
      lane.revision = revision;
    }
  }
}

export function foundIn({ responses = [] }: WireTxnAnswer): (WireEntry | null)[] {
  return responses.map((each) => each.response_range?.kvs?.[0] ?? null);
}

export function modifiedIs(name: string, revision: number): WireCompare {
  return { target: "MOD", result: "EQUAL", key: encoded(name), mod_revision: String(revision) };
}

export function putOf(name: string, value: string, lease?: string): WireOperation {
  const put = { key: encoded(name), value: encoded(value) };
  return { request_put: lease === undefined ? put : { ...put, lease } };
}

export function deleteOf(name: string, end?: string): WireOperation {
  const key = encoded(name);
  return { request_delete_range: end === undefined ? { key } : { key, range_end: encoded(end) } };
}

export function rangeOf(name: string): WireOperation {
  return { request_range: { key: encoded(name) } };
}

export function conditionOf(names: KeyNames, { key, modified }: Condition): WireCompare {
  return modifiedIs(names.of(key), modified);
}

/** `leaseOf`: the number of a lease of the store. */
export function operationOf(
  names: KeyNames,
  operation: Operation,
  leaseOf: (id: string) => string,
): WireOperation {
  if (operation.do === "delete") return deleteOf(names.of(operation.key));
  const { key, value, lease } = operation;
  return putOf(names.of(key), value, lease === undefined ? undefined : leaseOf(lease));
}

export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}

function notKnown(why: string): StoreUnavailable {
  return new StoreUnavailable(`It is not known whether etcd took the change: ${why}`);
}

/**
 * A store that several registries have in common: etcd keeps everything, each registry holds a mirror of it and answers reads from
 * that. A commit resolves once etcd's members have it on disk and the mirror shows it. Reads of a mirror may be behind by as much as a
 * watch takes; `current` asks etcd itself.
 */
import type { Clock, Random } from "../../../runtime/contract.ts";
import { Backoff } from "../../base/backoff.ts";
import { problemOf } from "../../base/result.ts";
import { limits } from "../../model/limits.ts";
import {
  StoreUnavailable,
  type CommitResult,
  type Condition,
  type Entry,
  type Operation,
  type Reached,
  type Store,
  type Watching,
  type WatchStart,
} from "../store.ts";
import { Follow, loadAll, type Loaded } from "./follow.ts";
import { Gate } from "./gate.ts";
import { EtcdRefusal, Gateway, grpcNotFound, type GatewayOptions } from "./gateway.ts";
import { encoded, revisionOf, type WireEntry, type WireRange, decoded } from "./gateway_messages.ts";
import { keyNames, type KeyNames } from "./key_names.ts";
import { Leases } from "./leases.ts";
import { Mirror } from "./mirror.ts";
import { conditionOf, modifiedIs, operationOf, pause, Transactions, type Settled } from "./transactions.ts";

export interface EtcdStoreOptions extends GatewayOptions {
  readonly random: Pick<Random, "bytes" | "unit">;
  readonly clock: Clock;
  readonly prefix: string;
  /** etcd is away (why), or back (null): whoever reads should read elsewhere meanwhile. */
  readonly changed?: (problem: string | null) => void;
}

/** Tries until etcd answers. `waiting` hears why it does not. Null: it was told to stop. */
export async function openEtcdStore(
  options: EtcdStoreOptions,
  waiting: (problem: string) => void = () => {},
  stopped: () => boolean = () => false,
): Promise<EtcdStore | null> {
  const backoff = new Backoff({
    firstMs: limits.reconnectMs,
    maxMs: limits.etcdLookMs,
    unit: () => options.random.unit(),
  });
  while (!stopped()) {
    const parts = partsOf(options);
    try {
      await parts.leases.grant(parts.lease, limits.etcdMarksMs / 1_000);
      return new EtcdStore(options, parts, await loadAll(parts));
    } catch (error) {
      parts.gateway.close();
      waiting(problemOf(error));
      await pause(options.clock, backoff.nextMs());
    }
  }
  return null;
}

interface Parts {
  readonly gateway: Gateway;
  readonly names: KeyNames;
  readonly writer: string;
  readonly lease: string;
  readonly leases: Leases;
  readonly transactions: Transactions;
  readonly gate: Gate;
}

function partsOf({ clock, random, prefix, ...options }: EtcdStoreOptions): Parts {
  const gateway = new Gateway({ clock, ...options });
  const names = keyNames(prefix);
  const bytes = random.bytes(8);
  const writer = bytes.toHex();
  const lease = String((new DataView(bytes.slice().buffer).getBigUint64(0) >> 1n) | 1n);
  const transactions = new Transactions({ gateway, clock, names, writer, lease });
  const gate = new Gate({ gateway, clock, names, transactions, lease });
  return { gateway, names, writer, lease, leases: new Leases(gateway, prefix), transactions, gate };
}

export class EtcdStore implements Store {
  readonly #mirror: Mirror;
  readonly #follow: Follow;
  readonly #parts: Parts;
  readonly #cluster: string;
  #keptMs: number;
  #large = 0;
  #closed = false;

  constructor(
    readonly options: EtcdStoreOptions,
    parts: Parts,
    { entries, revision, cluster }: Loaded,
  ) {
    this.#parts = parts;
    this.#cluster = cluster;
    this.#mirror = new Mirror(entries, revision);
    this.#keptMs = options.clock.now();
    this.#follow = new Follow(this.#mirror, cluster, {
      ...parts,
      clock: options.clock,
      changed: (problem) => options.changed?.(problem),
    });
  }

  /** The same for every registry over it: revisions mean the same to all. */
  get epoch(): string {
    return `etcd-${this.#cluster}`;
  }

  problem(): string | null {
    return this.#follow.problem;
  }

  revision(): number {
    return this.#mirror.revision;
  }

  range(prefix: string): { readonly entries: readonly Entry[]; readonly revision: number } {
    return this.#mirror.range(prefix);
  }

  get(key: string): Entry | null {
    return this.#mirror.get(key);
  }

  async current(key: string): Promise<Entry | null> {
    const { gateway, names, gate } = this.#parts;
    return this.#telling(async () => {
      const seen = await gate.look();
      if (seen !== null) await gate.opened();
      const answer = (await gateway.call("/v3/kv/range", { key: encoded(names.of(key)) })) as WireRange;
      const [found] = answer.kvs ?? [];
      if (found === undefined) return null;
      return {
        key,
        value: decoded(found.value),
        created: revisionOf(found.create_revision),
        modified: revisionOf(found.mod_revision),
        lease: found.lease ?? null,
      };
    });
  }

  async reached(revision: number): Promise<Reached> {
    if (await this.#within(() => this.#mirror.revision >= revision)) return "here";
    const { gateway, names } = this.#parts;
    return this.#telling(async () => {
      const { header } = (await gateway.call("/v3/kv/range", { key: encoded(names.gate) })) as WireRange;
      return revisionOf(header?.revision) < revision ? "never" : "late";
    });
  }

  async commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult> {
    const { gate } = this.#parts;
    return this.#telling(async () => {
      await this.#keepMarks();
      for (let granted = false; ;) {
        const settled = await this.#settle(conditions, operations);
        if (settled === "no-lease" && granted) return this.#noLease(operations);
        if (settled === "no-lease") {
          // Its own may be the one that is gone, after a long sleep of its machine.
          await this.#grantMarks();
          granted = true;
          continue;
        }
        if (settled.taken) return this.#taken(settled.revision, operations);
        const found = settled.found.slice(0, -1);
        if (settled.found.at(-1) != null) await gate.opened();
        else return this.#conflict(conditions, found);
      }
    });
  }

  async lease(id: string, ttlMs: number): Promise<void> {
    await this.#telling(() =>
      this.#parts.leases.renew(id, ttlMs, this.#mirror, async (lease) => {
        await this.#within(() => this.#mirror.keysOn(lease) === 0);
      }),
    );
  }

  async revoke(id: string): Promise<void> {
    const { leases } = this.#parts;
    await this.#telling(async () => {
      const lease = leases.numberOf(id);
      await leases.revoke(lease);
      await this.#within(() => this.#mirror.keysOn(lease) === 0);
    });
  }

  watch(prefix: string, from: number, change: Watching): WatchStart {
    return this.#mirror.watch(prefix, from, change);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#follow.close();
    this.#mirror.endWatches();
    const { gateway, gate, leases, lease } = this.#parts;
    // It ends by itself later: until then another registry finishes what is half done.
    if (gate.isUnfinished) return gateway.close();
    void leases
      .revoke(lease)
      .catch(() => undefined)
      .finally(() => gateway.close());
  }

  async #settle(
    conditions: readonly Condition[],
    operations: readonly Operation[],
  ): Promise<Settled | "no-lease"> {
    const { gate, writer } = this.#parts;
    try {
      return gate.isLarge(conditions, operations)
        ? await gate.commit(conditions, operations, `${writer}-${++this.#large}`)
        : await this.#commitAtOnce(conditions, operations);
    } catch (error) {
      if (error instanceof EtcdRefusal && error.code === grpcNotFound) return "no-lease";
      throw error;
    }
  }

  #commitAtOnce(conditions: readonly Condition[], operations: readonly Operation[]): Promise<Settled> {
    const { names, transactions, leases } = this.#parts;
    const looked = conditions.map(({ key }) => names.of(key));
    return transactions.run({
      compare: [modifiedIs(names.gate, 0), ...conditions.map((each) => conditionOf(names, each))],
      success: operations.map((each) => operationOf(names, each, (id) => leases.numberOf(id))),
      look: [...looked, names.gate],
    });
  }

  async #taken(revision: number, operations: readonly Operation[]): Promise<CommitResult> {
    const isGone = operations.every((each) => each.do === "delete");
    await this.#within(
      () =>
        (this.#mirror.revision >= revision && !this.#mirror.isHeld) ||
        (isGone && operations.every(({ key }) => this.#mirror.get(key) === null)),
    );
    return { ok: true, revision: this.#mirror.revision };
  }

  async #conflict(
    conditions: readonly Condition[],
    found: readonly (WireEntry | null)[],
  ): Promise<CommitResult> {
    const at = conditions.findIndex(
      ({ modified }, index) => revisionOf(found[index]?.mod_revision) !== modified,
    );
    const key = conditions[Math.max(at, 0)]?.key ?? "";
    const modified = revisionOf(found[at]?.mod_revision);
    // Whoever reads again and tries again shall see what was in the way.
    await this.#within(() => (this.#mirror.get(key)?.modified ?? 0) >= modified);
    return { ok: false, reason: "conflict", key, revision: this.#mirror.revision };
  }

  #noLease(operations: readonly Operation[]): CommitResult {
    const key = operations.find((each) => each.do === "put" && each.lease !== undefined)?.key ?? "";
    return { ok: false, reason: "no-lease", key, revision: this.#mirror.revision };
  }

  /** Waits for the mirror, for a while. */
  #within(holds: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.options.clock.after(limits.etcdGiveUpMs, () => resolve(holds()), true);
      void this.#mirror.until(holds).then(() => {
        timer.cancel();
        resolve(true);
      });
    });
  }

  async #telling<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreUnavailable("The registry's store is closed");
    const problem = this.problem();
    if (problem !== null) throw new StoreUnavailable(problem);
    try {
      return await work();
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof RangeError) throw error;
      throw new StoreUnavailable(problemOf(error), { cause: error });
    }
  }

  /** Their lease is long, and renewed by commits alone: who commits nothing needs none. */
  async #keepMarks(): Promise<void> {
    const nowMs = this.options.clock.now();
    if (nowMs - this.#keptMs < limits.etcdMarksMs / 24) return;
    this.#keptMs = nowMs;
    await this.#grantMarks();
  }

  async #grantMarks(): Promise<void> {
    await this.#parts.leases.grant(this.#parts.lease, limits.etcdMarksMs / 1_000);
  }
}

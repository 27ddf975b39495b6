/**
 * Commits of more than one transaction of etcd takes, all or nothing all the same. Its pieces are put aside; then the gate is
 * shut under the conditions of the commit, which is when it counts; then the pieces are done one by one, by whoever sees the gate,
 * and with the last one it opens. While it is shut nobody else commits, and no reader is told of a part.
 */
import type { Clock } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import { StoreUnavailable, type Condition, type Operation } from "../store.ts";
import { EtcdLost, type Gateway } from "./gateway.ts";
import {
  decoded,
  encoded,
  revisionOf,
  type WireEntry,
  type WireOperation,
  type WireRange,
  type WireTxn,
  type WireTxnAnswer,
} from "./gateway_messages.ts";
import type { KeyNames } from "./key_names.ts";
import {
  conditionOf,
  deleteOf,
  foundIn,
  modifiedIs,
  operationOf,
  pause,
  putOf,
  rangeOf,
  type Settled,
  type Transactions,
} from "./transactions.ts";

export interface GateOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly names: KeyNames;
  readonly transactions: Transactions;
  /** Of pieces that nobody ever needs. */
  readonly lease: string;
}

/** What stands at the gate while it is shut. */
interface Shut {
  readonly commit: string;
  readonly pieces: number;
  /** How many are done; null: further conditions are being looked at, and nothing counts yet. */
  readonly done: number | null;
}

/** The gate as it was read. */
export interface GateSeen {
  readonly shut: Shut;
  readonly revision: number;
}

export class Gate {
  /** Commits that were begun here and are not known to be over. */
  #begun = 0;

  constructor(readonly options: GateOptions) {}

  /** Whether others may have to finish what was begun here: the lease that its pieces live on must stay. */
  get isUnfinished(): boolean {
    return this.#begun > 0;
  }

  /** Whether a commit is too much for one transaction. */
  isLarge(conditions: readonly Condition[], operations: readonly Operation[]): boolean {
    return conditions.length > limits.etcdOperationsMax - reserved || piecesOf(operations).length > 1;
  }

  /** Commits it. Not taken: what was found of the conditions' keys, then of the gate. */
  async commit(
    conditions: readonly Condition[],
    operations: readonly Operation[],
    commit: string,
  ): Promise<Settled> {
    for (const each of operations) if (each.do === "put" && each.lease !== undefined) noLease(each.lease);
    this.#begun++;
    const settled = await this.#commit(conditions, operations, commit);
    this.#begun--;
    return settled;
  }

  async #commit(
    conditions: readonly Condition[],
    operations: readonly Operation[],
    commit: string,
  ): Promise<Settled> {
    const { names, transactions } = this.options;
    const pieces = piecesOf(operations);
    await this.#putAside(commit, pieces);
    const first = conditions.slice(0, limits.etcdOperationsMax - reserved);
    const more = conditions.slice(first.length);
    const shut: Shut = { commit, pieces: pieces.length, done: more.length > 0 ? null : 0 };
    const settled = await transactions.run({
      compare: [modifiedIs(names.gate, 0), ...first.map((each) => conditionOf(names, each))],
      success: [putOf(names.gate, JSON.stringify(shut))],
      look: [...first.map((each) => names.of(each.key)), names.gate],
    });
    if (!settled.taken) {
      await this.#drop(commit);
      return settled;
    }
    const begun: GateSeen = { shut, revision: settled.revision };
    const { seen, found = more.map(expectedOf) } =
      shut.done === null ? await this.#countIf(more, begun) : { seen: begun };
    if (seen === null) return { taken: false, found: [...first.map(expectedOf), ...found, null] };
    await this.finish(seen);
    return settled;
  }

  /** Counts the commit where its further conditions hold. */
  async #countIf(conditions: readonly Condition[], begun: GateSeen): Promise<Counted> {
    const found = await this.#check(conditions);
    if (found !== null) {
      await this.#open(begun);
      return { seen: null, found };
    }
    const { names, transactions } = this.options;
    const shut: Shut = { ...begun.shut, done: 0 };
    const settled = await transactions.run({
      compare: [modifiedIs(names.gate, begun.revision)],
      success: [putOf(names.gate, JSON.stringify(shut))],
      look: [],
    });
    return { seen: settled.taken ? { shut, revision: settled.revision } : null };
  }

  /** null: it is open. */
  async look(): Promise<GateSeen | null> {
    const { gateway, names } = this.options;
    const answer = (await gateway.call("/v3/kv/range", { key: encoded(names.gate) })) as WireRange;
    return seenOf(answer.kvs?.[0] ?? null);
  }

  /** Resolves once it was seen open; what nobody goes on with is finished here. */
  async opened(): Promise<void> {
    const { clock } = this.options;
    let last = await this.#lookOrLater();
    let sinceMs = clock.now();
    while (last !== null) {
      await pause(clock, limits.reconnectMs);
      const now = await this.#lookOrLater();
      if (now?.revision !== last.revision) sinceMs = clock.now();
      else if (clock.now() - sinceMs > limits.etcdGateStaleMs) await this.finish(now);
      last = now;
    }
  }

  /** Does what is left of it, beside others who may do the same. */
  async finish(begun: GateSeen): Promise<void> {
    const { names, gateway } = this.options;
    let seen: GateSeen | null = begun;
    let missing = 0;
    while (seen !== null && seen.shut.commit === begun.shut.commit) {
      const { commit, pieces, done } = seen.shut;
      if (done === null || done >= pieces) {
        seen = await this.#open(seen);
        continue;
      }
      const key = encoded(names.piece(commit, done));
      const answer = (await this.#again(() => gateway.call("/v3/kv/range", { key }))) as WireRange;
      const value = answer.kvs?.[0]?.value;
      if (value === undefined) {
        // Somebody else has gone on with it meanwhile, or else nobody ever can.
        if (missing === seen.revision) throw new StoreUnavailable(lostPiece(names, commit, done));
        missing = seen.revision;
        seen = await this.#lookOrLater();
        continue;
      }
      const operations = (JSON.parse(decoded(value)) as Operation[]).map((each) =>
        operationOf(names, each, noLease),
      );
      seen = await this.#step(seen, operations, { ...seen.shut, done: done + 1 });
    }
  }

  /** The next state of the gate; or as others left it. */
  #step(seen: GateSeen, operations: readonly WireOperation[], next: Shut): Promise<GateSeen | null> {
    const { names } = this.options;
    return this.#change(seen, [...operations, putOf(names.gate, JSON.stringify(next))], next);
  }

  #open(seen: GateSeen): Promise<GateSeen | null> {
    const { names } = this.options;
    const { first, end } = names.pieces(seen.shut.commit);
    return this.#change(seen, [deleteOf(names.gate), deleteOf(first, end)], null);
  }

  async #change(
    seen: GateSeen,
    success: readonly WireOperation[],
    next: Shut | null,
  ): Promise<GateSeen | null> {
    const { gateway, names } = this.options;
    const body: WireTxn = {
      compare: [modifiedIs(names.gate, seen.revision)],
      success,
      failure: [rangeOf(names.gate)],
    };
    const answer = (await this.#again(() => gateway.call("/v3/kv/txn", body))) as WireTxnAnswer;
    if (answer.succeeded === true)
      return next === null ? null : { shut: next, revision: revisionOf(answer.header.revision) };
    return seenOf(foundIn(answer)[0] ?? null);
  }

  async #putAside(commit: string, pieces: readonly (readonly Operation[])[]): Promise<void> {
    const { gateway, names, lease } = this.options;
    for (const [at, piece] of pieces.entries()) {
      const key = encoded(names.piece(commit, at));
      const value = encoded(JSON.stringify(piece));
      await this.#again(() => gateway.call("/v3/kv/put", { key, value, lease }));
    }
  }

  async #drop(commit: string): Promise<void> {
    const { gateway, names } = this.options;
    const { first, end } = names.pieces(commit);
    const range = { key: encoded(first), range_end: encoded(end) };
    await gateway.call("/v3/kv/deleterange", range).catch(() => undefined);
  }

  /** null: all of them hold. Otherwise what was found of each, as far as it was looked at. */
  async #check(conditions: readonly Condition[]): Promise<readonly (WireEntry | null)[] | null> {
    const { gateway, names } = this.options;
    for (let at = 0; at < conditions.length; at += limits.etcdOperationsMax) {
      const some = conditions.slice(at, at + limits.etcdOperationsMax);
      const body: WireTxn = {
        compare: some.map((each) => conditionOf(names, each)),
        failure: some.map(({ key }) => rangeOf(names.of(key))),
      };
      const answer = (await this.#again(() => gateway.call("/v3/kv/txn", body))) as WireTxnAnswer;
      if (answer.succeeded === true) continue;
      const rest = conditions.slice(at + some.length);
      return [...conditions.slice(0, at).map(expectedOf), ...foundIn(answer), ...rest.map(expectedOf)];
    }
    return null;
  }

  #lookOrLater(): Promise<GateSeen | null> {
    return this.#again(() => this.look());
  }

  /** Of what may be repeated: until etcd answers, or for as long as a commit may take. */
  async #again<T>(work: () => Promise<T>): Promise<T> {
    const { clock } = this.options;
    const untilMs = clock.now() + limits.etcdGiveUpMs;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof EtcdLost) || clock.now() > untilMs) throw error;
        await pause(clock, limits.reconnectMs);
      }
    }
  }
}

interface Counted {
  /** The gate with which it counts. null: it does not, and nothing was done. */
  readonly seen: GateSeen | null;
  /** What stands at the keys of the conditions, where one does not hold. Absent: looking took so long that others opened the gate. */
  readonly found?: readonly (WireEntry | null)[];
}

/** As if the condition held: of what was not looked at. */
function expectedOf({ key, modified }: Condition): WireEntry | null {
  return modified === 0 ? null : { key: encoded(key), mod_revision: String(modified) };
}

/** Comparisons and looks of a transaction that are not those of the commit. */
const reserved = 4;

function seenOf(entry: WireEntry | null): GateSeen | null {
  if (entry === null) return null;
  return { shut: JSON.parse(decoded(entry.value)) as Shut, revision: revisionOf(entry.mod_revision) };
}

/** Each small enough for one transaction. */
function piecesOf(operations: readonly Operation[]): (readonly Operation[])[] {
  const pieces: Operation[][] = [];
  let characters = 0;
  for (const operation of operations) {
    const size = operation.key.length + (operation.do === "put" ? operation.value.length : 0);
    const last = pieces.at(-1);
    const fits =
      last !== undefined &&
      last.length < limits.etcdOperationsMax - reserved &&
      characters + size <= limits.etcdTransactionCharactersMax;
    characters = fits ? characters + size : size;
    if (fits) last.push(operation);
    else pieces.push([operation]);
  }
  return pieces;
}

function lostPiece(names: KeyNames, commit: string, done: number): string {
  return `A large commit cannot be finished: its piece ${names.piece(commit, done)} is gone from etcd, and ${names.gate} stands`;
}

/** Leases end by themselves, and a commit whose lease had ended could never be finished. */
function noLease(id: string): never {
  throw new RangeError(`Cannot put a key on the lease ${id}: not in a commit of several transactions`);
}

/**
 * Keeps a mirror current: by a watch, which resumes where it ended, and by a look once a second, since a watch alone is not to be
 * trusted. What etcd has forgotten, or what a look finds missing, is read again whole.
 */
import type { Clock, Timer } from "../../../runtime/contract.ts";
import { problemOf } from "../../base/result.ts";
import { addressText, type Address } from "../../base/socket_address.ts";
import { limits } from "../../model/limits.ts";
import type { Entry } from "../store.ts";
import type { Gate } from "./gate.ts";
import type { Gateway, GatewayStream } from "./gateway.ts";
import {
  decoded,
  encoded,
  revisionOf,
  type WireEntry,
  type WireRange,
  type WireWatch,
} from "./gateway_messages.ts";
import type { KeyNames } from "./key_names.ts";
import { Mirror, type MirrorEvent } from "./mirror.ts";

export interface FollowOptions {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly names: KeyNames;
  readonly gate: Gate;
  /** Something is wrong from now on (a sentence), or nothing is any more (null). */
  readonly changed: (problem: string | null) => void;
}

export interface Loaded {
  readonly entries: readonly Entry[];
  readonly revision: number;
  /** Which cluster it is. */
  readonly cluster: string;
}

/** Everything of the store at one revision, with no large commit half done. */
export async function loadAll({
  gateway,
  names,
  gate,
}: Pick<FollowOptions, "gateway" | "names" | "gate">): Promise<Loaded> {
  for (;;) {
    const { first, end } = names.watched;
    const found: WireEntry[] = [];
    let header: WireRange["header"];
    for (let from = first, more = true; more;) {
      const page = (await gateway.call("/v3/kv/range", {
        key: encoded(from),
        range_end: encoded(end),
        limit: String(limits.etcdPageRowsMax),
        ...(header === undefined ? {} : { revision: header.revision }),
      })) as WireRange;
      header ??= page.header;
      found.push(...(page.kvs ?? []));
      more = page.more === true;
      from = `${decoded(found.at(-1)?.key)}\0`;
    }
    const isShut = found.some(({ key }) => decoded(key) === names.gate);
    if (isShut) await gate.opened();
    else {
      const entries = found.flatMap((each) => entryOf(names, each) ?? []);
      return { entries, revision: revisionOf(header?.revision), cluster: header?.cluster_id ?? "" };
    }
  }
}

export class Follow {
  #stream: GatewayStream | null = null;
  #watched: Address | null = null;
  #timer: Timer;
  #closed = false;
  #heardMs: number;
  #problem: string | null = null;
  /** What cannot mend itself: it stands until the registry is started again. */
  #wrong: string | null = null;
  #lost = "";
  #astray = 0;
  #reading = false;
  #gateSinceMs: number | null = null;

  constructor(
    readonly mirror: Mirror,
    readonly cluster: string,
    readonly options: FollowOptions,
  ) {
    this.#heardMs = options.clock.now();
    this.#watch();
    this.#timer = this.#plan();
  }

  get problem(): string | null {
    return this.#problem;
  }

  close(): void {
    this.#closed = true;
    this.#timer.cancel();
    this.#stream?.close();
  }

  #plan(): Timer {
    return this.options.clock.after(limits.etcdLookMs, () => void this.#look(), true);
  }

  #watch(): void {
    const { gateway, names } = this.options;
    this.#stream?.close();
    this.#watched = gateway.member;
    const request = {
      key: encoded(names.watched.first),
      range_end: encoded(names.watched.end),
      start_revision: String(this.mirror.heard + 1),
    };
    const stream = gateway.stream(
      "/v3/watch",
      { create_request: request },
      {
        line: (message) => {
          const { result, error } = message as {
            readonly result?: WireWatch;
            readonly error?: { readonly message?: string };
          };
          if (this.#stream !== stream || this.#closed) return;
          if (result === undefined) return this.#watchEnded(error?.message ?? "it said something else");
          if (result.compact_revision !== undefined) return void this.#readAgain();
          if (result.canceled === true) return this.#watchEnded(result.cancel_reason ?? "it ended the watch");
          this.#take(result);
        },
        ended: (problem) => {
          if (this.#stream === stream) this.#watchEnded(problem);
        },
      },
    );
    this.#stream = stream;
  }

  #watchEnded(problem: string): void {
    this.#stream?.close();
    this.#stream = null;
    this.#lost = problem;
  }

  #take({ events = [] }: WireWatch): void {
    const { names } = this.options;
    for (let at = 0; at < events.length;) {
      const revision = revisionOf(events[at]?.kv.mod_revision);
      const some: MirrorEvent[] = [];
      let gate: "shut" | "open" | null = null;
      for (; at < events.length && revisionOf(events[at]?.kv.mod_revision) === revision; at++) {
        const { type, kv } = events[at] as NonNullable<(typeof events)[number]>;
        const name = decoded(kv.key);
        if (name === names.gate) gate = type === "DELETE" ? "open" : "shut";
        const key = names.read(name);
        if (key === null) continue;
        const entry = type === "DELETE" ? null : entryOf(names, kv);
        some.push(entry === null ? { kind: "delete", key, revision } : { kind: "put", entry });
      }
      if (revision <= this.mirror.heard) continue;
      if (gate === "shut") this.mirror.hold();
      this.mirror.take(some, revision);
      if (gate === "open") this.mirror.release(revision);
    }
  }

  async #look(): Promise<void> {
    const { gateway, names, clock } = this.options;
    const { first, end } = names.watched;
    try {
      const { heard, size, isHeld } = this.mirror;
      const range = { key: encoded(first), range_end: encoded(end), count_only: true };
      const answer = (await gateway.call("/v3/kv/range", range)) as WireRange;
      this.#heardMs = clock.now();
      this.#compare(answer, heard);
      const same = heard === this.mirror.heard && !isHeld && Number(answer.count ?? 0) !== size;
      this.#astray = same ? this.#astray + 1 : 0;
      if (this.#astray >= limits.etcdLooksAstray) await this.#readAgain();
      this.#tendGate();
    } catch (error) {
      this.#lost = problemOf(error);
    }
    if (this.#closed) return;
    if (this.#stream === null || this.#watched !== gateway.member) this.#watch();
    this.#tell();
    this.#timer = this.#plan();
  }

  /** Another cluster, or one that was put back to what it was, would take everything back: nobody is told of that. */
  #compare({ header }: WireRange, heard: number): void {
    const at = addressText(this.options.gateway.member);
    if (header?.cluster_id !== this.cluster)
      this.#wrong = `etcd at ${at} is another cluster than before: start the registry again if that is meant`;
    else if (revisionOf(header?.revision) < heard)
      this.#wrong = `etcd at ${at} is at revision ${header?.revision}, and ${heard} was known: start the registry again if it was restored`;
  }

  #tendGate(): void {
    const { clock, gate } = this.options;
    if (!this.mirror.isHeld) {
      this.#gateSinceMs = null;
      return;
    }
    this.#gateSinceMs ??= clock.now();
    if (clock.now() - this.#gateSinceMs < limits.etcdGateStaleMs) return;
    this.#gateSinceMs = clock.now();
    gate.opened().catch(() => undefined);
  }

  async #readAgain(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    this.#stream?.close();
    this.#stream = null;
    try {
      const { entries, revision, cluster } = await loadAll(this.options);
      const isOlder = revision < this.mirror.heard || cluster !== this.cluster;
      if (!isOlder && !this.#closed) {
        this.mirror.replace(entries, revision);
        this.#astray = 0;
        this.#watch();
      }
    } catch (error) {
      this.#lost = problemOf(error);
    } finally {
      this.#reading = false;
    }
  }

  #tell(): void {
    const silentMs = this.options.clock.now() - this.#heardMs;
    const silent = silentMs > limits.etcdSilentMs ? `etcd does not answer: ${this.#lost}` : null;
    const problem = this.#wrong ?? silent;
    const changed = (problem === null) !== (this.#problem === null);
    this.#problem = problem;
    if (changed) this.options.changed(problem);
  }
}

function entryOf(
  names: KeyNames,
  { key, value, create_revision, mod_revision, lease }: WireEntry,
): Entry | null {
  const own = names.read(decoded(key));
  if (own === null) return null;
  return {
    key: own,
    value: decoded(value),
    created: revisionOf(create_revision),
    modified: revisionOf(mod_revision),
    lease: lease ?? null,
  };
}

/**
 * The shards of a proxy: as many processes as it is to have event loops, each in place of one that ended. What all of them are told, and
 * what all of them answer.
 */
import type { Runtime, SharedMemory, Timer } from "../../../runtime/contract.ts";
import { problemOf } from "../../base/result.ts";
import { limits } from "../../model/limits.ts";
import type { Drained } from "../../proxy/drain/drained.ts";
import { ShardMemory, shardMemoryBytes } from "../../shards/shard_memory.ts";
import type { StandingPort } from "../../shards/bound_ports.ts";
import type { SharedRegion } from "../../shards/shared_region.ts";
import { families } from "../../telemetry/families.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { every } from "../chores.ts";
import type { FromShard, ToShard } from "./messages.ts";
import { ShardProcess } from "./shard_process.ts";

export interface ShardsOptions {
  readonly runtime: Pick<Runtime, "process" | "clock">;
  readonly count: number;
  readonly metrics: Metrics;
  /** What all of them together may take of the machine's memory: beyond it the largest is ended. */
  readonly memoryBytesMax: number;
  /** Tells one that has just started all that it is to know. */
  readonly begin: (shard: ShardProcess) => void;
  readonly message: (shard: ShardProcess, message: FromShard) => void;
  readonly ended: (shard: ShardProcess) => void;
  readonly log: (text: string) => void;
}

export class Shards implements Drained {
  /** Numbers that all of them have in common, for their keeper. */
  readonly region: SharedRegion;
  readonly #memory: SharedMemory;
  readonly #gate: ShardMemory;
  readonly #running = new Map<number, ShardProcess>();
  /** What is not answered yet, by kind and number: those that have not, and what is called when all have or are gone. */
  readonly #waiting = new Map<string, Waiting>();
  /** What those counted that are gone. */
  #past = new Metrics();
  #restartMs: number = limits.shardRestartMs;
  readonly #restarts = new Set<Timer>();
  #looking: { close(): void } | null = null;
  #numbers = 0;
  /** The number of the last word that was asked for of what is open. */
  #awaited = 0;
  #open = 0;
  #ends = false;

  constructor(readonly options: ShardsOptions) {
    const { runtime, count, metrics } = options;
    this.#memory = runtime.process.shareMemory(shardMemoryBytes());
    this.#gate = new ShardMemory(this.#memory.bytes, count);
    this.region = this.#gate.region(count);
    metrics.others = () => [this.#past, ...[...this.#running.values()].map((shard) => shard.metrics())];
    const running = metrics.gauge(families.shards);
    metrics.collect(() => running().set(this.ready.length));
  }

  get all(): ShardProcess[] {
    return [...this.#running.values()];
  }

  get ready(): ShardProcess[] {
    return this.all.filter(({ isReady }) => isReady);
  }

  /** Resolves when each carries traffic, or as good as. */
  async start(): Promise<void> {
    const { clock } = this.options.runtime;
    for (let own = 0; own < this.options.count; own++) this.#start(own);
    this.#looking = every(clock, limits.shardLookMs, () => this.#look());
    await this.#answers("ready", 0, limits.shardPrepareMs);
  }

  tell(message: ToShard): void {
    for (const shard of this.#running.values()) shard.send(message);
  }

  /**
   * The first problem that one of them has; those that end do not count, and one that says nothing is ended. Where none is left of those
   * that carried traffic it is taken for what ended them: in force, it would end those in their place, too. Who begins meanwhile is
   * asked as well: else it would go on by the snapshot before, where it cannot go by this one.
   */
  async prepare(message: Extract<ToShard, { kind: "prepare" }>): Promise<string | null> {
    const carried = this.ready.length > 0;
    const asked = new Set<ShardProcess>();
    const silent = `silent about a snapshot for ${limits.shardPrepareMs} ms`;
    let [answered, ended] = [0, 0];
    for (let next = this.all; next.length > 0; next = this.all.filter((shard) => !asked.has(shard))) {
      for (const shard of next) {
        asked.add(shard);
        shard.send(message);
      }
      const waiting = await this.#answers("prepared", message.number, limits.shardPrepareMs, next);
      for (const shard of waiting.left) shard.kill(`it was ${silent}`);
      if (waiting.problem !== null) return waiting.problem;
      // What makes the one in its place stand still, too, would do so for ever.
      if (ended > 0 && waiting.left.size > 0) return `one event loop after the other was ${silent}`;
      ended += waiting.left.size;
      answered += waiting.answered;
    }
    return carried && answered === 0 ? "no event loop lived on that could go by it" : null;
  }

  /** What is open in all of them, as far as they have said it. */
  get size(): number {
    return this.#open;
  }

  /**
   * They let go of a port, all but one that takes what comes there until it is told again: what stands in the queue of a port when the
   * last one lets go of it is reset. Resolves when that is so, or one of them is late.
   */
  async leave({ host, port }: Pick<StandingPort, "host" | "port">): Promise<void> {
    const last = this.ready.find((shard) => !shard.isSilent) ?? this.ready[0];
    if (last === undefined) return;
    const number = ++this.#numbers;
    for (const shard of this.all) shard.send({ kind: "shut", host, port, number, last: shard === last });
    await this.#answers("shut", number, limits.shardShutMs);
  }

  /** Resolves when each has said what it counted until now, or is late. */
  async gather(): Promise<void> {
    const number = ++this.#numbers;
    this.tell({ kind: "gather", number });
    await this.#answers("gathered", number, limits.shardGatherMs);
  }

  retire(softly: boolean): void {
    this.tell({ kind: "retire", softly });
  }

  whenGone(call: () => void): void {
    const number = (this.#awaited = ++this.#numbers);
    this.#open = 1;
    this.tell({ kind: "when-gone", number });
    void this.#answers("gone", number, null).then((waiting) => {
      if (number !== this.#awaited) return;
      this.#open = waiting.open;
      call();
    });
  }

  /** Ends all of them, once they have written what they gathered. */
  async end(): Promise<void> {
    this.#ends = true;
    this.#looking?.close();
    for (const restart of this.#restarts) restart.cancel();
    this.tell({ kind: "end" });
    const waiting = await this.#answers("ended", 0, limits.shardEndMs);
    for (const shard of waiting.left) shard.kill("it did not end");
  }

  #start(own: number): void {
    const { runtime, message, ended, begin, log } = this.options;
    try {
      const shard = new ShardProcess({
        ...{ runtime, own, memory: this.#memory },
        message: (from, heard) => {
          if (heard.kind === "ready") this.#answered(from, "ready", 0);
          else if (heard.kind === "prepared") this.#answered(from, "prepared", heard.number, heard.problem);
          else if (heard.kind === "shut") this.#answered(from, "shut", heard.number);
          else if (heard.kind === "gathered") this.#answered(from, "gathered", heard.number);
          else if (heard.kind === "gone") this.#answered(from, "gone", heard.number, null, heard.open);
          else message(from, heard);
        },
        ended: (gone, why) => {
          this.#lost(gone, why);
          ended(gone);
        },
      });
      this.#running.set(own, shard);
      begin(shard);
    } catch (error) {
      log(`cannot start an event loop: ${problemOf(error)}`);
      this.#startLater(own);
    }
  }

  #startLater(own: number): void {
    const { clock } = this.options.runtime;
    const restart = clock.after(this.#restartMs, () => {
      this.#restarts.delete(restart);
      this.#start(own);
    });
    this.#restarts.add(restart);
    this.#restartMs = Math.min(2 * this.#restartMs, limits.shardRestartMaxMs);
  }

  #lost(shard: ShardProcess, why: string): void {
    const { runtime, metrics, log } = this.options;
    this.#running.delete(shard.own);
    this.#past = Metrics.merged([this.#past, Metrics.of((shard.report?.metrics ?? []).filter(isCounted))]);
    for (const key of [...this.#waiting.keys()]) this.#settle(key, shard);
    // What answers beside its successor until the end is not to be kept from it.
    if (this.#ends) return;
    this.region.forget(shard.own);
    this.#gate.counts[shard.own] = 0;
    metrics.counter(families.shardsEnded)().add(1);
    log(
      `an event loop (pid ${shard.pid}) is gone: ${why}; what it had open is lost, another one takes its place`,
    );
    if (runtime.clock.now() - shard.startedMs < limits.shardSettledMs) return this.#startLater(shard.own);
    this.#restartMs = limits.shardRestartMs;
    this.#start(shard.own);
  }

  #look(): void {
    for (const shard of this.#running.values()) shard.judge(this.#gate.beats[shard.own] as number);
    this.#boundMemory();
  }

  /** One that takes ever more would make the system end whatever it likes. */
  #boundMemory(): void {
    const { runtime, memoryBytesMax } = this.options;
    const taken = this.all.map((shard) => ({
      shard,
      bytes: runtime.process.residentBytesOf(shard.pid) ?? 0,
    }));
    const all = taken.reduce((sum, { bytes }) => sum + bytes, 0);
    if (all <= memoryBytesMax) return;
    const { shard, bytes } = taken.reduce((one, other) => (other.bytes > one.bytes ? other : one));
    const [its, ours, most] = [bytes, all, memoryBytesMax].map((each) => Math.round(each / mib));
    shard.kill(
      `it took ${its} MiB of the machine's memory, and all event loops together ${ours} MiB, more than the ${most} MiB that they may (HEDDLE_SHARDS_MEMORY)`,
    );
  }

  /** Resolves when all of those have answered or are gone, or it is so late. */
  #answers(kind: string, number: number, withinMs: number | null, of = this.all): Promise<Waiting> {
    const { clock } = this.options.runtime;
    return new Promise((done) => {
      const waiting: Waiting = {
        ...{ left: new Set(of), answered: 0, problem: null, open: 0 },
        done: () => done(waiting),
      };
      if (waiting.left.size === 0) return done(waiting);
      this.#waiting.set(keyOf(kind, number), waiting);
      if (withinMs === null) return;
      const late = clock.after(withinMs, () => {
        this.#waiting.delete(keyOf(kind, number));
        done(waiting);
      });
      waiting.done = () => {
        late.cancel();
        done(waiting);
      };
    });
  }

  #answered(
    shard: ShardProcess,
    kind: string,
    number: number,
    problem: string | null = null,
    open = 0,
  ): void {
    const waiting = this.#waiting.get(keyOf(kind, number));
    if (waiting === undefined) return;
    waiting.answered++;
    waiting.problem ??= problem;
    waiting.open += open;
    this.#settle(keyOf(kind, number), shard);
  }

  #settle(key: string, shard: ShardProcess): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined || !waiting.left.delete(shard) || waiting.left.size > 0) return;
    this.#waiting.delete(key);
    waiting.done();
  }
}

const mib = 1_048_576;

interface Waiting {
  readonly left: Set<ShardProcess>;
  answered: number;
  problem: string | null;
  /** What the others have open, as they said. */
  open: number;
  done: () => void;
}

function keyOf(kind: string, number: number): string {
  return `${kind} ${number}`;
}

/** What stays true of a process that is gone. */
function isCounted({ kind }: { readonly kind: string }): boolean {
  return kind !== "gauge";
}

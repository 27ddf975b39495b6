/** One shard as its keeper sees it: a process that is told what to do, in order, and handed descriptors as fast as it takes them. */
import type { Child, Runtime, SharedMemory } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import type { StandingPort } from "../../shards/bound_ports.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import type { FromShard, Report, ToShard } from "./messages.ts";
import { ShardChannel } from "./shard_channel.ts";

export interface ShardProcessOptions {
  readonly runtime: Pick<Runtime, "process" | "clock">;
  readonly memory: SharedMemory;
  /** Which one it is, from 0. */
  readonly own: number;
  readonly message: (shard: ShardProcess, message: FromShard) => void;
  /** It is gone, and why. Once. */
  readonly ended: (shard: ShardProcess, why: string) => void;
}

export class ShardProcess {
  readonly startedMs: number;
  /** It carries traffic. */
  isReady = false;
  report: Report | null = null;
  /** Names that its apps call and nobody has confirmed. */
  wanted: readonly string[] = [];
  readonly #child: Child;
  readonly #channel: ShardChannel<FromShard, ToShard>;
  /** What waits for a port that it cannot be handed yet. */
  #waiting: Waiting[] = [];
  #inHand = 0;
  #why: string | null = null;
  #beat = 0;
  #heardMs: number;
  /** Processor time that it had taken when its silence became long; null while it is not. */
  #silentCpuMs: number | null = null;
  #metrics: Metrics | null = null;

  /** Throws when the machine gives no process. */
  constructor(readonly options: ShardProcessOptions) {
    const { process, clock } = options.runtime;
    this.startedMs = this.#heardMs = clock.now();
    this.#child = process.spawn({
      command: [...process.self, "proxy-shard"],
      env: environmentOf(process.env),
      channel: true,
      takesDescriptors: true,
      memory: options.memory,
      output: "inherit",
      exited: (code, signal) =>
        this.#ended(signal === null ? `it ended with ${code}` : `it was ended by ${signal}`),
    });
    this.#channel = new ShardChannel<FromShard, ToShard>((handler) => this.#child.channel(handler), clock, {
      message: (message) => this.#heard(message),
      gone: () => this.#child.kill("SIGKILL"),
    });
  }

  get own(): number {
    return this.options.own;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** It has not shown for a while that it lives. */
  get isSilent(): boolean {
    return this.#silentCpuMs !== null;
  }

  send(message: ToShard): void {
    // What was said before, and it has not taken, would take the keeper's memory without end.
    const untaken = this.#channel.backlogBytes;
    if (untaken > limits.shardUntakenBytesMax || this.#waiting.length >= limits.shardWaitingMax)
      return this.kill(`it had not taken ${untaken} bytes and ${this.#waiting.length} orders of its keeper`);
    this.#waiting.push({ message, port: null });
    this.#pump();
  }

  hand(port: StandingPort): void {
    this.#waiting.push({ message: null, port });
    this.#pump();
  }

  kill(why: string): void {
    this.#why ??= why;
    this.#child.kill("SIGKILL");
  }

  /** What it counted until its last report. */
  metrics(): Metrics {
    return (this.#metrics ??= Metrics.of(this.report?.metrics ?? []));
  }

  /** Ends it when it does not show that it lives. `beat`: what it shows now. */
  judge(beat: number): void {
    const { process, clock } = this.options.runtime;
    const nowMs = clock.now();
    if (beat !== this.#beat || !this.isReady) {
      this.#beat = beat;
      this.#silentCpuMs = null;
      if (this.isReady || nowMs - this.startedMs < limits.shardPrepareMs) this.#heardMs = nowMs;
      else this.kill(`it had not begun after ${limits.shardPrepareMs} ms`);
      return;
    }
    const silentMs = nowMs - this.#heardMs;
    if (silentMs < limits.shardSilentMs) return;
    const cpuMs = process.processorMsOf(this.pid) ?? 0;
    this.#silentCpuMs ??= cpuMs;
    if (silentMs > limits.shardHungMs || cpuMs - this.#silentCpuMs > limits.shardHungCpuMs)
      this.kill(`it hung for ${Math.round(silentMs)} ms`);
  }

  /** In order. What follows a port waits with it. */
  #pump(): void {
    let at = 0;
    for (; at < this.#waiting.length; at++) {
      const { message, port } = this.#waiting[at] as Waiting;
      if (message !== null) this.#channel.send(message);
      else if (port.stands && !this.#handOver(port)) break;
    }
    this.#waiting = at === this.#waiting.length ? [] : this.#waiting.slice(at);
  }

  #handOver({ host, port, descriptor }: StandingPort): boolean {
    if (this.#inHand >= limits.shardHandedMax || !this.#child.hand(descriptor)) return false;
    this.#inHand++;
    this.#channel.send({ kind: "port", host, port });
    return true;
  }

  #heard(message: FromShard): void {
    if (message.kind === "took") {
      this.#inHand--;
      return this.#pump();
    }
    if (message.kind === "ready") this.isReady = true;
    if (message.kind === "report") {
      this.report = message;
      this.#metrics = null;
    }
    if (message.kind === "report" || message.kind === "ask") this.wanted = message.wanted;
    this.options.message(this, message);
  }

  #ended(why: string): void {
    this.#channel.destroy();
    this.options.ended(this, this.#why ?? why);
  }
}

type Waiting =
  | { readonly message: ToShard; readonly port: null }
  | { readonly message: null; readonly port: StandingPort };

const inherited = /^(HOME|TZ|LANG|JOURNAL_STREAM|HEDDLE_FAULTS|OTEL_.*)$/;

function environmentOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = Object.entries(env).filter(
    (each): each is [string, string] => each[1] !== undefined && inherited.test(each[0]),
  );
  return Object.fromEntries(kept);
}

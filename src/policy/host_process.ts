/**
 * The process of the policy host, one life after the other: started with a channel, judged by its memory and its silence, ended
 * with a reason, and started again after a while that grows as long as it does no work. What it says and what its end means is
 * its owner's business.
 */
import { failure, problemOf, type Result, success } from "../base/result.ts";
import { Backoff } from "../base/backoff.ts";
import { limits } from "../model/limits.ts";
import type { Child, Clock, ProcessHost, Random, Timer } from "../../runtime/contract.ts";
import { policyHostEnvironment } from "./host_environment.ts";
import { processBytesMax } from "./memory.ts";
import { FrameChannel, type FrameKind, type ReadyText } from "./protocol.ts";

export interface HostProcessOptions {
  readonly process: Pick<ProcessHost, "spawn" | "self" | "residentBytesOf" | "processorMsOf">;
  readonly clock: Clock;
  readonly random: Pick<Random, "unit">;
  readonly started: () => void;
  /** The machine gave none, and why. It is asked again after a while. */
  readonly unstarted: (reason: string) => void;
  readonly frame: (kind: number, first: number, second: number, text: string) => void;
  /** It is gone and why; whether there will be another life is the owner's word (`startLater`). */
  readonly lost: (reason: string) => void;
}

export interface Load {
  /** How many it holds. */
  readonly policies: number;
  /** It was asked something. */
  readonly owing: boolean;
  /** How long it may be silent then, whatever the machine is busy with. */
  readonly patienceMs: number;
}

export class HostProcess {
  /** What it said of its seal; null until it did. */
  seal: ReadyText | null = null;
  starts = 0;
  readonly #options: HostProcessOptions;
  readonly #backoff: Backoff;
  #child: Child | null = null;
  #channel: FrameChannel | null = null;
  #heardMs = 0;
  /** Processor time it had taken when its silence became long; null while it is not. */
  #silentCpuMs: number | null = null;
  #next: Timer | null = null;
  #closed = false;

  constructor(options: HostProcessOptions) {
    this.#options = options;
    this.#backoff = new Backoff({
      firstMs: limits.policyRespawnMs,
      maxMs: limits.policyRespawnMaxMs,
      unit: () => options.random.unit(),
    });
  }

  /** Whether there is a process, sealed or not. */
  get lives(): boolean {
    return this.#child !== null;
  }

  /** Whether there is one, or will be in a moment. */
  get begun(): boolean {
    return this.#child !== null || this.#next !== null;
  }

  /** 0 when there is none. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Whether this share of what may wait for it does: it takes nothing of what it is told. */
  isStuffed(share: number): boolean {
    return (this.#channel?.backlogBytes ?? 0) > limits.policyBacklogBytesMax * share;
  }

  start(): void {
    const { clock, started, unstarted, frame } = this.#options;
    const spawned = this.#spawn();
    if (!spawned.ok) {
      this.startLater();
      return unstarted(spawned.problem);
    }
    const child = spawned.value;
    this.starts++;
    this.seal = null;
    this.#heardMs = clock.now();
    this.#silentCpuMs = null;
    this.#child = child;
    this.#channel = new FrameChannel((handler) => child.channel(handler), clock, {
      frame: (kind, first, second, text) => {
        this.#heardMs = clock.now();
        this.#silentCpuMs = null;
        frame(kind, first, second, text);
      },
      // One that went by itself is told of by its exit.
      gone: (reason, broken) =>
        broken ? this.end(`it broke the protocol: ${reason}`) : child.kill("SIGKILL"),
    });
    started();
  }

  #spawn(): Result<Child> {
    const { process } = this.#options;
    const said: string[] = [];
    try {
      const child = process.spawn({
        command: [...process.self, "policy-host", "host"],
        env: policyHostEnvironment,
        channel: true,
        output: (text) => {
          if (said.length < 16) said.push(text);
        },
        exited: (code, signal) => this.#lost(child, `it ended with ${signal ?? code}${told(said)}`),
      });
      return success(child);
    } catch (error) {
      return failure(problemOf(error));
    }
  }

  /** Says it, when there is anybody. */
  send(kind: FrameKind, first: number, second: number, text: string): void {
    this.#channel?.send(kind, first, second, text);
  }

  flush(): void {
    this.#channel?.flush();
  }

  /** From now on it owes an answer. */
  owes(sinceMs: number): void {
    this.#heardMs = sinceMs;
    this.#silentCpuMs = null;
  }

  /** It does its work: it may be started again quickly. */
  works(): void {
    this.#backoff.reset();
  }

  /** Ends it when it takes too much memory for so many policies, or owes something and is silent. */
  judge({ policies, owing, patienceMs }: Load): void {
    const child = this.#child;
    if (child === null) return;
    const { process, clock } = this.#options;
    const bytes = process.residentBytesOf(child.pid);
    const most = processBytesMax(policies);
    if (bytes !== null && bytes > most) {
      return this.end(`it took ${mib(bytes)} MiB of memory, more than ${mib(most)}`);
    }
    const silentMs = clock.now() - this.#heardMs;
    if (!owing || silentMs < limits.policyHostSilentMs) return;
    const mostMs = this.seal === null ? limits.policyHostStartMs : patienceMs;
    const cpuMs = process.processorMsOf(child.pid) ?? 0;
    this.#silentCpuMs ??= cpuMs;
    const tookMs = cpuMs - this.#silentCpuMs;
    if (silentMs > mostMs || tookMs > limits.policyHostSilentCpuMs) {
      this.end(`it was silent for ${Math.round(silentMs)} ms`);
    }
  }

  close(): void {
    this.#closed = true;
    this.#next?.cancel();
    this.#channel?.destroy();
    this.#child?.kill("SIGKILL");
    this.#child = null;
    this.#channel = null;
  }

  /** Ends it and tells why. */
  end(reason: string): void {
    const child = this.#child;
    if (child === null) return;
    child.kill("SIGKILL");
    this.#lost(child, reason);
  }

  #lost(child: Child, reason: string): void {
    if (this.#closed || child !== this.#child) return;
    this.#channel?.destroy();
    this.#child = null;
    this.#channel = null;
    this.seal = null;
    this.#options.lost(reason);
  }

  /** The next life, after a while. */
  startLater(): void {
    if (this.#closed || this.begun) return;
    this.#next = this.#options.clock.after(this.#backoff.nextMs(), () => {
      this.#next = null;
      this.start();
    });
  }
}

function told(said: readonly string[]): string {
  const text = said.join("").trim();
  return text === "" ? "" : `: ${text.slice(-400)}`;
}

function mib(bytes: number): number {
  return Math.round(bytes / (1024 * 1024));
}

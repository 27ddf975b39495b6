/**
 * The process of the policy host, one life after the other: started with a channel, judged by its memory and its silence, ended
 * with a reason, and started again after a while that grows as long as it does no work. What it says and what its end means is
 * its owner's business.
 */
import { Backoff } from "../base/backoff.ts";
import { limits } from "../model/limits.ts";
import type { Child, Clock, ProcessHost, Random } from "../../runtime/contract.ts";
import { policyHostEnvironment } from "./host_environment.ts";
import { FrameChannel, type FrameKind, type ReadyText } from "./protocol.ts";

export interface HostProcessOptions {
  readonly process: Pick<ProcessHost, "spawn" | "self" | "residentBytesOf">;
  readonly clock: Clock;
  readonly random: Pick<Random, "unit">;
  readonly started: () => void;
  readonly frame: (kind: number, first: number, second: number, text: string) => void;
  /** It is gone and why; the next life begins in `waitMs`. */
  readonly lost: (reason: string, waitMs: number) => void;
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
  #closed = false;
  /** Why it was ended by us; null when it went by itself. */
  #verdict: string | null = null;

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

  /** 0 when there is none. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Whether it takes nothing of what it is told. */
  get stuffed(): boolean {
    return (this.#channel?.backlogBytes ?? 0) > limits.policyBacklogBytesMax;
  }

  start(): void {
    const { process, clock, started, frame } = this.#options;
    this.starts++;
    this.seal = null;
    this.#verdict = null;
    this.#heardMs = clock.now();
    const said: string[] = [];
    const child = process.spawn({
      command: [...process.self, "policy-host", "host"],
      env: policyHostEnvironment,
      channel: true,
      output: (text) => {
        if (said.length < 16) said.push(text);
      },
      exited: (code, signal) => this.#lost(child, `it ended with ${signal ?? code}${told(said)}`),
    });
    this.#child = child;
    this.#channel = new FrameChannel((handler) => child.channel(handler), clock, {
      frame: (kind, first, second, text) => {
        this.#heardMs = clock.now();
        frame(kind, first, second, text);
      },
      gone: () => child.kill("SIGKILL"),
    });
    started();
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
  }

  /** It does its work: it may be started again quickly. */
  works(): void {
    this.#backoff.reset();
  }

  /** Ends it when it takes too much memory for so many policies, or owes something and is silent. */
  judge(policies: number, owing: boolean): void {
    const child = this.#child;
    if (child === null) return;
    const { process, clock } = this.#options;
    const bytes = process.residentBytesOf(child.pid);
    const most = limits.policyHostBaseBytesMax + policies * limits.policyMemoryBytesMax;
    if (bytes !== null && bytes > most) {
      return this.#end(child, `it took ${mib(bytes)} MiB of memory, more than ${mib(most)}`);
    }
    const silent = clock.now() - this.#heardMs;
    if ((owing || this.seal === null) && silent > limits.policyHostSilentMs) {
      this.#end(child, `it was silent for ${Math.round(silent)} ms`);
    }
  }

  close(): void {
    this.#closed = true;
    this.#channel?.destroy();
    this.#child?.kill("SIGKILL");
    this.#child = null;
    this.#channel = null;
  }

  #end(child: Child, reason: string): void {
    this.#verdict ??= reason;
    child.kill("SIGKILL");
  }

  #lost(child: Child, how: string): void {
    if (this.#closed || child !== this.#child) return;
    const { clock, lost } = this.#options;
    const reason = this.#verdict ?? how;
    this.#channel?.destroy();
    this.#child = null;
    this.#channel = null;
    this.seal = null;
    const waitMs = this.#backoff.nextMs();
    lost(reason, waitMs);
    clock.after(waitMs, () => {
      if (!this.#closed) this.start();
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

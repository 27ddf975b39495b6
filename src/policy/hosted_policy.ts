/**
 * One policy version inside its sealed process: its worker, what it was asked and has not answered, and what that has taken.
 * The watchdog ends a worker that takes too much of a processor for an answer and starts it anew from the bundle. What the worker
 * says is doubted: it runs beside code that nobody trusts.
 */
import type { Clock, WorkerThread } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { hangCpuMs, hangWallMs } from "./hang.ts";
import { frameKinds, type FrameKind, type LoadText, type LostText } from "./protocol.ts";
import type { ThreadClock } from "./thread_clock.ts";

export type Send = (kind: FrameKind, first: number, second: number, text: string) => void;

/** What comes from a worker, and how it ends. */
export interface WorkerOwner {
  message(message: string): void;
  ended(reason: string): void;
}

export interface HostedPolicyOptions {
  readonly id: number;
  readonly load: LoadText;
  /** A worker that was told nothing yet. */
  readonly worker: (owner: WorkerOwner) => WorkerThread;
  readonly clock: Pick<Clock, "now">;
  readonly threads: Pick<ThreadClock, "msOf">;
  readonly send: Send;
}

/** Something that the worker was asked, in order. Its answer carries the number. */
interface Question {
  readonly what: "load" | "ping" | "bind" | "batch";
  readonly number: number;
}

const ping: Question = { what: "ping", number: 0 };
const loading: Question = { what: "load", number: 0 };

/** What the first question has taken since the watchdog saw it begin. */
interface Seen {
  /** Of `#progress` then. */
  readonly progress: number;
  readonly atMs: number;
  readonly cpuMs: number | null;
}

export class HostedPolicy {
  readonly #options: HostedPolicyOptions;
  #worker: WorkerThread;
  /** Number of its thread; 0 until it said so. */
  #thread = 0;
  #questions: Question[] = [];
  /** Goes up with everything that the worker answers. */
  #progress = 0;
  #seen: Seen | null = null;
  /** Something of the policy ran since the last ping was answered. */
  #touched = false;
  readonly #bindings = new Map<number, string>();
  /** Bindings whose answer the proxy has: what is done again after a restart is not told twice. */
  readonly #told = new Set<number>();
  #toldLoaded = false;

  constructor(options: HostedPolicyOptions) {
    this.#options = options;
    this.#worker = this.#start();
  }

  bind(number: number, options: string): void {
    this.#bindings.set(number, options);
    this.#ask({ what: "bind", number }, `B${number} ${options}`);
  }

  unbind(number: number): void {
    this.#bindings.delete(number);
    this.#told.delete(number);
    this.#touched = true;
    this.#worker.send(`U${number} `);
  }

  calls(number: number, text: string): void {
    this.#ask({ what: "batch", number }, `C${number} ${text}`);
  }

  end(): void {
    this.#worker.terminate();
  }

  /** Ends the worker when it hangs. True while it has to be watched. */
  watch(): boolean {
    const [question] = this.#questions;
    if (question === undefined) {
      this.#seen = null;
      if (!this.#touched) return false;
      // Between calls nothing may run: a policy that left microtasks behind does not answer this.
      this.#touched = false;
      this.#ask(ping, "P");
      return true;
    }
    const cpuMs = this.#options.threads.msOf(this.#thread);
    const nowMs = this.#options.clock.now();
    const seen = this.#seen;
    if (seen === null || seen.progress !== this.#progress) {
      this.#seen = { progress: this.#progress, atMs: nowMs, cpuMs };
      return true;
    }
    const tookMs = cpuMs === null || seen.cpuMs === null ? 0 : cpuMs - seen.cpuMs;
    const { cpuMost, wallMost } = this.#patience(question);
    if (tookMs > cpuMost) this.#lose(`no answer for ${Math.round(tookMs)} ms of processor time`);
    else if (nowMs - seen.atMs > wallMost) this.#lose(`no answer for ${Math.round(nowMs - seen.atMs)} ms`);
    return true;
  }

  #patience({ what }: Question): { readonly cpuMost: number; readonly wallMost: number } {
    if (what === "load") return { cpuMost: limits.policyLoadCpuMs, wallMost: limits.policyLoadMs };
    const { cpuMs } = this.#options.load;
    return { cpuMost: hangCpuMs(cpuMs), wallMost: hangWallMs(cpuMs) };
  }

  #ask(question: Question, message: string): void {
    this.#questions.push(question);
    this.#worker.send(message);
  }

  #start(): WorkerThread {
    this.#seen = null;
    this.#thread = 0;
    this.#questions.push(loading);
    const worker = this.#options.worker({
      message: (message) => this.#receive(message),
      ended: (reason) => this.#lose(reason),
    });
    const { bundle } = this.#options.load;
    worker.send(`L${JSON.stringify({ bundle, answerLengthMax: limits.policyMessageBytesMax })}`);
    return worker;
  }

  /** The thread tells its number before it is given anything to run. */
  #receive(message: string): void {
    const mark = message[0];
    if (mark === "t" && this.#thread === 0) {
      this.#thread = Number(message.slice(1));
      return;
    }
    const [question] = this.#questions;
    this.#progress++;
    if (mark === "f" && question?.what === "load") return this.#lose(message.slice(1));
    const space = message.indexOf(" ");
    const number = Number(message.slice(1, space));
    if (question === undefined || question.what !== answered.get(mark ?? "") || question.number !== number) {
      return this.#lose("its worker answered what it was not asked");
    }
    if (mark !== "a") this.#questions.shift();
    this.#tell(mark ?? "", number, message.slice(space + 1));
  }

  #tell(mark: string, number: number, text: string): void {
    const { id, send } = this.#options;
    switch (mark) {
      case "a":
        return send(frameKinds.answers, id, number, text);
      case "z":
        this.#touched = true;
        return send(frameKinds.answered, id, number, text);
      case "b":
        this.#touched = true;
        if (!this.#told.has(number)) send(frameKinds.bound, id, number, text);
        this.#told.add(number);
        return;
      case "l":
        this.#touched = true;
        if (!this.#toldLoaded) send(frameKinds.loaded, id, 0, text);
        this.#toldLoaded = true;
        return;
    }
  }

  /** A bundle that never loaded is not tried again: the proxy is told and decides. */
  #lose(reason: string): void {
    this.#worker.terminate();
    const isLoaded = this.#questions[0]?.what !== "load";
    const cpuMs = this.#options.threads.msOf(this.#thread);
    const busyMs = cpuMs === null ? 0 : cpuMs - (this.#seen?.cpuMs ?? cpuMs);
    const batches = this.#questions.filter(({ what }) => what === "batch").map(({ number }) => number);
    this.#questions = [];
    this.#touched = false;
    const shown = reason.slice(0, limits.policyReasonLengthMax);
    const busyUs = Math.round(busyMs * 1_000);
    const lost: LostText = { busyUs, reason: shown, batches, restarted: isLoaded };
    this.#options.send(frameKinds.lost, this.#options.id, 0, JSON.stringify(lost));
    if (!isLoaded) return;
    this.#worker = this.#start();
    for (const [number, options] of this.#bindings) {
      this.#ask({ what: "bind", number }, `B${number} ${options}`);
    }
  }
}

/** Which question a word of the worker answers. */
const answered: ReadonlyMap<string, Question["what"]> = new Map([
  ["a", "batch"],
  ["z", "batch"],
  ["b", "bind"],
  ["l", "load"],
  ["p", "ping"],
]);

/**
 * One policy version inside the policy host: its worker, what it was asked and has not answered, and how long that has
 * taken. The watchdog ends a worker that does not answer in time and starts it anew from the bundle.
 */
import type { Clock, WorkerThread, Workers } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { frameKinds, type FrameKind, type LoadText, type LostText } from "./protocol.ts";

const entry = "src/policy/worker.ts";

export type Send = (kind: FrameKind, first: number, second: number, text: string) => void;

/** Something that the worker was asked, in order. */
type Question =
  { readonly what: "load" | "ping" | "bind" } | { readonly what: "batch"; readonly batch: number };

const ping: Question = { what: "ping" };
const loading: Question = { what: "load" };
const binding: Question = { what: "bind" };

export class HostedPolicy {
  #worker: WorkerThread;
  #questions: Question[] = [];
  /** When the first question became the one that is worked on. */
  #sinceMs = 0;
  /** Something of the policy ran since the last ping was answered. */
  #touched = false;
  readonly #bindings = new Map<number, string>();
  /** Bindings whose answer the proxy has: those made again after a restart are not told twice. */
  readonly #told = new Set<number>();

  constructor(
    private readonly id: number,
    private readonly load: LoadText,
    private readonly workers: Pick<Workers, "start">,
    private readonly clock: Pick<Clock, "now">,
    private readonly send: Send,
  ) {
    this.#worker = this.#start();
  }

  bind(number: number, options: string): void {
    this.#bindings.set(number, options);
    this.#ask(binding, `B${number} ${options}`);
  }

  unbind(number: number): void {
    this.#bindings.delete(number);
    this.#told.delete(number);
    this.#worker.send(`U${number} `);
  }

  calls(batch: number, text: string): void {
    this.#ask({ what: "batch", batch }, `C${batch} ${text}`);
  }

  end(): void {
    this.#worker.terminate();
  }

  /** Ends the worker when it is late. True while it has to be watched. */
  watch(): boolean {
    const [question] = this.#questions;
    if (question === undefined) {
      if (!this.#touched) return false;
      // Between calls nothing may run: a policy that left microtasks behind does not answer this.
      this.#touched = false;
      this.#ask(ping, "P");
      return true;
    }
    const lateMs = question.what === "load" ? limits.policyLoadMs : this.#hangMs();
    const tookMs = this.clock.now() - this.#sinceMs;
    if (tookMs > lateMs) this.#lose(`no answer for ${Math.round(tookMs)} ms`);
    return true;
  }

  #hangMs(): number {
    return Math.max(limits.policyHangMs, limits.policyHangFactor * this.load.cpuMs);
  }

  #ask(question: Question, message: string): void {
    if (this.#questions.length === 0) this.#sinceMs = this.clock.now();
    this.#questions.push(question);
    this.#worker.send(message);
  }

  #start(): WorkerThread {
    this.#sinceMs = this.clock.now();
    this.#questions.push(loading);
    const worker = this.workers.start(entry, {
      message: (message) => this.#receive(String(message)),
      ended: (reason) => this.#lose(reason),
    });
    const { bundle } = this.load;
    worker.send(`L${JSON.stringify({ bundle, answerLengthMax: limits.policyMessageBytesMax })}`);
    return worker;
  }

  #receive(message: string): void {
    const space = message.indexOf(" ");
    const number = Number(message.slice(1, space));
    const text = message.slice(space + 1);
    switch (message[0]) {
      case "a":
        this.#sinceMs = this.clock.now();
        return this.send(frameKinds.answers, this.id, number, text);
      case "z":
        this.#answered();
        this.#touched = true;
        return this.send(frameKinds.answered, this.id, number, text);
      case "b":
        this.#answered();
        this.#touched = true;
        if (!this.#told.has(number)) this.send(frameKinds.bound, this.id, number, text);
        this.#told.add(number);
        return;
      case "l":
        this.#answered();
        return this.send(frameKinds.loaded, this.id, 0, message.slice(1));
      case "p":
        return this.#answered();
      case "f":
        return this.#lose(message.slice(1));
    }
  }

  #answered(): void {
    this.#questions.shift();
    this.#sinceMs = this.clock.now();
  }

  /** A bundle that never loaded is not tried again: the proxy is told and decides. */
  #lose(reason: string): void {
    this.#worker.terminate();
    const isLoaded = this.#questions[0]?.what !== "load";
    const busyUs = this.#questions.length === 0 ? 0 : Math.round((this.clock.now() - this.#sinceMs) * 1_000);
    const batches = this.#questions.flatMap((each) => (each.what === "batch" ? [each.batch] : []));
    this.#questions = [];
    this.#touched = false;
    const shown = reason.slice(0, limits.policyReasonLengthMax);
    const lost: LostText = { busyUs, reason: shown, batches, restarted: isLoaded };
    this.send(frameKinds.lost, this.id, 0, JSON.stringify(lost));
    if (!isLoaded) return;
    this.#worker = this.#start();
    for (const [number, options] of this.#bindings) this.#ask(binding, `B${number} ${options}`);
  }
}

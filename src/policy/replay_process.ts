/**
 * A policy in a sealed process of its own that is asked about what was recorded: each call at its own moment, in order, as many
 * under way as keep the process busy. It is asked by the same frames as in a proxy, and nothing is put aside when it fails.
 */
import type { Clock, ProcessHost, Random } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { AnswersReader } from "./answers.ts";
import { burdenOf } from "./burden.ts";
import { HostProcess } from "./host_process.ts";
import { encodeCall, type PolicyAnswer, type PolicyCall } from "./policy_call.ts";
import { frameKinds } from "./protocol.ts";
import { readBound, readLost, readReady } from "./said.ts";

export interface ReplayProcessOptions {
  readonly process: Pick<ProcessHost, "spawn" | "self" | "residentBytesOf" | "processorMsOf">;
  readonly clock: Clock;
  readonly random: Pick<Random, "unit">;
}

type Taker = (answer: PolicyAnswer) => void;

interface Batch {
  readonly takers: readonly Taker[];
  answered: number;
}

const policyId = 1;
/** Enough that neither side waits for the other. */
const batchesMax = 8;
const next = '{"do":"next"}';
const nextDecision: unknown = Object.freeze({ do: "next" });

export class ReplayProcess {
  /** Processor time that it took for what it answered, microseconds. */
  cpuUs = 0;
  readonly #host: HostProcess;
  readonly #reader = new AnswersReader();
  readonly #batches = new Map<number, Batch>();
  readonly #bound = new Map<number, (problem: string | null) => void>();
  #texts: string[] = [];
  #times: number[] = [];
  /** Of those texts. */
  #length = 0;
  #takers: Taker[] = [];
  #number = 0;
  #loaded: ((problem: string | null) => void) | null = null;
  #room: (() => void) | null = null;
  #problem: string | null = null;

  constructor(
    readonly options: ReplayProcessOptions,
    readonly load: { readonly bundle: string; readonly cpuMs: number },
  ) {
    this.#host = new HostProcess({
      ...options,
      started: () => {},
      unstarted: (reason) => this.#lost(reason),
      frame: (kind, _id, number, text) => this.#take(kind, number, text),
      lost: (reason) => this.#lost(reason),
    });
  }

  /** Throws where its bundle does not load. */
  async start(): Promise<void> {
    const problem = await new Promise<string | null>((resolve) => {
      this.#loaded = resolve;
      this.#host.start();
    });
    if (problem !== null) throw new Error(problem);
  }

  /** Options under this number, from 1. What is wrong with them; null: nothing. */
  bind(number: number, options: Readonly<Record<string, unknown>>): Promise<string | null> {
    return new Promise((resolve) => {
      this.#bound.set(number, resolve);
      this.#host.send(frameKinds.bind, policyId, number, JSON.stringify(options));
    });
  }

  /** Resolves once there is room for the next call, which is at once nearly always. */
  ask(binding: number, call: PolicyCall, atMs: number, answer: Taker): Promise<void> | null {
    if (this.#problem !== null) throw new Error(this.#problem);
    const text = encodeCall(binding, call);
    this.#length += text.length;
    this.#texts.push(text);
    this.#times.push(atMs);
    this.#takers.push(answer);
    const { policyBatchCallsMax, policyMessageBytesMax } = limits;
    if (this.#texts.length < policyBatchCallsMax && this.#length < policyMessageBytesMax / 2) return null;
    this.#send();
    return this.#batches.size < batchesMax ? null : new Promise((resolve) => (this.#room = resolve));
  }

  /** Until everything is answered. */
  async finish(): Promise<void> {
    this.#send();
    while (this.#batches.size > 0 && this.#problem === null)
      await new Promise<void>((resolve) => (this.#room = resolve));
    if (this.#problem !== null) throw new Error(this.#problem);
  }

  close(): void {
    this.#host.close();
  }

  #send(): void {
    if (this.#texts.length === 0) return;
    const number = ++this.#number;
    this.#batches.set(number, { takers: this.#takers, answered: 0 });
    const [count, calls, times] = [this.#texts.length, this.#texts.join(","), this.#times.join(",")];
    const text = `${count} [${this.#times[0] ?? 0},[${calls}],[${times}]]`;
    [this.#texts, this.#times, this.#takers, this.#length] = [[], [], [], 0];
    this.#host.send(frameKinds.calls, policyId, number, text);
  }

  #take(kind: number, number: number, text: string): void {
    switch (kind) {
      case frameKinds.ready: {
        const ready = readReady(text);
        if (ready === null) return this.#lost("its process does not say whether it is sealed");
        this.#host.seal = ready;
        return this.#host.send(frameKinds.load, policyId, 0, JSON.stringify(this.load));
      }
      case frameKinds.loaded:
        this.#loaded?.(null);
        this.#loaded = null;
        return;
      case frameKinds.bound: {
        const [issue] = readBound(text)?.issues ?? [{ path: "", message: "it says nothing of them" }];
        this.#bound.get(number)?.(issue === undefined ? null : `${issue.path}: ${issue.message}`);
        return void this.#bound.delete(number);
      }
      case frameKinds.lost: {
        const lost = readLost(text);
        for (const each of lost?.batches ?? []) this.#fail(each, lost?.reason ?? "");
        if (lost?.restarted !== true) this.#lost(lost?.reason ?? "it was lost");
        return this.#makeRoom();
      }
      default:
        return this.#answers(number, text, kind === frameKinds.answered);
    }
  }

  #answers(number: number, text: string, last: boolean): void {
    const batch = this.#batches.get(number);
    const reader = this.#reader;
    const problem = batch === undefined ? "it answers what it was not asked" : reader.read(text);
    if (batch === undefined || problem !== null) return this.#lost(problem ?? "");
    this.cpuUs += reader.cpuUs;
    for (let left = reader.count; left > 0 && batch.answered < batch.takers.length; left--) {
      const { us } = reader;
      const given = reader.next();
      batch.takers[batch.answered++]?.(read(given, us));
    }
    if (!last) return;
    this.#fail(number, "it was not answered");
    this.#makeRoom();
  }

  #fail(number: number, reason: string): void {
    const batch = this.#batches.get(number);
    this.#batches.delete(number);
    for (const taker of batch?.takers.slice(batch.answered) ?? []) taker({ ok: false, reason, us: 0 });
  }

  #makeRoom(): void {
    const room = this.#room;
    this.#room = null;
    room?.();
  }

  #lost(reason: string): void {
    this.#problem ??= reason;
    this.#loaded?.(reason);
    for (const bound of this.#bound.values()) bound(reason);
    this.#bound.clear();
    this.#host.close();
    this.#makeRoom();
  }
}

function read(text: string, us: number): PolicyAnswer {
  if (text === next) return { ok: true, decision: nextDecision, us };
  const burden = burdenOf(text);
  if (burden !== null) return { ok: false, reason: `its answer ${burden}`, us };
  try {
    return { ok: true, decision: JSON.parse(text) as unknown, us };
  } catch {
    return { ok: false, reason: "its answer is no JSON", us };
  }
}

/**
 * The policy host as the proxy sees it: a sealed child process that is started, watched by memory and liveness, ended and
 * started again. Calls of one turn travel together; each is answered exactly once, also when the host dies under it.
 */
import { Backoff } from "../base/backoff.ts";
import { limits } from "../model/limits.ts";
import type { PolicyBinding, PolicyRef } from "../model/snapshot.ts";
import type { Counter } from "../telemetry/metrics.ts";
import type { Child, Clock, ProcessHost, Random, Timer } from "../../runtime/contract.ts";
import { policyHostEnvironment } from "./host_environment.ts";
import { encodeCall, type PolicyCall } from "./policy_call.ts";
import { FrameChannel, frameKinds, type AnswersText, type LostText, type ReadyText } from "./protocol.ts";
import { Trips } from "./trips.ts";

export interface PolicyHostOptions {
  readonly process: Pick<ProcessHost, "spawn" | "self" | "residentBytesOf">;
  readonly clock: Clock;
  readonly random: Pick<Random, "unit">;
  /** Something an operator should hear of: one plain sentence. */
  readonly report: (sentence: string) => void;
  /** Counts the CPU seconds that a policy takes in the host; asked for once per policy. */
  readonly cpuCounter?: (ref: PolicyRef) => Pick<Counter, "add">;
}

/** `decision` is what the policy said, unchecked. */
export type PolicyAnswer =
  | { readonly ok: true; readonly decision: unknown; readonly us: number }
  | { readonly ok: false; readonly reason: string; readonly us: number };

/** What a check of options under a policy's own schema found. */
export interface OptionsAnswer {
  readonly issues: readonly { readonly path: string; readonly message: string }[];
}

export interface PolicyStatus {
  readonly name: string;
  readonly hash: string;
  readonly state: "waiting" | "ready" | "broken" | "quarantined";
  readonly detail: string;
}

export interface PolicyHostStatus {
  readonly running: boolean;
  /** null until it said so. */
  readonly sealed: boolean | null;
  /** What is missing of the seal; null when nothing. */
  readonly why: string | null;
  readonly pid: number;
  readonly starts: number;
  readonly policies: readonly PolicyStatus[];
}

export interface PolicyHost {
  /** Takes a bundle; the host is started with the first one. The same hash again is nothing. */
  load(ref: PolicyRef, bundle: string): void;
  /** Unloads every other bundle. */
  retain(hashes: ReadonlySet<string>): void;
  refOf(hash: string): PolicyRef | null;
  /** Asks the policy about a request. `answer` is called exactly once, later. */
  evaluate(binding: PolicyBinding, call: PolicyCall, answer: (answer: PolicyAnswer) => void): void;
  /** Counts a failure of the policy that only its caller could see. */
  trip(hash: string, reason: string): void;
  /** Checks options without using them. */
  check(hash: string, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer>;
  /** What the loaded bundle says of itself; null when it could not be loaded. */
  describe(hash: string): Promise<string | null>;
  status(): PolicyHostStatus;
  close(): void;
}

type Answer = (answer: PolicyAnswer) => void;

interface Loaded {
  readonly id: number;
  readonly ref: PolicyRef;
  readonly bundle: string;
  readonly trips: Trips;
  readonly cpu: Pick<Counter, "add">;
  state: PolicyStatus["state"];
  detail: string;
  /** The running host was given the bundle: bindings must follow it there. */
  introduced: boolean;
  description: string | null;
  /** Options as JSON to the number they are known by in the host. */
  readonly bindings: Map<string, number>;
  /** Calls of this turn, encoded, with those who wait for them. */
  texts: string[];
  textLength: number;
  answers: Answer[];
  /** Who waits until it is loaded. */
  described: (() => void)[];
}

/** A call of a policy that fails closed, made before the policy was ready. */
interface Waiting {
  readonly policy: Loaded;
  readonly text: string;
  readonly answer: Answer;
  readonly untilMs: number;
}

interface Batch {
  readonly policy: Loaded;
  readonly answers: readonly Answer[];
  readonly sentMs: number;
  answered: number;
}

export function createPolicyHost(options: PolicyHostOptions): PolicyHost {
  return new SealedHost(options);
}

class SealedHost implements PolicyHost {
  readonly #options: PolicyHostOptions;
  readonly #backoff: Backoff;
  readonly #byHash = new Map<string, Loaded>();
  readonly #byId = new Map<number, Loaded>();
  readonly #batches = new Map<number, Batch>();
  readonly #numbers = new WeakMap<PolicyBinding, { readonly policy: Loaded; readonly number: number }>();
  readonly #checks = new Map<number, (answer: OptionsAnswer) => void>();
  #waiting: Waiting[] = [];
  #child: Child | null = null;
  #channel: FrameChannel | null = null;
  #seal: ReadyText | null = null;
  #starts = 0;
  #nextNumber = 1;
  #callsInFlight = 0;
  #heardMs = 0;
  #flushing = false;
  #timer: Timer | null = null;
  #watchesClosely = false;
  #closed = false;
  /** Why the host was ended by us; null when it went by itself. */
  #verdict: string | null = null;

  constructor(options: PolicyHostOptions) {
    this.#options = options;
    this.#backoff = new Backoff({
      firstMs: limits.policyRespawnMs,
      maxMs: limits.policyRespawnMaxMs,
      unit: () => options.random.unit(),
    });
  }

  load(ref: PolicyRef, bundle: string): void {
    if (this.#byHash.has(ref.hash) || this.#closed) return;
    const policy: Loaded = {
      id: this.#nextNumber++,
      ref,
      bundle,
      trips: new Trips(limits.policyTripsMax, limits.policyTripWindowMs),
      cpu: this.#options.cpuCounter?.(ref) ?? uncounted,
      state: "waiting",
      detail: "",
      introduced: false,
      description: null,
      bindings: new Map(),
      texts: [],
      textLength: 0,
      answers: [],
      described: [],
    };
    this.#byHash.set(ref.hash, policy);
    this.#byId.set(policy.id, policy);
    if (this.#child === null && this.#starts === 0) this.#start();
    else if (this.#seal !== null) this.#introduce(policy);
  }

  retain(hashes: ReadonlySet<string>): void {
    for (const policy of [...this.#byHash.values()]) if (!hashes.has(policy.ref.hash)) this.#unload(policy);
  }

  #unload(policy: Loaded): void {
    this.#flush();
    this.#byHash.delete(policy.ref.hash);
    this.#channel?.send(frameKinds.unload, policy.id, 0, "");
    this.#failAll(policy, "it was unloaded");
    this.#byId.delete(policy.id);
  }

  refOf(hash: string): PolicyRef | null {
    return this.#byHash.get(hash)?.ref ?? null;
  }

  evaluate(binding: PolicyBinding, call: PolicyCall, answer: Answer): void {
    const before = this.#numbers.get(binding);
    const bound = before !== undefined && this.#byId.has(before.policy.id) ? before : this.#bind(binding);
    if (bound === null) return this.#refuse(answer, "its bundle is not here");
    const { policy, number } = bound;
    if (policy.state === "quarantined" || policy.state === "broken")
      return this.#refuse(answer, policy.detail);
    if (this.#callsInFlight >= limits.policyInboxMax || this.#isStuffed()) {
      return this.#refuse(answer, `its inbox of ${limits.policyInboxMax} calls is full`);
    }
    const text = encodeCall(number, call);
    if (policy.state === "ready") return this.#enqueue(policy, text, answer);
    if (policy.ref.onError === "open") return this.#refuse(answer, "the policy host is not ready");
    this.#callsInFlight++;
    const untilMs = this.#options.clock.now() + limits.policyReadyMs;
    this.#waiting.push({ policy, text, answer, untilMs });
    this.#watch();
  }

  trip(hash: string, reason: string): void {
    const policy = this.#byHash.get(hash);
    if (policy !== undefined) this.#trip(policy, reason);
  }

  check(hash: string, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer> {
    return new Promise((resolve) => {
      const policy = this.#byHash.get(hash);
      if (policy === undefined) return resolve(problem("its bundle is not here"));
      const number = this.#nextNumber++;
      this.#checks.set(number, resolve);
      const timer = this.#options.clock.after(limits.policyLoadMs, () => {
        if (this.#checks.delete(number)) resolve(problem("the policy host did not answer in time"));
      });
      this.#checks.set(number, (answer) => {
        timer.cancel();
        this.#checks.delete(number);
        this.#channel?.send(frameKinds.unbind, policy.id, number, "");
        resolve(answer);
      });
      const ask = (): void => {
        if (policy.state !== "ready") this.#checks.get(number)?.(problem(policy.detail));
        this.#channel?.send(frameKinds.bind, policy.id, number, JSON.stringify(options));
      };
      if (policy.state === "waiting") policy.described.push(ask);
      else ask();
    });
  }

  describe(hash: string): Promise<string | null> {
    return new Promise((resolve) => {
      const policy = this.#byHash.get(hash);
      if (policy === undefined) return resolve(null);
      if (policy.state !== "waiting") return resolve(policy.description);
      policy.described.push(() => resolve(policy.description));
    });
  }

  status(): PolicyHostStatus {
    return {
      running: this.#seal !== null,
      sealed: this.#seal?.sealed ?? null,
      why: this.#seal?.why ?? null,
      pid: this.#child?.pid ?? 0,
      starts: this.#starts,
      policies: [...this.#byHash.values()].map(({ ref, state, detail }) => ({
        name: ref.name,
        hash: ref.hash,
        state,
        detail,
      })),
    };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#channel?.destroy();
    this.#child?.kill("SIGKILL");
    this.#child = null;
    this.#channel = null;
    for (const policy of this.#byHash.values()) this.#failAll(policy, "the policy host was closed");
  }

  // ------------------------------------------------------------------------------------------------- calls

  #bind(binding: PolicyBinding): { readonly policy: Loaded; readonly number: number } | null {
    const policy = this.#byHash.get(binding.hash);
    if (policy === undefined) return null;
    const options = JSON.stringify(binding.options);
    let number = policy.bindings.get(options);
    if (number === undefined) {
      number = this.#nextNumber++;
      policy.bindings.set(options, number);
      if (policy.introduced) this.#channel?.send(frameKinds.bind, policy.id, number, options);
    }
    const bound = { policy, number };
    this.#numbers.set(binding, bound);
    return bound;
  }

  #enqueue(policy: Loaded, text: string, answer: Answer): void {
    this.#callsInFlight++;
    policy.texts.push(text);
    policy.answers.push(answer);
    policy.textLength += text.length;
    if (
      policy.texts.length >= limits.policyBatchCallsMax ||
      policy.textLength > limits.policyMessageBytesMax
    ) {
      this.#sendBatch(policy);
    }
    if (this.#flushing) return;
    this.#flushing = true;
    this.#options.clock.soon(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (const policy of this.#byHash.values()) if (policy.texts.length > 0) this.#sendBatch(policy);
    this.#channel?.flush();
  }

  #sendBatch(policy: Loaded): void {
    const { answers, texts } = policy;
    policy.answers = [];
    policy.texts = [];
    policy.textLength = 0;
    const number = this.#nextNumber++;
    const sentMs = this.#options.clock.now();
    if (this.#batches.size === 0) this.#heardMs = sentMs;
    this.#batches.set(number, { policy, answers, sentMs, answered: 0 });
    const text = `[${this.#options.clock.wallMs()},[${texts.join(",")}]]`;
    this.#channel?.send(frameKinds.calls, policy.id, number, text);
    this.#watch();
  }

  #isStuffed(): boolean {
    return (this.#channel?.backlogBytes ?? 0) > limits.policyBacklogBytesMax;
  }

  #refuse(answer: Answer, reason: string): void {
    this.#options.clock.soon(() => answer({ ok: false, reason, us: 0 }));
  }

  /** Everything that waits for this policy gets the reason. */
  #failAll(policy: Loaded, reason: string): void {
    for (const [number, batch] of this.#batches) if (batch.policy === policy) this.#failBatch(number, reason);
    const { answers } = policy;
    policy.answers = [];
    policy.texts = [];
    policy.textLength = 0;
    this.#callsInFlight -= answers.length;
    for (const answer of answers) answer({ ok: false, reason, us: 0 });
    const ours = this.#waiting.filter((each) => each.policy === policy);
    this.#waiting = this.#waiting.filter((each) => each.policy !== policy);
    this.#callsInFlight -= ours.length;
    for (const each of ours) each.answer({ ok: false, reason, us: 0 });
  }

  #failBatch(number: number, reason: string): void {
    const batch = this.#batches.get(number);
    if (batch === undefined) return;
    this.#batches.delete(number);
    const left = batch.answers.slice(batch.answered);
    this.#callsInFlight -= left.length;
    for (const answer of left) answer({ ok: false, reason, us: 0 });
  }

  #trip(policy: Loaded, reason: string): void {
    if (policy.state === "quarantined" || !policy.trips.add(this.#options.clock.now())) return;
    policy.state = "quarantined";
    policy.detail = `it failed ${limits.policyTripsMax} times within ${limits.policyTripWindowMs / 1000} s, the last time: ${reason}`;
    this.#options.report(
      `Policy "${policy.ref.name}" ${policy.ref.version} is not asked any more: ${policy.detail}`,
    );
    this.#channel?.send(frameKinds.unload, policy.id, 0, "");
    this.#failAll(policy, policy.detail);
  }

  // ---------------------------------------------------------------------------------------------- the child

  #start(): void {
    const { process, clock } = this.#options;
    this.#starts++;
    this.#seal = null;
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
      frame: (kind, first, second, text) => this.#receive(kind, first, second, text),
      gone: () => child.kill("SIGKILL"),
    });
    this.#watch();
  }

  #receive(kind: number, id: number, number: number, text: string): void {
    this.#heardMs = this.#options.clock.now();
    const policy = this.#byId.get(id);
    switch (kind) {
      case frameKinds.ready:
        return this.#ready(parsed<ReadyText>(text));
      case frameKinds.loaded:
        return policy === undefined ? undefined : this.#loaded(policy, text);
      case frameKinds.bound:
        return this.#bound(policy, number, parsed<OptionsAnswer>(text));
      case frameKinds.answers:
      case frameKinds.answered:
        return this.#answered(number, text, kind === frameKinds.answered);
      case frameKinds.lost:
        return policy === undefined ? undefined : this.#workerLost(policy, parsed<LostText>(text));
    }
  }

  #ready(seal: ReadyText | null): void {
    if (seal === null) return;
    this.#seal = seal;
    if (!seal.sealed) {
      this.#options.report(`The policy host is not sealed: ${seal.why ?? "it does not say why"}`);
    }
    for (const policy of this.#byHash.values()) this.#introduce(policy);
  }

  #introduce(policy: Loaded): void {
    if (policy.state === "quarantined" || policy.state === "broken") return;
    const { bundle } = policy;
    policy.introduced = true;
    this.#channel?.send(frameKinds.load, policy.id, 0, JSON.stringify({ bundle, cpuMs: policy.ref.cpuMs }));
    for (const [options, number] of policy.bindings) {
      this.#channel?.send(frameKinds.bind, policy.id, number, options);
    }
  }

  #loaded(policy: Loaded, description: string): void {
    policy.description = description;
    if (policy.state === "waiting") policy.state = "ready";
    const ours = this.#waiting.filter((each) => each.policy === policy);
    this.#waiting = this.#waiting.filter((each) => each.policy !== policy);
    this.#callsInFlight -= ours.length;
    for (const { text, answer } of ours) this.#enqueue(policy, text, answer);
    this.#tellDescribed(policy);
  }

  #tellDescribed(policy: Loaded): void {
    const { described } = policy;
    policy.described = [];
    for (const call of described) call();
  }

  #bound(policy: Loaded | undefined, number: number, answer: OptionsAnswer | null): void {
    const check = this.#checks.get(number);
    const found = answer ?? problem("its answer is no JSON");
    if (check !== undefined) return check(found);
    if (policy === undefined || found.issues.length === 0) return;
    const [first] = found.issues;
    this.#options.report(
      `Options of policy "${policy.ref.name}" are wrong: ${first?.path ?? ""} ${first?.message ?? ""}`,
    );
  }

  #answered(number: number, text: string, last: boolean): void {
    const batch = this.#batches.get(number);
    if (batch === undefined) return;
    const [, cpuUs = 0, us = [], answers = []] = parsed<AnswersText>(text) ?? [];
    const { policy } = batch;
    countCpu(policy, cpuUs);
    for (let index = 0; index < us.length && batch.answered < batch.answers.length; index++) {
      const decision = answers[index];
      const answer = batch.answers[batch.answered++];
      this.#callsInFlight--;
      answer?.({ ok: true, decision, us: us[index] ?? 0 });
    }
    if (!last) return;
    if (batch.answered < batch.answers.length) {
      const reason = "it answered fewer calls than it was asked";
      this.#failBatch(number, reason);
      this.#trip(policy, reason);
    } else this.#batches.delete(number);
    // A host that does its work may be restarted quickly again.
    this.#backoff.reset();
  }

  #workerLost(policy: Loaded, lost: LostText | null): void {
    const reason = lost?.reason ?? "its worker ended";
    countCpu(policy, lost?.busyUs ?? 0);
    for (const number of lost?.batches ?? []) this.#failBatch(number, reason);
    if (lost?.restarted === true) {
      this.#options.report(`Policy "${policy.ref.name}" was stopped and started again: ${reason}`);
      return this.#trip(policy, reason);
    }
    policy.state = "broken";
    policy.detail = `it could not be loaded: ${reason}`;
    this.#options.report(`Policy "${policy.ref.name}" ${policy.detail}`);
    this.#failAll(policy, policy.detail);
    this.#tellDescribed(policy);
  }

  /** The process is gone: whoever waited is told, whoever was running is suspected, and the next one is started. */
  #lost(child: Child, how: string): void {
    if (this.#closed || child !== this.#child) return;
    const reason = this.#verdict ?? how;
    this.#channel?.destroy();
    this.#child = null;
    this.#channel = null;
    this.#seal = null;
    const suspects = this.#suspects();
    for (const policy of this.#byHash.values()) {
      policy.introduced = false;
      if (policy.state === "ready") policy.state = "waiting";
      for (const [number, batch] of this.#batches) {
        if (batch.policy === policy) this.#failBatch(number, `the policy host ended: ${reason}`);
      }
    }
    const waitMs = this.#backoff.nextMs();
    this.#options.report(`The policy host is started again in ${Math.round(waitMs)} ms: ${reason}`);
    for (const policy of suspects) this.#trip(policy, `the policy host ended while it ran: ${reason}`);
    this.#options.clock.after(waitMs, () => {
      if (!this.#closed) this.#start();
    });
  }

  /** Who was in a call for long when the host ended; else everybody who was in one; else all. */
  #suspects(): Set<Loaded> {
    const now = this.#options.clock.now();
    const running = [...this.#batches.values()];
    const long = running.filter((batch) => now - batch.sentMs > limits.policyWatchdogMs);
    const chosen = long.length > 0 ? long : running;
    if (chosen.length > 0) return new Set(chosen.map((batch) => batch.policy));
    return new Set(this.#byHash.values());
  }

  // ---------------------------------------------------------------------------------------------- the watch

  /** While something is asked the host is looked at often; a quiet one, now and then. */
  #watch(): void {
    if (this.#closed) return;
    const busy = this.#callsInFlight > 0 || this.#seal === null;
    if (this.#timer !== null && (this.#watchesClosely || !busy)) return;
    this.#timer?.cancel();
    this.#watchesClosely = busy;
    const waitMs = busy ? limits.policyHostWatchMs : limits.policyHostIdleWatchMs;
    this.#timer = this.#options.clock.after(waitMs, () => this.#look(), true);
  }

  #look(): void {
    this.#timer = null;
    if (this.#closed) return;
    this.#judge();
    if (this.#child !== null || this.#waiting.length > 0) this.#watch();
  }

  #judge(): void {
    const now = this.#options.clock.now();
    this.#expire(now);
    const child = this.#child;
    if (child === null) return;
    const bytes = this.#options.process.residentBytesOf(child.pid);
    const most = limits.policyHostBaseBytesMax + this.#byHash.size * limits.policyMemoryBytesMax;
    if (bytes !== null && bytes > most) {
      return this.#end(child, `it took ${mib(bytes)} MiB of memory, more than ${mib(most)}`);
    }
    const silent = now - this.#heardMs;
    if ((this.#batches.size > 0 || this.#seal === null) && silent > limits.policyHostSilentMs) {
      this.#end(child, `it was silent for ${Math.round(silent)} ms`);
    }
  }

  #end(child: Child, reason: string): void {
    this.#verdict ??= reason;
    child.kill("SIGKILL");
  }

  #expire(now: number): void {
    const over = this.#waiting.filter((each) => each.untilMs <= now);
    if (over.length === 0) return;
    this.#waiting = this.#waiting.filter((each) => each.untilMs > now);
    this.#callsInFlight -= over.length;
    for (const { answer } of over) {
      answer({ ok: false, reason: `it was not ready within ${limits.policyReadyMs} ms`, us: 0 });
    }
  }
}

/** What the host says is doubted too; null when it is no JSON. */
function parsed<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}

const uncounted: Pick<Counter, "add"> = { add() {} };

/** A counter never goes back, whatever the host says. */
function countCpu(policy: Loaded, cpuUs: number): void {
  if (cpuUs > 0 && Number.isFinite(cpuUs)) policy.cpu.add(cpuUs / 1e6);
}

function problem(message: string): OptionsAnswer {
  return { issues: [{ path: "", message }] };
}

function told(said: readonly string[]): string {
  const text = said.join("").trim();
  return text === "" ? "" : `: ${text.slice(-400)}`;
}

function mib(bytes: number): number {
  return Math.round(bytes / (1024 * 1024));
}

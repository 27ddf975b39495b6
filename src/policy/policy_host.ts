/**
 * The policy host as the proxy sees it: policies are loaded into a sealed child process, asked, and put aside when they fail too
 * often. Whoever runs the process is `host_process.ts`, whoever carries calls is `call_batches.ts`; here they meet: what the
 * process says is told to those whom it concerns, and its end to everybody.
 */
import { limits } from "../model/limits.ts";
import type { PolicyBinding, PolicyRef } from "../model/snapshot.ts";
import type { Clock, ProcessHost, Random, Timer } from "../../runtime/contract.ts";
import type { Counter } from "../telemetry/metrics.ts";
import { CallBatches } from "./call_batches.ts";
import { HostProcess } from "./host_process.ts";
import { countCpu, newPolicy, type LoadedPolicy } from "./loaded_policy.ts";
import { OptionsChecks, optionsProblem, type OptionsAnswer } from "./options_checks.ts";
import { encodeCall, type Answer, type PolicyCall } from "./policy_call.ts";
import { frameKinds, type AnswersText, type LostText, type ReadyText } from "./protocol.ts";

export interface PolicyHostOptions {
  readonly process: Pick<ProcessHost, "spawn" | "self" | "residentBytesOf">;
  readonly clock: Clock;
  readonly random: Pick<Random, "unit">;
  /** Something an operator should hear of: one plain sentence. */
  readonly report: (sentence: string) => void;
  /** Counts the CPU seconds that a policy takes in the host; asked for once per policy. */
  readonly cpuCounter?: (ref: PolicyRef) => Pick<Counter, "add">;
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
  evaluate(binding: PolicyBinding, call: PolicyCall, answer: Answer): void;
  /** Counts a failure of the policy that only its caller could see. */
  trip(hash: string, reason: string): void;
  /** Checks options without using them. */
  check(hash: string, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer>;
  /** What the loaded bundle says of itself; null when it could not be loaded. */
  describe(hash: string): Promise<string | null>;
  status(): PolicyHostStatus;
  close(): void;
}

export function createPolicyHost(options: PolicyHostOptions): PolicyHost {
  return new SealedHost(options);
}

/** A binding as the host knows it. */
interface Bound {
  readonly policy: LoadedPolicy;
  readonly number: number;
}

class SealedHost implements PolicyHost {
  readonly #options: PolicyHostOptions;
  readonly #process: HostProcess;
  readonly #calls: CallBatches;
  readonly #checks: OptionsChecks;
  readonly #byHash = new Map<string, LoadedPolicy>();
  readonly #byId = new Map<number, LoadedPolicy>();
  readonly #numbers = new WeakMap<PolicyBinding, Bound>();
  #nextNumber = 1;
  #timer: Timer | null = null;
  #watchesClosely = false;
  #closed = false;

  constructor(options: PolicyHostOptions) {
    this.#options = options;
    const { process, clock, random } = options;
    this.#checks = new OptionsChecks(clock);
    this.#process = new HostProcess({
      process,
      clock,
      random,
      started: () => this.#watch(),
      frame: (kind, id, number, text) => this.#receive(kind, id, number, text),
      lost: (reason, waitMs) => this.#lost(reason, waitMs),
    });
    this.#calls = new CallBatches({
      clock,
      policies: () => this.#byHash.values(),
      number: () => this.#nextNumber++,
      send: (policy, number, text, owesSinceMs) => {
        if (owesSinceMs !== null) this.#process.owes(owesSinceMs);
        this.#process.send(frameKinds.calls, policy.id, number, text);
        this.#watch();
      },
      flushed: () => this.#process.flush(),
    });
  }

  // ---------------------------------------------------------------------------------------------- policies

  load(ref: PolicyRef, bundle: string): void {
    if (this.#byHash.has(ref.hash) || this.#closed) return;
    const policy = newPolicy(this.#nextNumber++, ref, bundle, this.#options.cpuCounter?.(ref));
    this.#byHash.set(ref.hash, policy);
    this.#byId.set(policy.id, policy);
    if (this.#process.starts === 0) this.#process.start();
    else if (this.#process.seal !== null) this.#introduce(policy);
  }

  retain(hashes: ReadonlySet<string>): void {
    for (const policy of [...this.#byHash.values()]) if (!hashes.has(policy.ref.hash)) this.#unload(policy);
  }

  #unload(policy: LoadedPolicy): void {
    this.#calls.flush();
    this.#byHash.delete(policy.ref.hash);
    this.#process.send(frameKinds.unload, policy.id, 0, "");
    this.#calls.failAll(policy, "it was unloaded");
    this.#byId.delete(policy.id);
  }

  refOf(hash: string): PolicyRef | null {
    return this.#byHash.get(hash)?.ref ?? null;
  }

  #introduce(policy: LoadedPolicy): void {
    if (policy.state === "quarantined" || policy.state === "broken") return;
    const { bundle } = policy;
    policy.introduced = true;
    this.#process.send(frameKinds.load, policy.id, 0, JSON.stringify({ bundle, cpuMs: policy.ref.cpuMs }));
    for (const [options, number] of policy.bindings) {
      this.#process.send(frameKinds.bind, policy.id, number, options);
    }
  }

  trip(hash: string, reason: string): void {
    const policy = this.#byHash.get(hash);
    if (policy !== undefined) this.#trip(policy, reason);
  }

  #trip(policy: LoadedPolicy, reason: string): void {
    if (policy.state === "quarantined" || !policy.trips.add(this.#options.clock.now())) return;
    policy.state = "quarantined";
    policy.detail = `it failed ${limits.policyTripsMax} times within ${limits.policyTripWindowMs / 1000} s, the last time: ${reason}`;
    this.#options.report(
      `Policy "${policy.ref.name}" ${policy.ref.version} is not asked any more: ${policy.detail}`,
    );
    this.#process.send(frameKinds.unload, policy.id, 0, "");
    this.#calls.failAll(policy, policy.detail);
  }

  // ------------------------------------------------------------------------------------------ what is asked

  evaluate(binding: PolicyBinding, call: PolicyCall, answer: Answer): void {
    const before = this.#numbers.get(binding);
    const bound = before !== undefined && this.#byId.has(before.policy.id) ? before : this.#bind(binding);
    if (bound === null) return this.#refuse(answer, "its bundle is not here");
    const { policy, number } = bound;
    if (policy.state === "quarantined" || policy.state === "broken")
      return this.#refuse(answer, policy.detail);
    if (this.#calls.full || this.#process.stuffed) {
      return this.#refuse(answer, `its inbox of ${limits.policyInboxMax} calls is full`);
    }
    const text = encodeCall(number, call);
    if (policy.state === "ready") return this.#calls.add(policy, text, answer);
    if (policy.ref.onError === "open") return this.#refuse(answer, "the policy host is not ready");
    this.#calls.hold(policy, text, answer);
    this.#watch();
  }

  #refuse(answer: Answer, reason: string): void {
    this.#options.clock.soon(() => answer({ ok: false, reason, us: 0 }));
  }

  #bind(binding: PolicyBinding): Bound | null {
    const policy = this.#byHash.get(binding.hash);
    if (policy === undefined) return null;
    const options = JSON.stringify(binding.options);
    let number = policy.bindings.get(options);
    if (number === undefined) {
      number = this.#nextNumber++;
      policy.bindings.set(options, number);
      if (policy.introduced) this.#process.send(frameKinds.bind, policy.id, number, options);
    }
    const bound = { policy, number };
    this.#numbers.set(binding, bound);
    return bound;
  }

  check(hash: string, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer> {
    return new Promise((resolve) => {
      const policy = this.#byHash.get(hash);
      if (policy === undefined) return resolve(optionsProblem("its bundle is not here"));
      const number = this.#nextNumber++;
      let asked = false;
      this.#checks.begin(number, resolve, () => {
        if (asked) this.#process.send(frameKinds.unbind, policy.id, number, "");
      });
      const ask = (): void => {
        asked = policy.state === "ready";
        if (asked) this.#process.send(frameKinds.bind, policy.id, number, JSON.stringify(options));
        else this.#checks.answer(number, optionsProblem(policy.detail));
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
    const { seal, pid, starts } = this.#process;
    return {
      running: seal !== null,
      sealed: seal?.sealed ?? null,
      why: seal?.why ?? null,
      pid,
      starts,
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
    this.#process.close();
    for (const policy of this.#byHash.values()) this.#calls.failAll(policy, "the policy host was closed");
  }

  // -------------------------------------------------------------------------------------- what the host says

  #receive(kind: number, id: number, number: number, text: string): void {
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
    this.#process.seal = seal;
    if (!seal.sealed) {
      this.#options.report(`The policy host is not sealed: ${seal.why ?? "it does not say why"}`);
    }
    for (const policy of this.#byHash.values()) this.#introduce(policy);
  }

  #loaded(policy: LoadedPolicy, description: string): void {
    policy.description = description;
    if (policy.state === "waiting") policy.state = "ready";
    this.#calls.release(policy);
    this.#tellDescribed(policy);
  }

  #tellDescribed(policy: LoadedPolicy): void {
    const { described } = policy;
    policy.described = [];
    for (const call of described) call();
  }

  #bound(policy: LoadedPolicy | undefined, number: number, answer: OptionsAnswer | null): void {
    const found = answer ?? optionsProblem("its answer is no JSON");
    if (this.#checks.answer(number, found)) return;
    if (policy === undefined || found.issues.length === 0) return;
    const [first] = found.issues;
    this.#options.report(
      `Options of policy "${policy.ref.name}" are wrong: ${first?.path ?? ""} ${first?.message ?? ""}`,
    );
  }

  #answered(number: number, text: string, last: boolean): void {
    const policy = this.#calls.policyOf(number);
    if (policy === null) return;
    const [, cpuUs = 0, us = [], answers = []] = parsed<AnswersText>(text) ?? [];
    countCpu(policy, cpuUs);
    this.#calls.answer(number, us, answers);
    if (!last) return;
    const reason = "it answered fewer calls than it was asked";
    if (!this.#calls.close(number, reason)) this.#trip(policy, reason);
    this.#process.works();
  }

  #workerLost(policy: LoadedPolicy, lost: LostText | null): void {
    const reason = lost?.reason ?? "its worker ended";
    countCpu(policy, lost?.busyUs ?? 0);
    for (const number of lost?.batches ?? []) this.#calls.failBatch(number, reason);
    if (lost?.restarted === true) {
      this.#options.report(`Policy "${policy.ref.name}" was stopped and started again: ${reason}`);
      return this.#trip(policy, reason);
    }
    policy.state = "broken";
    policy.detail = `it could not be loaded: ${reason}`;
    this.#options.report(`Policy "${policy.ref.name}" ${policy.detail}`);
    this.#calls.failAll(policy, policy.detail);
    this.#tellDescribed(policy);
  }

  // ---------------------------------------------------------------------------------------- how the host does

  /** The process is gone: whoever waited is told, whoever was running is suspected. */
  #lost(reason: string, waitMs: number): void {
    const running = this.#calls.running(this.#options.clock.now());
    const suspects = running.size > 0 ? running : new Set(this.#byHash.values());
    for (const policy of this.#byHash.values()) {
      policy.introduced = false;
      if (policy.state === "ready") policy.state = "waiting";
      this.#calls.failBatchesOf(policy, `the policy host ended: ${reason}`);
    }
    this.#options.report(`The policy host is started again in ${Math.round(waitMs)} ms: ${reason}`);
    for (const policy of suspects) this.#trip(policy, `the policy host ended while it ran: ${reason}`);
  }

  /** While something is asked the host is looked at often; a quiet one, now and then. */
  #watch(): void {
    if (this.#closed) return;
    const busy = this.#calls.inFlight > 0 || this.#process.seal === null;
    if (this.#timer !== null && (this.#watchesClosely || !busy)) return;
    this.#timer?.cancel();
    this.#watchesClosely = busy;
    const waitMs = busy ? limits.policyHostWatchMs : limits.policyHostIdleWatchMs;
    this.#timer = this.#options.clock.after(waitMs, () => this.#look(), true);
  }

  #look(): void {
    this.#timer = null;
    if (this.#closed) return;
    this.#calls.expire(this.#options.clock.now());
    this.#process.judge(this.#byHash.size, this.#calls.owed);
    if (this.#process.lives || this.#calls.anyWaits) this.#watch();
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

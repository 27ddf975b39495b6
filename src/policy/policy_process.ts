/**
 * One sealed process and the policies in it: all versions of one name, or all policies that ship. Whoever runs the process is
 * `host_process.ts`, whoever carries calls is `call_batches.ts`; here they meet: what the process says is told to those whom it
 * concerns, its end to everybody in it, and nobody outside hears of it. A process that breaks the protocol is ended at once.
 *
 * A process for each name costs little: idle 9 MB that no other shares, 48 ms from nothing to the first decision, 6 us of processor time
 * on both sides for a call in batches of 64 (`npm run bench -- --only policies` measures it).
 */
import { limits } from "../model/limits.ts";
import type { Clock, ProcessHost, Random } from "../../runtime/contract.ts";
import { CallBatches } from "./call_batches.ts";
import { hangWallMs } from "./hang.ts";
import { HostProcess } from "./host_process.ts";
import { KnownOptions } from "./known_options.ts";
import { countCpu, tellDescribed, type LoadedPolicy } from "./loaded_policy.ts";
import { OptionsChecks, optionsProblem, type OptionsAnswer } from "./options_checks.ts";
import { encodeCall, type Answer, type PolicyCall } from "./policy_call.ts";
import { frameKinds } from "./protocol.ts";
import { isWaiting } from "./wait_decision.ts";
import type { PolicyProcessStatus } from "./process_status.ts";
import { readBound, readLoaded, readLost, readReady } from "./said.ts";
import { Watch } from "./watch.ts";

export interface PolicyProcessOptions {
  /** Name of its policies, or what stands for those that ship. */
  readonly name: string;
  readonly process: Pick<ProcessHost, "spawn" | "self" | "residentBytesOf" | "processorMsOf">;
  readonly clock: Clock;
  readonly random: Pick<Random, "unit">;
  /** Something an operator should hear of: one plain sentence. */
  readonly report: (sentence: string) => void;
  /** It was started once more. */
  readonly started: () => void;
  /** Whether policies run in a process that could not be sealed. */
  readonly takesUnsealed: () => boolean;
}

export class PolicyProcess {
  readonly #options: PolicyProcessOptions;
  readonly #process: HostProcess;
  readonly #calls: CallBatches;
  readonly #watch: Watch;
  readonly #checks: OptionsChecks<LoadedPolicy>;
  readonly #known: KnownOptions;
  readonly #policies = new Set<LoadedPolicy>();
  /** Those that the running process was given, by the number of that occasion: what is said of an earlier one comes too late. */
  readonly #introduced = new Map<number, LoadedPolicy>();
  #nextId = 1;
  #lateFrames = 0;
  #lateBytes = 0;
  /** Who broke the protocol. */
  #culprit: LoadedPolicy | null = null;

  constructor(options: PolicyProcessOptions) {
    this.#options = options;
    const { process, clock, random } = options;
    this.#checks = new OptionsChecks(clock);
    this.#known = new KnownOptions((kind, policy, number, text) => {
      if (this.#introduced.has(policy.id)) this.#process.send(kind, policy.id, number, text);
    });
    const busy = (): boolean => this.#calls.inFlight > 0 || this.#owing;
    this.#watch = new Watch({ clock, busy, look: () => this.#look() });
    this.#process = new HostProcess({
      process,
      clock,
      random,
      started: () => {
        options.started();
        this.#watch.begin();
      },
      unstarted: (reason) => options.report(`There is no process for ${options.name}: ${reason}`),
      frame: (kind, id, number, text) => this.#receive(kind, id, number, text),
      lost: (reason) => this.#lost(reason),
    });
    this.#calls = new CallBatches({
      clock,
      policies: () => this.#policies,
      send: (policy, number, text, owesSinceMs) => {
        if (owesSinceMs !== null) this.#process.owes(owesSinceMs);
        this.#process.send(frameKinds.calls, policy.id, number, text);
        this.#watch.begin();
      },
      flushed: () => this.#process.flush(),
      unreadable: (policy, reason) => this.trip(policy, reason),
    });
  }

  get empty(): boolean {
    return this.#policies.size === 0;
  }

  get status(): PolicyProcessStatus {
    const { seal, pid, starts } = this.#process;
    const sealed = seal?.sealed ?? null;
    return {
      name: this.#options.name,
      running: seal !== null,
      sealed,
      why: seal?.why ?? null,
      pid,
      starts,
      policies: this.#policies.size,
    };
  }

  // ---------------------------------------------------------------------------------------------- policies

  load(policy: LoadedPolicy): void {
    this.#policies.add(policy);
    this.#need(policy);
  }

  unload(policy: LoadedPolicy): void {
    this.#calls.flush();
    this.#policies.delete(policy);
    this.#withdraw(policy);
    this.#abandon(policy, "it was unloaded");
  }

  /** Has it in the process, which is started when there is none. */
  #need(policy: LoadedPolicy): void {
    if (!this.#process.begun) this.#process.start();
    else if (this.#process.seal !== null) this.#introduce(policy);
  }

  #introduce(policy: LoadedPolicy): void {
    if (policy.quarantine.closed) return;
    if (this.#unfit !== null) return this.#broken(policy, this.#unfit);
    const { bundle } = policy;
    policy.id = this.#nextId++;
    this.#introduced.set(policy.id, policy);
    policy.cpuToldMs = this.#options.clock.now();
    this.#process.send(frameKinds.load, policy.id, 0, JSON.stringify({ bundle, cpuMs: policy.ref.cpuMs }));
    this.#known.tellAll(policy);
    this.#process.owes(this.#options.clock.now());
    this.#watch.begin();
  }

  /** Why nothing is to run in the process; null: it may. */
  get #unfit(): string | null {
    const { seal } = this.#process;
    if (seal?.sealed !== false || this.#options.takesUnsealed()) return null;
    return `its process is not sealed (${seal.why ?? "it does not say why"}), and the Mesh says unsealedPolicies: refuse`;
  }

  /** Whether unsealed ones may run has been decided anew. */
  judgeSeal(): void {
    if (this.#unfit !== null && this.#introduced.size > 0) this.#process.end(this.#unfit);
  }

  #withdraw(policy: LoadedPolicy): void {
    if (!this.#introduced.delete(policy.id)) return;
    this.#process.send(frameKinds.unload, policy.id, 0, "");
    this.#lateFrames = this.#lateBytes = 0;
  }

  /** Counts a failure of the policy. */
  trip(policy: LoadedPolicy, reason: string): void {
    const { policyTripsMax, policyTripWindowMs } = limits;
    const { onTrial } = policy.quarantine;
    if (!policy.quarantine.fail(this.#options.clock.now(), reason)) return;
    const how = onTrial
      ? "it failed again when it was tried"
      : `it failed ${policyTripsMax} times within ${policyTripWindowMs / 1000} s`;
    this.#putAside(policy, "quarantined", `${how}, the last time: ${reason}`);
  }

  #putAside(policy: LoadedPolicy, state: "broken" | "quarantined", detail: string): void {
    policy.state = state;
    policy.detail = detail;
    policy.tried = false;
    const { name, version } = policy.ref;
    const waitS = policy.quarantine.waitMs / 1_000;
    this.#options.report(`Policy "${name}" ${version} is not asked any more for ${waitS} s: ${detail}`);
    this.#withdraw(policy);
    this.#abandon(policy, detail);
  }

  /** Whoever waits for the policy hears why it will not answer. */
  #abandon(policy: LoadedPolicy, reason: string): void {
    this.#calls.failAll(policy, reason);
    this.#checks.fail(policy, reason);
    tellDescribed(policy);
  }

  /** After its wait a policy that was put aside is loaded again, for one call. */
  #tryAgain(policy: LoadedPolicy): void {
    if (!policy.quarantine.try(this.#options.clock.now())) return;
    policy.state = "waiting";
    policy.tried = false;
    this.#need(policy);
  }

  // ------------------------------------------------------------------------------------------ what is asked

  /** Asks the policy under options that `numberOf` gave the number for. */
  evaluate(policy: LoadedPolicy, number: number, call: PolicyCall, answer: Answer): void {
    const [{ quarantine }, isNew] = [policy, call.resumes === undefined];
    if (quarantine.closed && isNew) this.#tryAgain(policy);
    if (quarantine.closed || (policy.tried && isNew)) return this.#refuse(answer, policy.detail);
    const share = call.hook === "onChunk" ? limits.policyChunkShare : 1;
    if (this.#calls.isFull(share) || this.#process.isStuffed(share))
      return this.#refuse(answer, `its inbox of ${limits.policyInboxMax * share} calls is full`);
    if (policy.state !== "ready" && policy.ref.onError === "open")
      return this.#refuse(answer, "the policy host is not ready");
    const told = quarantine.onTrial ? this.#onTrial(policy, answer) : answer;
    const text = encodeCall(number, call);
    if (policy.state === "ready") return this.#calls.add(policy, text, told);
    this.#calls.hold(policy, text, told);
    this.#watch.begin();
  }

  /** The answer that ends a trial: whoever gets it may find a fault in it. */
  #onTrial(policy: LoadedPolicy, answer: Answer): Answer {
    policy.tried = true;
    return (given, atMs) => {
      answer(given, atMs);
      policy.tried = false;
      if (!given.ok || !policy.quarantine.onTrial || isWaiting(given.decision)) return;
      policy.quarantine.release(this.#options.clock.now());
      policy.detail = "";
      this.#options.report(`Policy "${policy.ref.name}" ${policy.ref.version} is asked again`);
    };
  }

  #refuse(answer: Answer, reason: string): void {
    this.#options.clock.soon(() => answer({ ok: false, reason, us: 0 }));
  }

  /** The number by which options of a policy are known in the process. */
  numberOf(policy: LoadedPolicy, options: string): number {
    return this.#known.numberOf(policy, options);
  }

  /** Forgets the options that are none of these. */
  keepOptions(policy: LoadedPolicy, kept: ReadonlySet<string>): void {
    this.#calls.flush();
    this.#known.keep(policy, kept);
  }

  check(policy: LoadedPolicy, options: string, answered: (answer: OptionsAnswer) => void): void {
    const number = this.#known.newNumber();
    let asked = false;
    this.#checks.begin(number, policy, answered, () => {
      if (asked) this.#known.forget(policy, number);
    });
    const ask = (): void => {
      asked = policy.state === "ready";
      if (asked) this.#known.tell(policy, number, options);
      else this.#checks.answer(number, optionsProblem(policy.detail));
    };
    if (policy.quarantine.closed) this.#tryAgain(policy);
    if (policy.state === "waiting") policy.described.push(ask);
    else ask();
  }

  close(): void {
    this.#watch.close();
    this.#process.close();
    for (const policy of this.#policies) this.#abandon(policy, "the policy host was closed");
  }

  // ----------------------------------------------------------------------------------- what the process says

  #receive(kind: number, id: number, number: number, text: string): void {
    const policy = this.#introduced.get(id) ?? null;
    const problem = this.#take(kind, policy, number, text);
    if (problem === null) return;
    this.#culprit = policy;
    this.#process.end(`it broke the protocol: ${problem}`);
  }

  /** Null, or how that breaks the protocol. */
  #take(kind: number, policy: LoadedPolicy | null, number: number, text: string): string | null {
    if (kind === frameKinds.ready) return this.#ready(text);
    if (this.#process.seal === null) return "it speaks before it is ready";
    if (policy === null) return this.#late(text);
    switch (kind) {
      case frameKinds.loaded:
        return this.#loaded(policy, text);
      case frameKinds.bound:
        return this.#bound(policy, number, text);
      case frameKinds.answers:
      case frameKinds.answered:
        return this.#answered(policy, number, text, kind === frameKinds.answered);
      case frameKinds.lost:
        return this.#workerLost(policy, text);
      default:
        return `it says nothing that has the kind ${kind}`;
    }
  }

  /** Of a policy that it has not any more. */
  #late({ length }: string): string | null {
    const { policyLateFramesMax, policyLateBytesMax } = limits;
    this.#lateBytes += length;
    const fits = ++this.#lateFrames <= policyLateFramesMax && this.#lateBytes <= policyLateBytesMax;
    return fits ? null : "it speaks of what it has not";
  }

  #ready(text: string): string | null {
    const seal = readReady(text);
    if (seal === null || this.#process.seal !== null) return "nobody can read whether it is sealed";
    this.#process.seal = seal;
    if (!seal.sealed) {
      this.#options.report(`The policy host is not sealed: ${seal.why ?? "it does not say why"}`);
    }
    for (const policy of this.#policies) this.#introduce(policy);
    return null;
  }

  #loaded(policy: LoadedPolicy, text: string): string | null {
    if (policy.state !== "waiting") return "it loads what it had loaded";
    policy.description = readLoaded(text);
    if (policy.description === null) {
      this.#broken(policy, "nobody can read what it says of itself");
      return null;
    }
    policy.state = "ready";
    this.#calls.release(policy);
    tellDescribed(policy);
    return null;
  }

  #bound(policy: LoadedPolicy, number: number, text: string): string | null {
    if (!policy.unbound.delete(number)) return "it speaks of options that it was not asked about";
    const found = readBound(text) ?? optionsProblem("nobody can read what the policy says of its options");
    const [first] = found.issues;
    if (this.#checks.answer(number, found) || first === undefined) return null;
    this.#options.report(`Options of policy "${policy.ref.name}" are wrong: ${first.path} ${first.message}`);
    return null;
  }

  #answered(policy: LoadedPolicy, number: number, text: string, last: boolean): string | null {
    const problem = this.#calls.take(policy, number, text, last);
    if (problem === null) this.#process.works();
    return problem;
  }

  #workerLost(policy: LoadedPolicy, text: string): string | null {
    const lost = readLost(text);
    if (lost === null) return "nobody can read whose worker ended";
    const { reason, batches, restarted } = lost;
    for (const number of batches) {
      if (!this.#calls.failOf(policy, number, reason)) return "it lost a batch that it was not asked";
    }
    countCpu(policy, lost.busyUs, this.#options.clock.now());
    if (restarted) {
      this.#options.report(`Policy "${policy.ref.name}" was stopped and started again: ${reason}`);
      this.trip(policy, reason);
      return null;
    }
    this.#broken(policy, reason);
    return null;
  }

  #broken(policy: LoadedPolicy, reason: string): void {
    policy.quarantine.putAside(this.#options.clock.now());
    this.#putAside(policy, "broken", `it could not be loaded: ${reason}`);
  }

  // ------------------------------------------------------------------------------------- how the process does

  /** The process is gone: whoever waited is told, whoever broke the protocol or was running is suspected. */
  #lost(reason: string): void {
    const { name } = this.#options;
    const suspects = this.#suspects();
    this.#culprit = null;
    this.#introduced.clear();
    for (const policy of this.#policies) {
      if (policy.state === "ready") policy.state = "waiting";
      this.#calls.failSent(policy, `its process ended: ${reason}`);
    }
    this.#options.report(`The process of ${name} ended: ${reason}`);
    for (const policy of suspects) this.trip(policy, `its process ended while it ran: ${reason}`);
    if ([...this.#policies].some((policy) => !policy.quarantine.closed)) this.#process.startLater();
  }

  #suspects(): Iterable<LoadedPolicy> {
    if (this.#culprit !== null) return [this.#culprit];
    const running = this.#calls.running(this.#options.clock.now());
    return running.size > 0 ? running : [...this.#policies];
  }

  /** It has been asked something, or has to load something, or to start. */
  get #owing(): boolean {
    if (this.#calls.owed || this.#process.seal === null) return true;
    for (const policy of this.#introduced.values()) if (policy.state === "waiting") return true;
    return false;
  }

  /** Whether there is anything left to look at. */
  #look(): boolean {
    this.#calls.expire(this.#options.clock.now());
    const hangs = [...this.#policies].map((policy) => hangWallMs(policy.ref.cpuMs));
    const patienceMs = Math.max(limits.policyLoadMs, ...hangs) + limits.policyHostSilentMs;
    this.#process.judge({ policies: this.#policies.size, owing: this.#owing, patienceMs });
    return this.#process.lives || this.#calls.anyWaits;
  }
}

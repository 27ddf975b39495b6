/**
 * The policies of a proxy: each name has a sealed process of its own with all versions of it inside, those that ship share one.
 * So what breaks a worker, a realm or a process breaks one policy, and the others answer meanwhile; `policy_process.ts` is one
 * of them. How many there may be is `policyProcessesMax`; a policy beyond that cannot be asked and fails as it says of itself.
 */
import { limits } from "../model/limits.ts";
import type { PolicyBinding, PolicyRef } from "../model/snapshot.ts";
import type { Clock, ProcessHost, Random } from "../../runtime/contract.ts";
import type { Counter } from "../telemetry/metrics.ts";
import { EarlierVersions } from "./earlier_versions.ts";
import { newPolicy, type LoadedPolicy } from "./loaded_policy.ts";
import { policiesBytesMax } from "./memory.ts";
import { optionsProblem, type OptionsAnswer } from "./options_checks.ts";
import type { Answer, PolicyCall } from "./policy_call.ts";
import { PolicyProcess } from "./policy_process.ts";
import type { PolicyProcessStatus } from "./process_status.ts";
import { lacking, ownSupport } from "./support.ts";

export interface PolicyHostOptions {
  readonly process: Pick<ProcessHost, "spawn" | "self" | "residentBytesOf" | "processorMsOf">;
  readonly clock: Clock;
  readonly random: Pick<Random, "unit">;
  /** Something an operator should hear of: one plain sentence. */
  readonly report: (sentence: string) => void;
  /** Counts the CPU seconds that a policy takes in its process; asked for once per policy. */
  readonly cpuCounter?: (ref: PolicyRef) => Pick<Counter, "add">;
}

export interface PolicyStatus {
  readonly name: string;
  readonly hash: string;
  /** `trial`: it was put aside, and one call will show whether it does its work again. */
  readonly state: LoadedPolicy["state"] | "trial";
  readonly detail: string;
}

export interface PolicyHostStatus {
  readonly processes: readonly PolicyProcessStatus[];
  /** Of all processes, also those that are not needed any more. */
  readonly starts: number;
  readonly policies: readonly PolicyStatus[];
  /** What the processes that there are may take, and what is kept for them here. */
  readonly memoryBytesMax: number;
}

export interface PolicyHost {
  /** Takes a bundle; a process is started with the first one of its name. The same hash again is nothing. */
  load(ref: PolicyRef, bundle: string): void;
  /** Unloads every other bundle. */
  retain(hashes: ReadonlySet<string>): void;
  /** Forgets options that none of these gives to its policy: documents change, and processes stay. */
  keepBindings(bindings: Iterable<PolicyBinding>): void;
  refOf(hash: string): PolicyRef | null;
  /** Versions that are asked while those in their place are put aside. */
  readonly earlier: EarlierVersions;
  /** Asks the policy about a request. `answer` is called exactly once, later. */
  evaluate(binding: PolicyBinding, call: PolicyCall, answer: Answer): void;
  /** Counts a failure of the policy that only its caller could see. */
  trip(hash: string, reason: string): void;
  /** Checks options without using them. */
  check(hash: string, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer>;
  /** Whether the version of this hash is loaded and not put aside. */
  works(hash: string): boolean;
  /** From now on policies run in processes that cannot be sealed, or do not. */
  takeUnsealed(may: boolean): void;
  /** What the loaded bundle says of itself; null when it could not be loaded. */
  describe(hash: string): Promise<string | null>;
  status(): PolicyHostStatus;
  close(): void;
}

export function createPolicyHost(options: PolicyHostOptions): PolicyHost {
  return new SealedHosts(options);
}

/** A policy and the process that has it; null: there are too many. */
interface Housed {
  readonly policy: LoadedPolicy;
  readonly process: PolicyProcess | null;
}

/** A binding as the process knows it. */
interface Bound {
  readonly policy: LoadedPolicy;
  readonly process: PolicyProcess;
  /** Those of the policy when the number was given. */
  readonly among: LoadedPolicy["bindings"];
  readonly number: number;
}

/** No policy is called so. */
const shippedName = "policies that ship with heddle";

class SealedHosts implements PolicyHost {
  readonly earlier = new EarlierVersions();
  readonly #options: PolicyHostOptions;
  readonly #processes = new Map<string, PolicyProcess>();
  readonly #byHash = new Map<string, Housed>();
  readonly #bound = new WeakMap<PolicyBinding, Bound>();
  #starts = 0;
  #closed = false;
  #takesUnsealed = true;

  constructor(options: PolicyHostOptions) {
    this.#options = options;
  }

  load(ref: PolicyRef, bundle: string): void {
    if (this.#byHash.has(ref.hash) || this.#closed) return;
    const policy = newPolicy(ref, bundle, this.#options.cpuCounter?.(ref));
    const missing = lacking(ref, ownSupport);
    const process = missing === null ? this.#processFor(ref) : null;
    this.#byHash.set(ref.hash, { policy, process });
    if (process !== null) return process.load(policy);
    policy.state = "broken";
    if (missing !== null) policy.detail = `this version of heddle has no ${missing}`;
    else
      policy.detail = `${limits.policyProcessesMax} other policies have a process already, and there are no more (policyProcessesMax)`;
    this.#options.report(`Policy "${ref.name}" cannot be asked: ${policy.detail}`);
  }

  #processFor(ref: PolicyRef): PolicyProcess | null {
    const own = `policy "${ref.name}"${ref.tried === true ? ` ${ref.hash.slice(0, 8)}` : ""}`;
    const name = ref.shipped === true && ref.tried !== true ? shippedName : own;
    const known = this.#processes.get(name);
    if (known !== undefined) return known;
    if (this.#processes.size >= limits.policyProcessesMax) return null;
    const { process, clock, random, report } = this.#options;
    const started = (): void => void this.#starts++;
    const takesUnsealed = (): boolean => this.#takesUnsealed;
    const made = new PolicyProcess({ name, process, clock, random, report, started, takesUnsealed });
    this.#processes.set(name, made);
    return made;
  }

  takeUnsealed(may: boolean): void {
    if (may === this.#takesUnsealed) return;
    this.#takesUnsealed = may;
    for (const process of this.#processes.values()) process.judgeSeal();
  }

  retain(hashes: ReadonlySet<string>): void {
    for (const [hash, { policy, process }] of [...this.#byHash]) {
      if (hashes.has(hash)) continue;
      this.#byHash.delete(hash);
      process?.unload(policy);
    }
    for (const [name, process] of [...this.#processes]) {
      if (!process.empty) continue;
      process.close();
      this.#processes.delete(name);
    }
    this.#houseOthers();
  }

  keepBindings(bindings: Iterable<PolicyBinding>): void {
    const kept = new Map<string, Set<string>>();
    for (const { hash, options } of bindings) {
      const texts = kept.get(hash) ?? new Set();
      kept.set(hash, texts.add(JSON.stringify(options)));
      const before = this.earlier.of(hash);
      if (before !== null) kept.set(before, new Set([...(kept.get(before) ?? []), ...texts]));
    }
    for (const [hash, { policy, process }] of this.#byHash)
      process?.keepOptions(policy, kept.get(hash) ?? new Set());
  }

  /** Those that found no room before. */
  #houseOthers(): void {
    for (const [hash, { policy, process }] of [...this.#byHash]) {
      if (process !== null || this.#processes.size >= limits.policyProcessesMax) continue;
      if (lacking(policy.ref, ownSupport) !== null) continue;
      this.#byHash.delete(hash);
      this.load(policy.ref, policy.bundle);
    }
  }

  refOf(hash: string): PolicyRef | null {
    return this.#byHash.get(hash)?.policy.ref ?? null;
  }

  trip(hash: string, reason: string): void {
    const housed = this.#byHash.get(hash);
    housed?.process?.trip(housed.policy, reason);
  }

  evaluate(meant: PolicyBinding, call: PolicyCall, answer: Answer): void {
    // Whoever waits for what came is the version that said so.
    const binding = call.resumes === undefined ? this.#askedFor(meant) : meant;
    const before = this.#bound.get(binding);
    const bound =
      before !== undefined &&
      before.among === before.policy.bindings &&
      this.#byHash.get(binding.hash)?.policy === before.policy
        ? before
        : this.#bind(binding);
    const told: Answer = binding === meant ? answer : (given, atMs) => answer(given, atMs, binding);
    if (bound !== null) return bound.process.evaluate(bound.policy, bound.number, call, told);
    const reason = this.#byHash.get(binding.hash)?.policy.detail ?? "its bundle is not here";
    this.#options.clock.soon(() => told({ ok: false, reason, us: 0 }));
  }

  /** The one that documents mean, or while that is put aside the version before it. */
  #askedFor(binding: PolicyBinding): PolicyBinding {
    const before = this.earlier.of(binding.hash);
    const meant = before === null ? undefined : this.#byHash.get(binding.hash)?.policy;
    if (before === null || meant === undefined) return binding;
    const { quarantine, tried } = meant;
    const isAway = quarantine.isAside(this.#options.clock.now()) || (quarantine.onTrial && tried);
    return isAway && this.works(before) ? this.earlier.bindingFor(binding, before) : binding;
  }

  works(hash: string): boolean {
    return this.#byHash.get(hash)?.policy.state === "ready";
  }

  /** null: it cannot be asked. */
  #bind(binding: PolicyBinding): Bound | null {
    const housed = this.#byHash.get(binding.hash);
    if (housed === undefined || housed.process === null) return null;
    const { policy, process } = housed;
    const number = process.numberOf(policy, JSON.stringify(binding.options));
    const bound = { policy, process, among: policy.bindings, number };
    this.#bound.set(binding, bound);
    return bound;
  }

  check(hash: string, options: Readonly<Record<string, unknown>>): Promise<OptionsAnswer> {
    return new Promise((resolve) => {
      const housed = this.#byHash.get(hash);
      if (housed === undefined) return resolve(optionsProblem("its bundle is not here"));
      const { policy, process } = housed;
      if (process === null) return resolve(optionsProblem(policy.detail));
      process.check(policy, JSON.stringify(options), resolve);
    });
  }

  describe(hash: string): Promise<string | null> {
    return new Promise((resolve) => {
      const policy = this.#byHash.get(hash)?.policy;
      if (policy === undefined) return resolve(null);
      if (policy.state !== "waiting") return resolve(policy.description);
      policy.described.push(() => resolve(policy.description));
    });
  }

  status(): PolicyHostStatus {
    const processes = [...this.#processes.values()].map((process) => process.status);
    const policies = [...this.#byHash.values()].map(({ policy }): PolicyStatus => {
      const { ref, state, quarantine } = policy;
      const detail =
        policy.detail === "" ? this.#failuresOf(policy) : `${policy.detail}${this.#insteadOf(policy)}`;
      return { name: ref.name, hash: ref.hash, state: quarantine.onTrial ? "trial" : state, detail };
    });
    const memoryBytesMax = policiesBytesMax(processes.map((each) => each.policies));
    return { processes, starts: this.#starts, policies, memoryBytesMax };
  }

  #insteadOf({ ref, quarantine }: LoadedPolicy): string {
    const before = this.earlier.of(ref.hash);
    if (before === null || !quarantine.isAside(this.#options.clock.now()) || !this.works(before)) return "";
    return `; version ${this.refOf(before)?.version} is asked meanwhile`;
  }

  /** Of one that is asked all the same: too few to put it aside. */
  #failuresOf({ quarantine }: LoadedPolicy): string {
    const count = quarantine.recent(this.#options.clock.now());
    const within = `within ${limits.policyTripWindowMs / 1_000} s`;
    return count === 0 ? "" : `${count} of its calls failed ${within}, the last: ${quarantine.lastReason}`;
  }

  close(): void {
    this.#closed = true;
    for (const process of this.#processes.values()) process.close();
  }
}

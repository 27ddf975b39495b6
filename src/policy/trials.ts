/**
 * Versions of policies that are tried: which requests they get, how they do beside the version in force, and when one that fails
 * more often is not asked any more. That is decided here, by counting, whether the controller is there or not.
 */
import type { Tally } from "../base/sequential_test.ts";
import { limits } from "../model/limits.ts";
import type { PolicyBinding, PolicyCandidate } from "../model/snapshot.ts";
import { verdictOf, type SlowReading, type TrialReading } from "../model/trial.ts";
import type { ExchangeRecord, PolicyRecord } from "../telemetry/record.ts";
import type { Said } from "./heard.ts";
import { letsIn } from "./hooks.ts";
import { saidText } from "./said_text.ts";
import { Slowness, Spread, Usual } from "./usual.ts";

class Trial {
  now: Tally = none;
  before: Tally = none;
  /** Of the version in force, before this one was asked instead. */
  #earlier: Tally = none;
  #late = new Slowness(new Spread(), limits.trialLateUsMin);
  #costly = new Slowness(new Spread(), limits.trialCostlyUsMin);
  agreed = 0;
  differed = 0;
  readonly differences = new Map<string, number>();
  returned: string | null = null;
  /** The snapshot in force has it no more; requests of one before may still come. */
  over = false;
  mode: PolicyCandidate["mode"] = "shadow";

  constructor(
    readonly name: string,
    readonly hash: string,
    /** When an operator began it. Undefined: a controller of before does not say. */
    readonly startedMs: number | undefined,
    /** Of the version in force. */
    readonly inForce: string,
  ) {}

  /** It is asked instead of the version in force from now on. */
  begin(usual: Usual | undefined): void {
    this.mode = "percent";
    if (usual === undefined) return;
    this.#earlier = usual.tally;
    this.#late = new Slowness(usual.waits, limits.trialLateUsMin);
    this.#costly = new Slowness(usual.costs, limits.trialCostlyUsMin);
  }

  count(tried: boolean, fails: boolean, us: number): void {
    if (tried) this.now = counted(this.now, fails);
    else this.before = counted(this.before, fails);
    this.#late.count(tried, us);
    // The controller judges by the same counts: what it finds is in force here before it is told of them.
    this.returned ??= verdictOf(this.reading);
  }

  took(tried: boolean, us: number): void {
    this.#costly.count(tried, us);
  }

  get reading(): TrialReading {
    const { name, hash, startedMs, now, before, agreed, differed, returned } = this;
    const [late, costly] = [slowIn(this.#late), slowIn(this.#costly)];
    return {
      ...{ name, hash, now, before, agreed, differed, returned },
      ...(startedMs === undefined ? {} : { startedMs }),
      ...(this.#earlier.calls === 0 ? {} : { earlier: this.#earlier }),
      ...(late === null ? {} : { late }),
      ...(costly === null ? {} : { costly }),
      differences: [...this.differences].map(([what, count]) => ({ what, count })),
    };
  }
}

function slowIn({ us, now, before }: Slowness): SlowReading | null {
  return us === null || now.calls === 0 ? null : { us, now, before };
}

const none: Tally = { calls: 0, failed: 0 };

export class Trials {
  /** By name of the policy: the newest of each, also one that is over. */
  readonly #trials = new Map<string, Trial>();
  /** By name and hash: how versions do while none is tried beside them; those that were asked last, the last one last. */
  readonly #usuals = new Map<string, Usual>();

  /** `node`: name of this machine. */
  constructor(private readonly node: string) {}

  /** The version of each that is asked about this request. */
  chosen(bindings: readonly PolicyBinding[], requestId: string): readonly PolicyBinding[] {
    if (!bindings.some(({ candidate }) => candidate !== undefined)) return bindings;
    return bindings.map((binding) => {
      const { candidate } = binding;
      if (candidate === undefined) return binding;
      const trial = this.#trialOf(binding, candidate);
      if (trial?.mode === "shadow" && candidate.mode === "percent")
        trial.begin(this.#usuals.get(`${binding.name} ${binding.hash}`));
      if (candidate.mode === "shadow" || trial?.returned !== null) return binding;
      const word = candidate.by === "machine" ? this.node : requestId;
      return shareOf(`${candidate.binding.hash} ${word}`) * 100 < candidate.percent
        ? candidate.binding
        : binding;
    });
  }

  /** An exchange is over: who was asked about it, and whether it failed. */
  finished({ policies, status, outcome }: Pick<ExchangeRecord, "policies" | "status" | "outcome">): void {
    if (policies.length === 0) return;
    const failed = status >= 500 || (outcome !== null && outcome.side !== "downstream" && status === 0);
    for (const record of policies) {
      const { name } = record;
      // Where it stands twice it is asked about one exchange all the same.
      if (record !== policies.find((each) => each.name === name && isFirst(each.hook))) continue;
      const broke = policies.some((each) => each.name === name && each.action === "error");
      this.#count(record, failed || broke);
    }
  }

  #count({ name, hash, us }: PolicyRecord, fails: boolean): void {
    const trial = this.#counting(name, hash);
    if (trial === null) return this.#usualOf(name, hash).count(fails, us);
    trial.count(hash === trial.hash, fails, us);
  }

  /** What one call of a version took of its process: microseconds. */
  took({ name, hash }: Pick<PolicyBinding, "name" | "hash">, us: number): void {
    const trial = this.#counting(name, hash);
    if (trial === null) this.#usualOf(name, hash).costs.add(us);
    else trial.took(hash === trial.hash, us);
  }

  /** The trial that compares this version with another; null: there is none. */
  #counting(name: string, hash: string): Trial | null {
    const trial = this.#trials.get(name);
    if (trial === undefined || trial.over || trial.mode === "shadow") return null;
    return hash === trial.hash || hash === trial.inForce ? trial : null;
  }

  #usualOf(name: string, hash: string): Usual {
    const key = `${name} ${hash}`;
    const usual = this.#usuals.get(key) ?? new Usual();
    this.#usuals.delete(key);
    this.#usuals.set(key, usual);
    const [oldest] = this.#usuals.keys();
    if (this.#usuals.size > limits.trialUsualsMax && oldest !== undefined) this.#usuals.delete(oldest);
    return usual;
  }

  /** What a shadow said of something, and the version in force. */
  shadowed({ name, hash }: PolicyBinding, inForce: Said, itself: Said): void {
    const trial = this.#trials.get(name);
    if (trial?.hash !== hash || trial.over) return;
    const same = comparable(inForce) === comparable(itself);
    trial.agreed += same ? 1 : 0;
    trial.differed += same ? 0 : 1;
    if (same) return;
    const what = `${saidText(inForce)} / ${saidText(itself)}`.slice(0, limits.policyReasonLengthMax);
    const known = trial.differences.has(what) || trial.differences.size < limits.policyDifferencesMax;
    const key = known ? what : "other";
    trial.differences.set(key, (trial.differences.get(key) ?? 0) + 1);
  }

  readings(): TrialReading[] {
    return [...this.#trials.values()].filter(({ over }) => !over).map(({ reading }) => reading);
  }

  /** Only what is tried by these goes on. */
  keep(bindings: readonly Pick<PolicyBinding, "name" | "candidate">[]): void {
    const standing = new Set(
      bindings.flatMap(({ name, candidate }) => (candidate === undefined ? [] : [idOf(name, candidate)])),
    );
    for (const trial of this.#trials.values())
      trial.over ||= !standing.has(idOf(trial.name, { ...trial, binding: trial }));
    for (const [name, { over }] of this.#trials)
      if (over && this.#trials.size > limits.policyProcessesMax) this.#trials.delete(name);
  }

  /** null: it is over, and this request is of a snapshot of before. */
  #trialOf({ name, hash: inForce }: PolicyBinding, candidate: PolicyCandidate): Trial | null {
    const { hash } = candidate.binding;
    const { startedMs } = candidate;
    const known = this.#trials.get(name);
    if (known !== undefined) {
      const same = known.hash === hash && known.startedMs === startedMs;
      if (same && (known.over || known.inForce === inForce)) return known.over ? null : known;
      if ((startedMs ?? 0) < (known.startedMs ?? 0)) return null;
    }
    const trial = new Trial(name, hash, startedMs, inForce);
    this.#trials.set(name, trial);
    return trial;
  }
}

function idOf(
  name: string,
  {
    startedMs,
    binding,
  }: { readonly startedMs?: number | undefined; readonly binding: { readonly hash: string } },
): string {
  return `${name} ${binding.hash} ${startedMs}`;
}

function isFirst(hook: string): boolean {
  return (letsIn as ReadonlySet<string>).has(hook);
}

function counted({ calls, failed }: Tally, fails: boolean): Tally {
  return { calls: calls + 1, failed: failed + (fails ? 1 : 0) };
}

/** Why it failed, in which words, makes no difference. */
function comparable(said: Said): string {
  return said.do === "failed" ? `failed ${said.failure}` : JSON.stringify(said);
}

/** In [0, 1), the same on every machine: FNV-1a with the finishing mix of MurmurHash3. */
function shareOf(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return ((value ^ (value >>> 16)) >>> 0) / 4294967296;
}

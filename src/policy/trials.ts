/**
 * Versions of policies that are tried: which requests they get, how they do beside the version in force, and when one that fails
 * more often is not asked any more. That is decided here, by counting, whether the controller is there or not.
 */
import { failsMore, type Tally } from "../base/sequential_test.ts";
import { limits } from "../model/limits.ts";
import type { PolicyBinding, PolicyCandidate } from "../model/snapshot.ts";
import type { TrialReading } from "../model/trial.ts";
import type { ExchangeRecord } from "../telemetry/record.ts";
import type { Said } from "./heard.ts";
import { letsIn } from "./hooks.ts";
import { saidText } from "./said_text.ts";

interface Trial {
  readonly name: string;
  readonly hash: string;
  /** When an operator began it. Undefined: a controller of before does not say. */
  readonly startedMs: number | undefined;
  /** Of the version in force. */
  readonly inForce: string;
  now: Tally;
  before: Tally;
  agreed: number;
  differed: number;
  readonly differences: Map<string, number>;
  returned: string | null;
  /** The snapshot in force has it no more; requests of one before may still come. */
  over: boolean;
}

const none: Tally = { calls: 0, failed: 0 };

export class Trials {
  /** By name of the policy: the newest of each, also one that is over. */
  readonly #trials = new Map<string, Trial>();

  /** `node`: name of this machine. */
  constructor(private readonly node: string) {}

  /** The version of each that is asked about this request. */
  chosen(bindings: readonly PolicyBinding[], requestId: string): readonly PolicyBinding[] {
    if (!bindings.some(({ candidate }) => candidate !== undefined)) return bindings;
    return bindings.map((binding) => {
      const { candidate } = binding;
      if (candidate === undefined) return binding;
      const trial = this.#trialOf(binding, candidate);
      if (candidate.mode === "shadow" || trial?.returned !== null) return binding;
      const word = candidate.by === "machine" ? this.node : requestId;
      return shareOf(`${candidate.binding.hash} ${word}`) * 100 < candidate.percent
        ? candidate.binding
        : binding;
    });
  }

  /** An exchange is over: who was asked about it, and whether it failed. */
  finished({ policies, status, outcome }: Pick<ExchangeRecord, "policies" | "status" | "outcome">): void {
    if (this.#trials.size === 0 || policies.length === 0) return;
    const failed = status >= 500 || (outcome !== null && outcome.side !== "downstream" && status === 0);
    for (const trial of this.#trials.values()) {
      if (trial.over) continue;
      const asked = policies.filter(({ name }) => name === trial.name);
      const said = (hash: string) => asked.filter((each) => each.hash === hash && isFirst(each.hook));
      const [tried, usual] = [said(trial.hash), said(trial.inForce)];
      const broke = asked.some(({ action }) => action === "error");
      if (tried.length > 0) trial.now = counted(trial.now, failed || broke);
      else if (usual.length > 0) trial.before = counted(trial.before, failed || broke);
      else continue;
      // The controller judges by the same counts: what it finds is in force here before it is told of them.
      judge(trial);
    }
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
    const standing = [...this.#trials.values()].filter(({ over }) => !over);
    return standing.map(({ inForce: _, over: __, startedMs, differences, ...trial }) => ({
      ...trial,
      ...(startedMs === undefined ? {} : { startedMs }),
      differences: [...differences].map(([what, count]) => ({ what, count })),
    }));
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
    const counts = {
      now: none,
      before: none,
      agreed: 0,
      differed: 0,
      differences: new Map<string, number>(),
    };
    const trial: Trial = { name, hash, startedMs, inForce, ...counts, returned: null, over: false };
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

function judge(trial: Trial): void {
  if (trial.returned === null && failsMore(trial.now, trial.before))
    trial.returned = verdictText(trial.now, trial.before);
}

/** Why it is not asked any more. */
export function verdictText(now: Tally, before: Tally): string {
  return `${now.failed} of its ${now.calls} calls failed, and ${before.failed} of ${before.calls} of the version in force`;
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

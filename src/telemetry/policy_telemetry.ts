/** Metrics of policies, from what each evaluation left in its exchange's record. Handles are resolved once per policy version, hook and service. */
import type { Counter, Histogram, Metrics, Resolve } from "./metrics.ts";
import type { PolicyRecord } from "./record.ts";

/** Seconds: a call that is batched with others takes microseconds, one alone some ten of them. */
const policyBuckets: readonly number[] = [
  0.000_01, 0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
];
/** Enough of a hash to tell versions apart. */
const versionLength = 12;

interface Handles {
  readonly duration: Histogram;
  /** By the decision as it was recorded. */
  readonly decisions: Map<string, readonly Counter[]>;
}

export class PolicyTelemetry {
  readonly #duration: Resolve<Histogram>;
  readonly #decisions: Resolve<Counter>;
  readonly #errors: Resolve<Counter>;
  /** By hash, then hook, then service. */
  readonly #handles = new Map<string, Map<string, Map<string, Handles>>>();

  constructor(metrics: Metrics) {
    const labels = ["policy", "version", "hook", "service"];
    this.#duration = metrics.histogram(
      "heddle_policy_duration_seconds",
      "From asking a policy to its decision.",
      labels,
      policyBuckets,
    );
    this.#decisions = metrics.counter("heddle_policy_decisions_total", "Decisions of policies.", [
      ...labels,
      "decision",
    ]);
    this.#errors = metrics.counter("heddle_policy_errors_total", "Evaluations of policies that failed.", [
      ...labels,
      "kind",
    ]);
  }

  finish(policy: PolicyRecord, service: string): void {
    const handles = this.#handlesOf(policy, service);
    handles.duration.observe(policy.us / 1e6);
    let counters = handles.decisions.get(policy.decision);
    if (counters === undefined) {
      counters = this.#countersOf(policy, service);
      if (handles.decisions.size < decisionsKept) handles.decisions.set(policy.decision, counters);
    }
    for (const counter of counters) counter.add(1);
  }

  /** `route search/v2` counts as `route`, `error timeout` as an error of that kind too. */
  #countersOf({ name, hash, hook, decision }: PolicyRecord, service: string): Counter[] {
    const version = hash.slice(0, versionLength);
    const space = decision.indexOf(" ");
    const verb = space < 0 ? decision : decision.slice(0, space);
    const counted = this.#decisions(name, version, hook, service, verb);
    if (verb !== "error") return [counted];
    const kind = space < 0 ? "unknown" : decision.slice(space + 1);
    return [counted, this.#errors(name, version, hook, service, kind)];
  }

  #handlesOf({ name, hash, hook }: PolicyRecord, service: string): Handles {
    const byService = inner(inner(this.#handles, hash), hook);
    let handles = byService.get(service);
    if (handles === undefined) {
      const version = hash.slice(0, versionLength);
      handles = { duration: this.#duration(name, version, hook, service), decisions: new Map() };
      byService.set(service, handles);
    }
    return handles;
  }
}

/**
 * CPU time of a policy, as the host knows it: of the thread that runs one version for all services and hooks, which cannot tell
 * whom it works for. Loading, collecting garbage and reading calls count; a call that had to be stopped counts for as long as
 * it took. What the host spends on handing calls over, and what a host that was ended had not told yet, is missing.
 */
export function policyCpu(
  metrics: Metrics,
): (policy: { readonly name: string; readonly hash: string }) => Counter {
  const cpu = metrics.counter(
    "heddle_policy_cpu_seconds_total",
    "CPU time of the threads that run policies.",
    ["policy", "version"],
  );
  return ({ name, hash }) => cpu(name, hash.slice(0, versionLength));
}

/** Words of decisions come from policies: that many are looked up by themselves, the others are taken apart each time. */
const decisionsKept = 64;

function inner<Value>(outer: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  let found = outer.get(key);
  if (found === undefined) {
    found = new Map();
    outer.set(key, found);
  }
  return found;
}

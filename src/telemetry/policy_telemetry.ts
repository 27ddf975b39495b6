/** Metrics of policies, from what each evaluation left in its exchange's record. Handles are resolved once per policy version, hook and service. */
import { Handles } from "./handles.ts";
import type { Counter, Histogram, Metrics, Resolve } from "./metrics.ts";
import type { PolicyAction, PolicyFailure, PolicyRecord } from "./record.ts";

/** Seconds: a call that is batched with others takes microseconds, one alone some ten of them. */
const policyBuckets: readonly number[] = [
  0.000_01, 0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
];
/** Enough of a hash to tell versions apart. */
const versionLength = 12;

interface PolicyHandles {
  readonly duration: Histogram;
  readonly decisions: Partial<Record<PolicyAction, Counter>>;
  readonly errors: Partial<Record<PolicyFailure, Counter>>;
}

export class PolicyTelemetry {
  readonly #duration: Resolve<Histogram>;
  readonly #decisions: Resolve<Counter>;
  readonly #errors: Resolve<Counter>;
  /** By hash, hook and service. */
  readonly #handles = new Handles<PolicyHandles>();

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
    const { name, hash, hook, action, failure } = policy;
    const handles = this.#handlesOf(policy, service);
    const version = hash.slice(0, versionLength);
    handles.duration.observe(policy.us / 1e6);
    const { decisions, errors } = handles;
    (decisions[action] ??= this.#decisions(name, version, hook, service, action)).add(1);
    if (failure !== null) (errors[failure] ??= this.#errors(name, version, hook, service, failure)).add(1);
  }

  #handlesOf({ name, hash, hook }: PolicyRecord, service: string): PolicyHandles {
    const known = this.#handles.find(hash, hook, service);
    if (known !== undefined) return known;
    const duration = this.#duration(name, hash.slice(0, versionLength), hook, service);
    return this.#handles.keep(hash, hook, service, { duration, decisions: {}, errors: {} });
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

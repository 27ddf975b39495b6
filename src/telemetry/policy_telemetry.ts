/** Metrics of policies, from what each evaluation left in its exchange's record. Handles are resolved once per policy version, hook and service. */
import type { Bundle, Counter, Histogram, Metrics, Resolve } from "./metrics.ts";
import type { PolicyAction, PolicyFailure, PolicyRecord } from "./record.ts";
import { families } from "./families.ts";

/** Enough of a hash to tell versions apart. */
const versionLength = 12;

interface PolicyHandles {
  duration: Histogram | null;
  readonly decisions: Partial<Record<PolicyAction, Counter>>;
  readonly errors: Partial<Record<PolicyFailure, Counter>>;
}

export class PolicyTelemetry {
  readonly #duration: Resolve<Histogram>;
  readonly #decisions: Resolve<Counter>;
  readonly #errors: Resolve<Counter>;
  /** By hash, hook and service. */
  readonly #handles: Bundle<PolicyHandles>;

  constructor(metrics: Metrics) {
    this.#duration = metrics.histogram(families.policyDurationSeconds);
    this.#decisions = metrics.counter(families.policyDecisions);
    this.#errors = metrics.counter(families.policyErrors);
    this.#handles = metrics.bundle(() => ({ duration: null, decisions: {}, errors: {} }));
  }

  finish(policy: PolicyRecord, service: string): void {
    const { name, hash, hook, action, failure } = policy;
    const version = hash.slice(0, versionLength);
    // By its hash: all that has the same one has the same name.
    const handles = this.#handles(hash, hook, service);
    const { decisions, errors } = handles;
    (handles.duration ??= this.#duration(name, version, hook, service)).observe(policy.us / 1e6);
    (decisions[action] ??= this.#decisions(name, version, hook, service, action)).add(1);
    if (failure !== null) (errors[failure] ??= this.#errors(name, version, hook, service, failure)).add(1);
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
  const cpu = metrics.counter(families.policyCpuSeconds);
  return ({ name, hash }) => cpu(name, hash.slice(0, versionLength));
}

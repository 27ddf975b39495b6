/** Which endpoint gets a request, what is tried again, and how much is let in. */
import type { Mutant } from "../mutant.ts";

const proxy = "src/proxy";
const unit = "test/unit/proxy";
const breaker = { file: `${proxy}/breaker/breaker.ts`, suites: [`${unit}/breaker/breaker_test.ts`] };
const group = { file: `${proxy}/breaker/breaker_group.ts`, suites: breaker.suites };
const decision = {
  file: `${proxy}/retry/retry_decision.ts`,
  suites: [`${unit}/retry/retry_decision_test.ts`],
};
const byKey = { file: `${proxy}/balance/by_key.ts`, suites: [`${unit}/balance/by_key_test.ts`] };
const zones = { file: `${proxy}/balance/zones.ts`, suites: [`${unit}/balance/zones_test.ts`] };
const slices = { file: "src/controller/rate_slices.ts", suites: [`${unit}/limit/rate_slices_test.ts`] };
const breaking = [`${unit}/breaking_test.ts`];

export const resilience: readonly Mutant[] = [
  {
    fault: "what could not be told of ejected endpoints is never told",
    file: "src/app/ejection_report.ts",
    find: "await this.control.call",
    replace: "this.#told = said;\n      await this.control.call",
    suites: ["test/unit/app/ejection_report_test.ts"],
  },
  {
    fault: "a table of keys is laid out with every snapshot",
    file: byKey.file,
    find: "if (this.#table !== null && isSame(this.#placed, all)) return this.#take(this.#table, all);",
    replace: "",
    suites: [`${unit}/balance/key_tables_test.ts`],
  },
  {
    fault: "keys lead to endpoints that are gone",
    file: byKey.file,
    find: "byId.get(id) ?? null",
    replace: "byId.get(id) ?? (all[0] as Endpoint)",
    suites: [`${unit}/balance/key_tables_test.ts`],
  },
  {
    fault: "a picker that was closed goes on counting at its endpoints",
    file: byKey.file,
    find: "if (all === this.#all || this.#closed) return;",
    replace: "if (all === this.#all && !this.#closed) return;",
    suites: [`${unit}/balance/key_tables_test.ts`],
  },
  {
    fault: "a header of several fields is its first one as a key",
    file: `${proxy}/balance/request_key.ts`,
    find: 'all.length === 1 ? first : all.join(", ")',
    replace: "first",
    suites: [`${unit}/balance/request_key_test.ts`],
  },
  {
    fault: "a zone that the documents want to come first is as near as any",
    file: "src/proxy/state/state.ts",
    find: "order: others === null ? null : [zone, ...others]",
    replace: "order: null",
    suites: [`${unit}/zones_test.ts`],
  },
  {
    fault: "what a machine says of its weight is nobody's",
    file: "src/proxy/state/state.ts",
    find: "weight: endpoint.weight ?? 1,",
    replace: "weight: 1,",
    suites: [`${unit}/zones_test.ts`],
  },
  {
    fault: "all instances of a machine are asked for by one name",
    file: "src/proxy/state/state.ts",
    find: "endpoint.apart === true\n",
    replace: "endpoint.apart === undefined\n",
    suites: [`${unit}/instances_test.ts`],
  },
  {
    fault: "whoever names one instance reaches any",
    file: "src/proxy/state/state.ts",
    find: "{ ...service, apps: [app] }",
    replace: "service",
    suites: [`${unit}/instances_test.ts`],
  },
  {
    fault: "the status in the trailers of gRPC says nothing of the endpoint",
    file: `${proxy}/attempt/http_attempts.ts`,
    find: 'if (says !== "success") this.broke(says);',
    replace: "if (says === null) this.broke(says);",
    suites: [`${unit}/breaking_grpc_test.ts`],
  },
  {
    fault: "an app that answers 503 counts as one that works",
    file: `${proxy}/attempt/attempts.ts`,
    find: 'if (says === "hard" || says === "busy") return this.#blame(says, nowMs);',
    replace: "",
    suites: breaking,
  },
  {
    fault: "an answer that breaks off says nothing of its endpoint",
    file: `${proxy}/attempt/http_attempts.ts`,
    find: 'if (outcome.side === "upstream") this.broke(failureOf(outcome));',
    replace: "",
    suites: breaking,
  },
  {
    fault: "a probe whose caller left is awaited",
    file: `${proxy}/attempt/attempts.ts`,
    find: "if (!this.judged) endpoint.health.abandoned",
    replace: "if (this.judged) endpoint.health.abandoned",
    suites: breaking,
  },
  {
    fault: "the request after which an endpoint is out does not say so",
    file: `${proxy}/attempt/attempts.ts`,
    find: "if (!wasEjected && health.ejected) ",
    replace: "if (wasEjected) ",
    suites: breaking,
  },
  {
    fault: "a new snapshot forgets what circuit breaking knew",
    file: "src/proxy/state/state.ts",
    find: "health: kept?.health.group === breakers ? kept.health : new Breaker(breakers),",
    replace: "health: new Breaker(breakers),",
    suites: breaking,
  },
  {
    fault: "another setting of circuit breaking is not heard of",
    file: "src/proxy/state/state.ts",
    find: "if (before !== undefined && sameSettings(before.breakers.settings, settings))",
    replace: "if (before !== undefined)",
    suites: breaking,
  },
  {
    fault: "a health probe that passes again closes a breaker",
    file: "src/proxy/breaker/breaker_group.ts",
    find: "if (!breaker.ejected || this.#ejected.has(breaker)) return;",
    replace: "if (breaker.ejected && !this.#ejected.has(breaker)) return breaker.release(0);",
    suites: breaking,
  },
  {
    ...breaker,
    fault: "a busy answer counts as a failure of the endpoint",
    find: 'if (failure === "busy") return;',
    replace: "",
  },
  {
    ...breaker,
    fault: "what began before an ejection closes the breaker",
    find: 'if (epoch !== this.epoch || this.state === "open") return;\n    if (this.state === "half-open") return this.release(nowMs);',
    replace: 'if (this.state !== "closed") return this.release(nowMs);',
  },
  {
    ...breaker,
    fault: "a probe that succeeds forgets all ejections",
    find: "this.closedSinceMs = nowMs;",
    replace: "this.closedSinceMs = nowMs;\n    this.ejections = 0;",
  },
  {
    ...breaker,
    fault: "any number of requests probe at once",
    find: "return nowMs - this.#probeMs >= probeSilentMs;",
    replace: "return true;",
  },
  {
    ...breaker,
    fault: "endpoints are ejected when all fail alike",
    find: "if (own >= least) this.#eject(reason, nowMs);",
    replace: "this.#eject(reason, nowMs);",
  },
  {
    ...group,
    fault: "more than half of the endpoints are ejected",
    find: "Math.floor(size * this.settings.ejectedShareMax)",
    replace: "size",
  },
  {
    ...group,
    fault: "endpoints that leave take the bound on ejections with them",
    find: "first?.release(nowMs);",
    replace: "break;",
  },
  {
    ...decision,
    fault: "what must not happen twice is sent again",
    find: 'failed.repeat === "no" || (failed.repeat === "idempotent" && !failed.idempotent)',
    replace: 'failed.repeat === "no"',
  },
  {
    ...decision,
    fault: "two layers retry",
    find: 'if (failed.repeated) return "layer";',
    replace: "",
  },
  {
    ...decision,
    fault: "the budget is asked before the deadline",
    find: 'if (delayMs >= failed.leftMs) return "deadline";',
    replace: 'if (!tools.takeBudget()) return "budget";\n  if (delayMs >= failed.leftMs) return "deadline";',
  },
  {
    ...byKey,
    fault: "keys pile up on an endpoint that is full",
    find: "if (endpoint === null || this.#isFull(candidates, endpoint, nowMs)) continue;",
    replace: "if (endpoint === null) continue;",
  },
  {
    ...zones,
    fault: "a zone that comes back gets all its requests at once",
    find: "if (nowMs - sinceMs >= limits.zoneReturnMs) return this.#take(level);",
    replace: "this.#take(level);",
  },
  {
    ...slices,
    fault: "slices come to more than the rate",
    find: "Math.max(0, Math.min(wished, this.#freeFor(holder)))",
    replace: "wished",
  },
  {
    ...slices,
    fault: "a new controller deals out what proxies still hold",
    find: "nowMs < this.#listensUntilMs ? this.#earlySlice(asked) : this.#fairSlice(holder)",
    replace: "this.#fairSlice(holder)",
  },
  {
    fault: "a caller gets a fresh bucket when the table of callers is full",
    file: `${proxy}/limit/bucket_table.ts`,
    find: "if (bucket.full(nowMs)) return true;",
    replace: "return true;",
    suites: [`${unit}/limit/rate_limit_test.ts`],
  },
  {
    fault: "what is past its deadline is given out",
    file: `${proxy}/limit/bounded_queue.ts`,
    find: "if (deadlineMs > nowMs) return item;",
    replace: "return item;",
    suites: [`${unit}/limit/bounded_queue_test.ts`],
  },
  {
    fault: "the average of adaptive concurrency follows a server that is full",
    file: `${proxy}/limit/gradient2.ts`,
    find: "this.#longMs += Math.min(change, riseMax);",
    replace: "this.#longMs += change;",
    suites: [`${unit}/limit/gradient2_test.ts`],
  },
];

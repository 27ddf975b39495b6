/** What is sent again and when, how long things may take, and what a caller's own deadline means. */
import type { Mutant } from "../mutant.ts";

const unit = "test/unit/proxy";
const attempts = "src/proxy/attempt/attempts.ts";
const httpAttempts = "src/proxy/attempt/http_attempts.ts";
const inbound = "src/proxy/inbound.ts";
const outbound = "src/proxy/outbound.ts";
const rules = "src/proxy/retry/retry_rules.ts";
const retrying = [`${unit}/retries_test.ts`];
const grpc = [`${unit}/grpc_retries_test.ts`];
const deadlines = [`${unit}/caller_deadlines_test.ts`];
const counters = ["test/unit/policy/shared_counters_test.ts"];
const sending = [`${unit}/policy_sending_test.ts`];
const race = "src/proxy/attempt/race.ts";
const hedging = [`${unit}/hedging_test.ts`];
const times = [`${unit}/traffic_timeouts_test.ts`];

export const retries: readonly Mutant[] = [
  {
    fault: "a POST is sent again after a byte of it was written",
    file: "src/proxy/retry/retry_decision.ts",
    find: 'failed.repeat === "idempotent" && !failed.idempotent',
    replace: "false",
    suites: [`${unit}/every_offset_test.ts`],
  },
  {
    fault: "a request is not sent again where the app tells repeats",
    file: rules,
    find: 'route.idempotent || wholeGroup("retries", traffic).idempotent',
    replace: "route.idempotent",
    suites: [...retrying, ...grpc],
  },
  {
    fault: "any failure is a reason",
    file: rules,
    find: 'new Set<RetryCause>([...named, "status"])',
    replace: 'new Set<RetryCause>(["connect", "refused", "reset", "timeout", "status"])',
    suites: retrying,
  },
  {
    fault: "gateway-error names no status",
    file: rules,
    find: '...(on.includes("gateway-error") ? gatewayErrors : []),',
    replace: "",
    suites: retrying,
  },
  {
    fault: "a route does not say how often",
    file: rules,
    find: "(route.attempts ?? attempts) + 1",
    replace: "attempts + 1",
    suites: retrying,
  },
  {
    fault: "a route does not say how long one attempt may take",
    file: rules,
    find: 'route.perTryMs ?? wholeGroup("timeouts", traffic).perTryMs',
    replace: 'wholeGroup("timeouts", traffic).perTryMs',
    suites: retrying,
  },
  {
    fault: "an answer that asks not to be tried again is",
    file: "src/proxy/attempt/repeats.ts",
    find: "forbidden: fields.get(noRetryField) !== null",
    replace: "forbidden: false",
    suites: retrying,
  },
  {
    fault: "what the app says of being tried again does not reach the caller's proxy",
    file: "src/proxy/rewrite/arriving.ts",
    find: "own.filter((name) => name !== noRetryField)",
    replace: "own",
    suites: retrying,
  },
  {
    fault: "Retry-After is not read",
    file: "src/proxy/attempt/repeats.ts",
    find: "after === null ? null : retryAfterMs(after, wallMs)",
    replace: "null",
    suites: retrying,
  },
  {
    fault: "the pushback of gRPC is not read",
    file: "src/proxy/attempt/repeats.ts",
    find: "byGrpc !== null ? grpcPushback(byGrpc) :",
    replace: "",
    suites: grpc,
  },
  {
    fault: "a status of gRPC behind a message is a reason",
    file: "src/proxy/attempt/judge_answer.ts",
    find: "return whole && grpc && status",
    replace: "return grpc && status",
    suites: grpc,
  },
  {
    fault: "half of an answer that is not passed on is awaited for ever",
    file: httpAttempts,
    find: "() => this.#passedBy(true)",
    replace: "() => {}",
    suites: retrying,
  },
  {
    fault: "an attempt that takes too long goes on beside the next one",
    file: httpAttempts,
    find: '    this.#stop(outcome.detail);\n    this.#again(outcome, "timeout", delayMs);',
    replace: '    this.#again(outcome, "timeout", delayMs);',
    suites: retrying,
  },
  {
    fault: "a second layer sends again what another one sends again",
    file: "src/proxy/attempt/repeats.ts",
    find: 'return made !== null && made !== "0";',
    replace: "return false;",
    suites: retrying,
  },
  {
    fault: "an app is not told that its request is a retry",
    file: "src/proxy/accept/inbound_exchange.ts",
    find: "own === null ? null : request.fields.get(attemptField)",
    replace: "null",
    suites: retrying,
  },
  {
    fault: "that the retries are used up is told of no answer of the app's own",
    file: httpAttempts,
    find: "if (failed !== null && this.budgetSpent) this.spent = this.told(failed);",
    replace: "",
    suites: retrying,
  },
  {
    fault: "the timeout of a service holds where its route says that there is none",
    file: "src/proxy/state/state.ts",
    find: "requestTimeoutMs: route.requestUnbounded",
    replace: "requestTimeoutMs: route.requestUnbounded === null",
    suites: retrying,
  },
  {
    fault: "a caller's deadline is not read",
    file: outbound,
    find: "const callerMs = callerDeadlineMs(fields);",
    replace: "const callerMs = fields === null ? 0 : null;",
    suites: deadlines,
  },
  {
    fault: "what has passed its deadline is sent",
    file: outbound,
    find: "else if (nowMs >= this.#attempts.deadlineMs) this.ranOut();",
    replace: "",
    suites: deadlines,
  },
  {
    fault: "what has passed its deadline in line is sent to the app",
    file: inbound,
    find: "if (deadlineMs !== null && waitedMs >= deadlineMs) {",
    replace: "if (deadlineMs !== null && waitedMs < 0) {",
    suites: deadlines,
  },
  {
    fault: "an app is told the deadline as it was before the request waited",
    file: inbound,
    find: "deadlineMs - waitedMs);",
    replace: "deadlineMs);",
    suites: deadlines,
  },
  {
    fault: "a short deadline of the caller is a failure of the instance",
    file: "src/proxy/failure/outcomes.ts",
    find: 'return { flag: "DP", side: "downstream"',
    replace: 'return { flag: "DP", side: "upstream"',
    suites: deadlines,
  },
  {
    fault: "a long deadline of the caller says nothing of the instance",
    file: attempts,
    find: 'if (nowMs - this.nowMs >= limits.breakerDeadlineMs) return this.#blame("hard", nowMs);',
    replace: "",
    suites: deadlines,
  },
  {
    fault: "DEADLINE_EXCEEDED is always a failure of the app",
    file: "src/proxy/attempt/judge_answer.ts",
    find: "code === deadlineExceeded && isShort",
    replace: "code === deadlineExceeded && !isShort",
    suites: grpc,
  },
  {
    fault: "a service's time to connect is not heard of",
    file: "src/proxy/state/bounds.ts",
    find: "          pool.times = times;\n",
    replace: "",
    suites: times,
  },
  {
    fault: "unused connections of HTTP/2 are kept as long as ever",
    file: "src/http/h2_client.ts",
    find: "this.options.keptMs?.() ?? limits.h2ClientIdleMs",
    replace: "limits.h2ClientIdleMs",
    suites: times,
  },
  {
    fault: "unused connections of HTTP/1.1 are kept as long as ever",
    file: "src/http/h1_client.ts",
    find: "this.options.keptMs?.() ?? limits.keepAlivePoolMs",
    replace: "limits.keepAlivePoolMs",
    suites: times,
  },
  {
    fault: "streams are silent as long as they like, whatever a document says",
    file: httpAttempts,
    find: "(this.answer.maySilent && destination.timeouts.streamsMaySilent)",
    replace: "this.answer.maySilent",
    suites: times,
  },
  {
    fault: "what must not happen twice is sent to a second instance because it is slow",
    file: httpAttempts,
    find: "delayMs === null || !this.repeatable || ",
    replace: "delayMs === null || ",
    suites: hedging,
  },
  {
    fault: "a request whose body has not come is sent to a second instance",
    file: httpAttempts,
    find: "if (!body.isOver || !this.#isWhole || ",
    replace: "if (!this.#isWhole || ",
    suites: hedging,
  },
  {
    fault: "a second instance costs no retry",
    file: race,
    find: "return destination.budget.take(nowMs);",
    replace: "return destination.budget.left(nowMs) >= 0;",
    suites: hedging,
  },
  {
    fault: "the attempt that lost goes on",
    file: race,
    find: "      rest.lost();\n",
    replace: "",
    suites: hedging,
  },
  {
    fault: "an answer that says that it failed ends the better attempt",
    file: race,
    find: "if (giveUp === null) {",
    replace: "if (giveUp !== undefined) {",
    suites: hedging,
  },
  {
    fault: "one of two attempts goes on when the client has left",
    file: httpAttempts,
    find: "  cancel(detail: string): void {\n    this.race?.dropOther(this);\n",
    replace: "  cancel(detail: string): void {\n",
    suites: hedging,
  },
  {
    fault: "a second attempt is no attempt: another one may follow both",
    file: httpAttempts,
    find: "if (beside !== null && !this.tried.includes(beside)) this.tried = [...this.tried, beside];",
    replace: "",
    suites: hedging,
  },
  {
    fault: "what a policy says of retries is not heard",
    file: "src/proxy/filtered_call.ts",
    find: "return this.#sending === null ? target",
    replace: "return this.#sending !== undefined ? target",
    suites: sending,
  },
  {
    fault: "a policy's word that a request may happen twice is taken from no policy",
    file: rules,
    find: "idempotent: idempotent ?? rules.idempotent",
    replace: "idempotent: true",
    suites: sending,
  },
  {
    fault: "a policy copies requests to services that its options do not name",
    file: "src/policy/evaluation.ts",
    find: "    if (!this.around.leadsTo(binding, called, key))\n      return `it mirrors",
    replace: "    if (called === undefined)\n      return `it mirrors",
    suites: [...sending, "test/unit/policy/chain_test.ts"],
  },
  {
    fault: "a policy has as many attempts made as it likes",
    file: "src/policy/sending.ts",
    find: "0, limits.retriesMax)",
    replace: "0, Infinity)",
    suites: ["test/unit/policy/decision_test.ts"],
  },
  {
    fault: "what a policy reserved and did not use is not given back",
    file: "src/policy/shared_counters.ts",
    find: "this.#level + amount - used",
    replace: "this.#level",
    suites: counters,
  },
  {
    fault: "what was used beyond a counter of the mesh is not missing",
    file: "src/policy/shared_counters.ts",
    find: "if (taken.ok) return taken;",
    replace: "if (taken !== null) return taken;",
    suites: counters,
  },
  {
    fault: "a policy gives back what another one reserved",
    file: "src/policy/shared_counters.ts",
    find: "const hold = this.#holds.get(`${of} ${id}`);",
    replace: "const hold = [...this.#holds].find(([each]) => each.endsWith(` ${id}`))?.[1];",
    suites: counters,
  },
];

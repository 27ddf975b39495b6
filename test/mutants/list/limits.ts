/** How much of anything is let in: limits, rates, shedding. */
import type { Mutant } from "../mutant.ts";

const largeHeads = ["test/unit/proxy/large_heads_test.ts"];

const rates = ["test/unit/proxy/rate_limits_test.ts", "test/unit/proxy/limit/rate_limit_test.ts"];

const underWay = ["test/unit/proxy/bounds_test.ts"];

export const bounds: readonly Mutant[] = [
  {
    fault: "a peer that says how large a head it takes is not heard",
    file: "src/wire/h2/settings.ts",
    find: "this.headListBytesMax = value;",
    replace: "",
    suites: largeHeads,
  },
  {
    fault: "fields that do not cross count against the head that the peer takes",
    file: "src/wire/h2/head_list.ts",
    find: "if (isDropped(fields, index, id, writing)) sum",
    replace: "if (isDropped(fields, index, id, writing) && false) sum",
    suites: largeHeads,
  },
  {
    fault: "a client is sent an answer with a larger head than it takes",
    file: "src/proxy/outbound.ts",
    find: "if (refusal !== null) {",
    replace: "if (refusal === undefined) {",
    suites: largeHeads,
  },
  {
    fault: "a request that one rate refuses is charged to another",
    file: "src/proxy/limit/rate_limit.ts",
    find: "if (!each.bucket.has(1, nowMs)) return",
    replace: "if (!each.bucket.take(1, nowMs)) return",
    suites: rates,
  },
  {
    fault: "a caller is told nothing of when it may come again",
    file: "src/proxy/failure/rescue.ts",
    find: "if (outcome.retryAfterMs !== undefined) set",
    replace: "if (outcome.retryAfterMs === -1) set",
    suites: rates,
  },
  {
    fault: "the proxy of the caller drops when it may come again",
    file: "src/proxy/failure/proxy_failure.ts",
    find: "...(retrySeconds === null ? {} : { retryAfterMs: retrySeconds * 1_000 }),",
    replace: "",
    suites: rates,
  },
  {
    fault: "a new snapshot gives everybody a fresh rate",
    file: "src/proxy/limit/inbound_limits.ts",
    find: "before !== null && isSame(",
    replace: "before !== null && before === null && isSame(",
    suites: rates,
  },
  {
    fault: "requests that access rules deny count against rates",
    file: "src/proxy/inbound.ts",
    find: 'if (verdict.verdict === "deny") return this.failed(this.#denied(verdict.rule));',
    replace:
      'if (service.limits !== null) this.#overLimit(service.limits); if (verdict.verdict === "deny") return this.failed(this.#denied(verdict.rule));',
    suites: rates,
  },
  {
    fault: "what a service says of how much may be under way is not in force",
    file: "src/proxy/guard/admission.ts",
    find: "if (admission.max !== requests) admission.resize(requests);",
    replace: "",
    suites: underWay,
  },
  {
    fault: "requests wait as long as they always did, whatever the service says",
    file: "src/proxy/share/fair_gate.ts",
    find: "const before = shard.clock.now() - this.pendingMs;",
    replace: "const before = shard.clock.now() - limits.pendingMs;",
    suites: underWay,
  },
  {
    fault: "an app gets as many connections as ever, whatever its service says",
    file: "src/proxy/upstream/pool.ts",
    find: "if (this.#open.size + this.#dials.length >= this.#bounds.connections) {",
    replace: "if (this.#open.size + this.#dials.length >= protocol.connectionsMax) {",
    suites: underWay,
  },
  {
    fault: "an opaque connection that ended counts for ever",
    file: "src/proxy/inbound_tcp.ts",
    find: "this.#counted?.connections.less(this.options.app.id);",
    replace: "",
    suites: underWay,
  },
];

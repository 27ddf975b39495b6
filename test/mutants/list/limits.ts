/** How much of anything is let in: limits, rates, shedding. */
import type { Mutant } from "../mutant.ts";

const largeHeads = ["test/unit/proxy/large_heads_test.ts"];

const rates = ["test/unit/proxy/rate_limits_test.ts", "test/unit/proxy/limit/rate_limit_test.ts"];

const underWay = ["test/unit/proxy/bounds_test.ts"];

const concurrency = ["test/unit/proxy/concurrency_test.ts"];

const bandwidth = ["test/unit/proxy/bandwidth_test.ts"];

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
    find: "isSame(old?.rateLimit, rateLimit)",
    replace: "old === null",
    suites: rates,
  },
  {
    fault: "requests that access rules deny count against rates",
    file: "src/proxy/inbound.ts",
    find: "if (!this.isLetIn()) return;\n    if (this.request",
    replace:
      "if (service.limits !== null) this.#overLimit(service.limits); if (!this.isLetIn()) return;\n    if (this.request",
    suites: rates,
  },
  {
    fault: "what a service says of how much may be under way is not in force",
    file: "src/proxy/guard/admission.ts",
    find: "if (admission.max !== most) admission.resize(most);",
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
    find: 'const most = limit === "sharedConnectionsMax" ? Math.min(connections, connectionsMax) : connections;',
    replace: "const most = connectionsMax;",
    suites: underWay,
  },
  {
    fault: "an opaque connection that ended keeps its place among those over all instances",
    file: "src/proxy/outbound_tcp.ts",
    find: "    this.#place.leave();\n",
    replace: "",
    suites: underWay,
  },
  {
    fault: "a connection that nothing uses makes no room for another caller's",
    file: "src/proxy/upstream/connection_room.ts",
    find: "if (other === holder || !other.giveUpIdle()) continue;",
    replace: "continue;",
    suites: [...underWay, "test/unit/proxy/upstream/connection_room_test.ts"],
  },
  {
    fault: "an opaque connection that ended counts for ever",
    file: "src/proxy/inbound_tcp.ts",
    find: "this.#counted?.connections.less(this.options.app.id);",
    replace: "",
    suites: underWay,
  },
  {
    fault: "a request that has ended keeps its place among those that are served",
    file: "src/proxy/limit/turn.ts",
    find: "if (held) this.gate.leave();",
    replace: "",
    suites: concurrency,
  },
  {
    fault: "a stream keeps its place among requests for as long as it lasts",
    file: "src/proxy/limit/turn.ts",
    find: "if (stream) this.end();",
    replace: "",
    suites: concurrency,
  },
  {
    fault: "a request whose caller left takes the turn of another",
    file: "src/proxy/limit/turn.ts",
    find: 'if (this.#stage === "over") return false;',
    replace: "",
    suites: concurrency,
  },
  {
    fault: "requests wait for their turn for ever",
    file: "src/proxy/limit/concurrency.ts",
    find: "this.#line.expire(this.shard.clock.now());",
    replace: "",
    suites: concurrency,
  },
  {
    fault: "a caller says by itself how much its requests matter",
    file: "src/proxy/call_here.ts",
    find: "call.priority = leaving.priority;",
    replace:
      'call.priority = leaving.came.fields.get("x-heddle-priority") === "critical" ? 0 : leaving.priority;',
    suites: concurrency,
  },
  {
    fault: "a route lifts the requests of a caller above what the service gives that caller",
    file: "src/proxy/limit/inbound_limits.ts",
    find: "return most === undefined || most < said ? said : most;",
    replace: "return said;",
    suites: concurrency,
  },
  {
    fault: "the other proxy is not told how much a request matters",
    file: "src/proxy/rewrite/leaving.ts",
    find: "if (priority !== usualLevel) fields.push(priorityField, priorities[priority] as string);",
    replace: "",
    suites: concurrency,
  },
  {
    fault: "a proxy that cannot keep up lets everything in",
    file: "src/proxy/inbound.ts",
    find: "if (shedder.sheds && !shedder.admits(this.#level)) return this.failed(this.#shed());",
    replace: "",
    suites: concurrency,
  },
  {
    fault: "a machine without a slice lets everything in",
    file: "src/proxy/limit/rate_limit.ts",
    find: "if (mesh !== null && !mesh.take(nowMs)) return this.#meshRefusal(mesh.bucket, nowMs);",
    replace: "",
    suites: ["test/unit/proxy/rate_limits_test.ts"],
  },
  {
    fault: "a proxy that starts while the controller is away has forgotten its share of a rate",
    file: "src/app/rate_leases.ts",
    find: "if (shares.every(([service, share]) => this.even.get(service) === share)) return;",
    replace: "if (shares.length > 0) return;",
    suites: ["test/unit/app/rate_leases_test.ts"],
  },
  {
    fault: "a request body is read as fast as it comes, whatever the bandwidth",
    file: "src/proxy/limit/paced_stream.ts",
    find: "return !this.#full && this.#upMs === 0;",
    replace: "return !this.#full;",
    suites: bandwidth,
  },
  {
    fault: "an answer is read as fast as it comes, whatever the bandwidth",
    file: "src/proxy/limit/paced_stream.ts",
    find: "this.#downMs = this.#holdFor(waitMs);",
    replace: "return;",
    suites: bandwidth,
  },
  {
    fault: "an opaque connection that was held for its bandwidth is never read again",
    file: "src/proxy/tunnel/pipe.ts",
    find: "this.#held ??= new Held(() => this.#resume());",
    replace: "this.#held ??= new Held(() => {});",
    suites: bandwidth,
  },
  {
    fault: "all callers share the bandwidth of one",
    file: "src/proxy/limit/byte_rates.ts",
    find: "this.#callers?.of(caller, nowMs);",
    replace: 'this.#callers?.of("", nowMs);',
    suites: bandwidth,
  },
  {
    fault: "a burst over many connections begins before a request that comes beside it",
    file: "src/http/h2_server.ts",
    find: "return requests > limits.h2RequestsAtOnceMax && !this.shard.turns.mayBegin(requests);",
    replace: "return false;",
    suites: ["test/unit/proxy/burst_test.ts"],
  },
  {
    fault: "those that wait for a turn never have one while much is read",
    file: "src/http/turn_queue.ts",
    find: "const max = this.#waiting.length > this.#had ? this.requestsMax / 2 : this.requestsMax;",
    replace: "const max = this.requestsMax;",
    suites: ["test/unit/http/turn_queue_test.ts"],
  },
];

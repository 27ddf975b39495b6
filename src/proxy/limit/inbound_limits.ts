/**
 * What is let in to the instances of one service on this machine. There is none where its documents ask for none: then nothing is
 * counted, and nothing costs anything.
 */
import type { SharedRow } from "../../base/shared_row.ts";
import type { Tally } from "../../base/tally.ts";
import type { Shard } from "../../http/shard.ts";
import type { Outcome } from "../../model/outcome.ts";
import { priorityLevel, type PriorityLevel } from "../../model/priority.ts";
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";
import { ByteRates, type Direction } from "./byte_rates.ts";
import { Concurrency } from "./concurrency.ts";
import { OpenCounts } from "./open_counts.ts";
import { LeasedRate } from "./leased_rate.ts";
import { bucketNumbers } from "./token_bucket.ts";
import { overRate } from "./over_rate.ts";
import { RateLimit, type Asked } from "./rate_limit.ts";

export interface InboundLimitsOptions {
  /** Key of the service. */
  readonly service: string;
  readonly traffic: TrafficTraits;
  readonly shard: Shard;
  /** Of a shared rate, in requests a second, until the controller has given one. */
  readonly firstSlice: number;
  readonly tripped: (limit: string, listener: string) => void;
}

export class InboundLimits {
  readonly rates: RateLimit | null;
  /** Its part of a rate that the mesh shares. */
  readonly mesh: LeasedRate | null;
  readonly concurrency: Concurrency | null;
  readonly bytes: ByteRates | null;
  /** The most that requests of a caller matter. */
  readonly #callers: ReadonlyMap<string, PriorityLevel>;
  /** Opaque connections to its apps, by app. */
  readonly connections: OpenCounts;

  /** What `before` counted goes on, where nothing changed that it was counted for. */
  constructor(
    readonly options: InboundLimitsOptions,
    before: InboundLimits | null,
    nowMs: number,
  ) {
    const { traffic, shard, service } = options;
    const { numbers } = shard;
    const { rateLimit, concurrency, bandwidth, priority = {} } = traffic;
    const old = before?.options.traffic;
    const rules = wholeGroup("rateLimit", traffic);
    const first = Math.min(rules.mesh?.perSecond ?? 0, options.firstSlice);
    this.mesh =
      rules.mesh === null
        ? null
        : (before?.mesh ?? new LeasedRate(first, nowMs, numbers.row(`rate mesh ${service}`, bucketNumbers)));
    if (before !== null && isSame(old?.rateLimit, rateLimit)) this.rates = before.rates;
    else if (rateLimit === undefined) this.rates = null;
    else {
      const name = `rate ${service} ${JSON.stringify(rateLimit)}`;
      this.rates = new RateLimit(rules, nowMs, this.mesh, undefined, numbers, name);
    }
    if (before !== null && isSame(old?.bandwidth, bandwidth)) this.bytes = before.bytes;
    else if (bandwidth === undefined) this.bytes = null;
    else {
      const name = `bandwidth ${service} ${JSON.stringify(bandwidth)}`;
      this.bytes = new ByteRates(wholeGroup("bandwidth", traffic), nowMs, numbers, name);
    }
    if (before !== null && isSame(old?.concurrency, concurrency)) this.concurrency = before.concurrency;
    else if (concurrency === undefined) this.concurrency = null;
    else {
      const name = `concurrency ${service} ${JSON.stringify(concurrency)}`;
      this.concurrency = new Concurrency(wholeGroup("concurrency", traffic), shard, name);
    }
    const callers = Object.entries(priority.callers ?? {});
    this.#callers = new Map(callers.map(([caller, most]) => [caller, priorityLevel(most)]));
    this.connections = before?.connections ?? new OpenCounts(numbers, `connections to apps of ${service}`);
  }

  /** What it counts with. */
  *shared(): Generator<SharedRow | Tally> {
    for (const { row } of [...(this.rates?.buckets() ?? []), ...(this.bytes?.buckets() ?? [])]) yield row;
    if (this.mesh !== null) yield this.mesh.bucket.row;
    if (this.concurrency !== null) yield* this.concurrency.shared();
    yield* this.connections.shared();
  }

  /** How much a request of that caller matters, whose route or proxy said so. */
  levelOf(caller: string, said: PriorityLevel): PriorityLevel {
    const most = this.#callers.get(caller);
    return most === undefined || most < said ? said : most;
  }

  /** Lets one request or opaque connection in (null), or says why not. */
  admit(asked: Asked, nowMs: number): Outcome | null {
    const refusal = this.rates?.admit(asked, nowMs) ?? null;
    if (refusal === null) return null;
    const { service, tripped } = this.options;
    tripped(refusal.rule, `inbound ${service}`);
    return overRate(service, refusal);
  }

  /** For one call or opaque connection: hears what passes, and says for how many milliseconds no more should be read. null: no limit. */
  pacing(caller: string): ((direction: Direction, bytes: number) => number) | null {
    const { bytes: rates, options } = this;
    if (rates === null) return null;
    let told = false;
    return (direction, bytes) => {
      const waitMs = rates.spend(caller, direction, bytes, options.shard.clock.now());
      if (waitMs > 0 && !told) options.tripped("bandwidth", `inbound ${options.service}`);
      told ||= waitMs > 0;
      return waitMs;
    };
  }

  /** Lets an opaque connection to that app in (null), or says why not. Pair with `connections.less` when it was let in. */
  connect(app: string): Outcome | null {
    const { service, traffic, tripped } = this.options;
    const { connectionsPerEndpoint, connections } = traffic.limits ?? {};
    const most = connectionsPerEndpoint ?? Infinity;
    const mostOfAll = connections ?? Infinity;
    const open = this.connections.more(app) - 1;
    const total = this.connections.total - 1;
    if (open < most && total < mostOfAll) return null;
    this.connections.less(app);
    const own = open >= most;
    tripped(own ? "connectionsMax" : "limits.connections", `inbound ${service}`);
    const what = own
      ? `${open} of the ${most} connections that an instance of ${service} takes are open`
      : `${total} of the ${mostOfAll} connections to the instances of ${service} on this machine are open`;
    const field = own ? "limits.connectionsPerEndpoint" : "limits.connections";
    const detail = `${what} (${field} of its Traffic document: raise it there)`;
    return { flag: "UO", side: "mesh", repeat: "yes", status: 503, detail };
  }
}

export function inboundLimits(
  options: InboundLimitsOptions,
  before: InboundLimits | null,
  nowMs: number,
): InboundLimits | null {
  const { rateLimit, concurrency, bandwidth, priority, limits } = options.traffic;
  const { connectionsPerEndpoint, connections } = limits ?? {};
  const first = rateLimit ?? concurrency ?? bandwidth ?? priority ?? connectionsPerEndpoint ?? connections;
  if (first === undefined || first === null) return null;
  return new InboundLimits(options, before, nowMs);
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

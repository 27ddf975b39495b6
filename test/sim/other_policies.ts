/**
 * Whom heddle is compared with, as models of what they publish: a plain client with retries and no budget, in turn or by the
 * fewest requests under way; Envoy with its defaults of load balancing, outlier detection and retries; Linkerd with its own.
 */
import type { Failed, Policy, PolicyInput } from "./policy.ts";
import type { Ending } from "./server.ts";

const plainRetries = 3;

/** What all of these keep of a server. */
abstract class Counting implements Policy {
  protected readonly active: Float64Array;

  constructor(readonly input: PolicyInput) {
    this.active = new Float64Array(input.zones.length);
  }

  abstract pick(tried: readonly number[], nowMs: number): number;

  began(server: number, before: number): number {
    this.active[server] = this.underWay(server) + 1;
    return before;
  }

  ended(server: number, _token: number, _ending: Ending, _tookMs: number, _nowMs: number): void {
    this.active[server] = this.underWay(server) - 1;
  }

  arrived(_nowMs: number): void {}

  retryAfterMs(_failed: Failed, _nowMs: number): number | null {
    return null;
  }

  protected underWay(server: number): number {
    return this.active[server] as number;
  }

  protected any(count: number): number {
    return Math.floor(this.input.random.unit() * count);
  }

  /** Two different ones of so many. */
  protected two(count: number): [number, number] {
    const first = this.any(count);
    const second = this.any(count - 1);
    return [first, second >= first ? second + 1 : second];
  }
}

/** A client library without a mesh: every failure is tried again, three times, at once. */
abstract class Plain extends Counting {
  override retryAfterMs({ attempts }: Failed): number | null {
    return attempts <= plainRetries ? 0 : null;
  }
}

export class PlainRoundRobin extends Plain {
  #turn = this.any(this.active.length);

  pick(): number {
    return ++this.#turn % this.active.length;
  }
}

export class PlainLeastRequest extends Plain {
  pick(): number {
    const [first, second] = this.two(this.active.length);
    return this.underWay(second) < this.underWay(first) ? second : first;
  }
}

const envoy = {
  intervalMs: 10_000,
  streakMax: 5,
  ejectionMs: 30_000,
  ejectionMaxMs: 300_000,
  ejectedShareMax: 0.1,
  deviations: 1.9,
  hostsMin: 5,
  requestsMin: 100,
  panicShare: 0.5,
  retries: 1,
  retryShare: 0.2,
  retriesMin: 3,
  backoffMs: 25,
};

interface EnvoyHost {
  streak: number;
  requests: number;
  good: number;
  times: number;
  ejectedMs: number | null;
}

/**
 * Round robin, outlier detection as it is when a cluster names it and nothing of it, panic threshold; retries only where a route
 * asks for them (here: where attempts have a timeout), then one within the budget.
 */
export class EnvoyDefaults extends Counting {
  readonly #hosts: readonly EnvoyHost[];
  #turn = this.any(this.active.length);
  #nextMs = envoy.intervalMs;
  #retrying = 0;

  constructor(input: PolicyInput) {
    super(input);
    this.#hosts = input.zones.map(() => ({ streak: 0, requests: 0, good: 0, times: 0, ejectedMs: null }));
  }

  pick(_tried: readonly number[], nowMs: number): number {
    while (nowMs >= this.#nextMs) this.#interval();
    const count = this.#hosts.length;
    const well = this.#hosts.filter(({ ejectedMs }) => ejectedMs === null).length;
    const panics = well < envoy.panicShare * count;
    for (let step = 0; step < count; step++) {
      const at = ++this.#turn % count;
      if (panics || this.#hosts[at]?.ejectedMs === null) return at;
    }
    return this.#turn % count;
  }

  override ended(server: number, token: number, ending: Ending, tookMs: number, nowMs: number): void {
    super.ended(server, token, ending, tookMs, nowMs);
    if (token > 0) this.#retrying--;
    const host = this.#hosts[server] as EnvoyHost;
    const failed = ending !== "ok" && ending !== "busy";
    host.requests++;
    if (!failed) host.good++;
    host.streak = failed ? host.streak + 1 : 0;
    if (host.streak >= envoy.streakMax) this.#eject(host, nowMs);
  }

  override retryAfterMs({ attempts, ending }: Failed): number | null {
    if (this.input.tryTimeoutMs === null || attempts > envoy.retries || ending === "busy") return null;
    const active = this.active.reduce((sum, count) => sum + count, 0);
    if (this.#retrying >= Math.max(envoy.retriesMin, envoy.retryShare * active)) return null;
    this.#retrying++;
    return this.input.random.unit() * envoy.backoffMs;
  }

  #eject(host: EnvoyHost, nowMs: number): void {
    const ejected = this.#hosts.filter(({ ejectedMs }) => ejectedMs !== null).length;
    if (host.ejectedMs !== null || ejected + 1 > envoy.ejectedShareMax * this.#hosts.length) return;
    host.times++;
    host.streak = 0;
    host.ejectedMs = nowMs;
  }

  #interval(): void {
    const nowMs = this.#nextMs;
    this.#nextMs += envoy.intervalMs;
    for (const host of this.#hosts) {
      const lasts = Math.min(envoy.ejectionMaxMs, envoy.ejectionMs * host.times);
      if (host.ejectedMs === null) host.times = Math.max(0, host.times - 1);
      else if (nowMs - host.ejectedMs >= lasts) host.ejectedMs = null;
    }
    const counted = this.#hosts.filter(({ requests }) => requests >= envoy.requestsMin);
    if (counted.length >= envoy.hostsMin) this.#ejectBySuccess(counted, nowMs);
    for (const host of this.#hosts) host.requests = host.good = 0;
  }

  #ejectBySuccess(counted: readonly EnvoyHost[], nowMs: number): void {
    const rates = counted.map(({ good, requests }) => good / requests);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length;
    const least = mean - envoy.deviations * Math.sqrt(variance);
    counted.forEach((host, at) => (rates[at] as number) < least && this.#eject(host, nowMs));
  }
}

const linkerd = {
  seedMs: 30,
  tauMs: 10_000,
  backoffMs: 100,
  backoffMaxMs: 10_000,
  budgetMs: 10_000,
  share: 0.2,
  floor: 10,
};

/**
 * Peak-EWMA of two, no circuit breaking and no retries unless asked (here: where attempts have a timeout), then within its
 * budget. An endpoint that cannot be connected to is not ready, and the request waits for another: that is no failure of it.
 */
export class LinkerdDefaults extends Counting {
  readonly #ewmaMs = new Float64Array(this.active.length).fill(linkerd.seedMs);
  readonly #notedMs = new Float64Array(this.active.length);
  readonly #readyMs = new Float64Array(this.active.length);
  readonly #backoffMs = new Float64Array(this.active.length).fill(linkerd.backoffMs);
  /** Leaky: what requests bring in and retries take out. */
  #budget = 0;
  #leakedMs = 0;

  pick(_tried: readonly number[], nowMs: number): number {
    const ready: number[] = [];
    for (let at = 0; at < this.active.length; at++)
      if (nowMs >= (this.#readyMs[at] as number)) ready.push(at);
    if (ready.length <= 1) return ready[0] ?? -1;
    const [a, b] = this.two(ready.length).map((at) => ready[at] as number) as [number, number];
    return this.#load(b, nowMs) < this.#load(a, nowMs) ? b : a;
  }

  override ended(server: number, token: number, ending: Ending, tookMs: number, nowMs: number): void {
    super.ended(server, token, ending, tookMs, nowMs);
    if (ending === "refused") return this.#notReady(server, nowMs);
    this.#backoffMs[server] = linkerd.backoffMs;
    const before = this.#ewmaMs[server] as number;
    const decay = Math.exp(((this.#notedMs[server] as number) - nowMs) / linkerd.tauMs);
    this.#ewmaMs[server] = tookMs > before ? tookMs : before * decay + tookMs * (1 - decay);
    this.#notedMs[server] = nowMs;
  }

  override arrived(nowMs: number): void {
    this.#leak(nowMs);
    this.#budget += linkerd.share;
  }

  override retryAfterMs({ ending, attempts }: Failed, nowMs: number): number | null {
    if (ending === "refused") return 0;
    if (this.input.tryTimeoutMs === null || attempts > 1) return null;
    this.#leak(nowMs);
    if (this.#budget + (linkerd.floor * linkerd.budgetMs) / 1_000 < 1) return null;
    this.#budget--;
    return 0;
  }

  #leak(nowMs: number): void {
    this.#budget *= Math.exp((this.#leakedMs - nowMs) / linkerd.budgetMs);
    this.#leakedMs = nowMs;
  }

  #notReady(server: number, nowMs: number): void {
    const backoffMs = this.#backoffMs[server] as number;
    this.#readyMs[server] = nowMs + backoffMs * (1 + 0.1 * this.input.random.unit());
    this.#backoffMs[server] = Math.min(linkerd.backoffMaxMs, backoffMs * 2);
  }

  #load(server: number, nowMs: number): number {
    const decay = Math.exp(((this.#notedMs[server] as number) - nowMs) / linkerd.tauMs);
    return (this.#ewmaMs[server] as number) * decay * (this.underWay(server) + 1);
  }
}

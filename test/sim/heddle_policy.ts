/** heddle as it decides by default: the real picker, loads, breakers, budget and retry rules. */
import { Breaker } from "../../src/proxy/breaker/breaker.ts";
import { BreakerGroup } from "../../src/proxy/breaker/breaker_group.ts";
import { breakerDefaults } from "../../src/proxy/breaker/breaker_settings.ts";
import type { Candidate } from "../../src/proxy/balance/candidate.ts";
import { EndpointLoad } from "../../src/proxy/balance/endpoint_load.ts";
import { EndpointPicker } from "../../src/proxy/balance/endpoint_picker.ts";
import { PowerOfTwo } from "../../src/proxy/balance/power_of_two.ts";
import { RetryBudget } from "../../src/proxy/balance/retry_budget.ts";
import { decideRetry } from "../../src/proxy/retry/retry_decision.ts";
import { retryDefaults, type RetryCause } from "../../src/proxy/retry/retry_rules.ts";
import type { Repeat } from "../../src/model/outcome.ts";
import type { Failed, Policy, PolicyInput } from "./policy.ts";
import type { Ending } from "./server.ts";

interface Endpoint extends Candidate {
  readonly at: number;
  readonly health: Breaker;
}

const causes: Readonly<Record<Exclude<Ending, "ok">, readonly [RetryCause, Repeat]>> = {
  refused: ["connect", "yes"],
  reset: ["reset", "idempotent"],
  timeout: ["timeout", "idempotent"],
  error: ["status", "idempotent"],
  busy: ["status", "yes"],
};

export class HeddlePolicy implements Policy {
  readonly group: BreakerGroup;
  readonly endpoints: readonly Endpoint[];
  readonly #picker: EndpointPicker<Endpoint>;
  readonly #budget = new RetryBudget();
  readonly #random: PolicyInput["random"];

  constructor({ zones, zone, random }: PolicyInput) {
    this.#random = random;
    this.group = new BreakerGroup(breakerDefaults, random);
    this.endpoints = zones.map((each, at) => ({
      id: `server-${at}`,
      at,
      load: new EndpointLoad(0),
      health: this.group.add(),
      weight: 1,
      zone: each,
      region: "",
      addedMs: -Infinity,
    }));
    this.#picker = new EndpointPicker({
      endpoints: this.endpoints,
      health: this.group,
      zones: { zone, region: "", order: null },
      strategy: () => new PowerOfTwo<Endpoint>("ewma", random),
      random,
    });
  }

  pick(tried: readonly number[], nowMs: number): number {
    const failed = tried.map((at) => this.endpoints[at] as Endpoint);
    return this.#picker.pick({ key: null, tried: failed, repeatable: true, nowMs })?.at ?? -1;
  }

  began(server: number): number {
    const { load, health } = this.endpoints[server] as Endpoint;
    load.started();
    return health.epoch;
  }

  ended(server: number, epoch: number, ending: Ending, tookMs: number, nowMs: number): void {
    const { load, health } = this.endpoints[server] as Endpoint;
    load.ended();
    if (ending === "ok") {
      load.answered(tookMs, nowMs);
      return health.succeeded(epoch, nowMs);
    }
    if (ending === "busy") load.busy(nowMs);
    else load.failed(nowMs);
    health.failed(epoch, ending === "busy" ? "busy" : ending === "refused" ? "connect" : "hard", nowMs);
  }

  arrived(nowMs: number): void {
    this.#budget.request(nowMs);
  }

  retryAfterMs({ ending, attempts, tried, leftMs }: Failed, nowMs: number): number | null {
    if (ending === "ok") return null;
    const [cause, repeat] = causes[ending];
    const decision = decideRetry(
      {
        cause,
        status: ending === "busy" ? 429 : 503,
        grpc: -1,
        repeat,
        idempotent: true,
        replayable: true,
        answered: false,
        attempts,
        refusedBefore: 0,
        repeated: false,
        forbidden: false,
        pushback: null,
        leftMs,
        usualMs: null,
        elsewhere: tried.length < this.endpoints.length,
      },
      retryDefaults,
      { unit: () => this.#random.unit(), takeBudget: () => this.#budget.take(nowMs) },
    );
    return typeof decision === "number" ? decision : null;
  }
}

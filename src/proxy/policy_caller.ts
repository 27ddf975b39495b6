/**
 * Requests of policies to services of the mesh: each goes out by the outbound pipeline as one of the service that asked the policy, with
 * its identity, routes, retries and record. No policy of the caller's side sees it, so that none asks about what it asked itself.
 */
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ServiceName } from "../model/service.ts";
import type { CallOutcome, ServiceCall } from "../policy/service_call.ts";
import { serveOutbound } from "./outbound.ts";
import { PolicyExchange } from "./policy/policy_exchange.ts";
import { Flow } from "./share/flow.ts";
import { OutboundSource } from "./state/outbound_source.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";

export interface PolicyRequest {
  /** The service that asked the policy; null: nobody knows which. */
  readonly as: ServiceName | null;
  /** Of the request that the policy decides about. */
  readonly requestId: string;
  readonly call: ServiceCall;
  readonly withinMs: number;
}

export class PolicyCaller {
  /** By the service that asks: those of one share as one client. */
  readonly #flows = new Map<string, Flow>();
  #open = 0;

  constructor(private readonly parts: ProxyParts) {}

  ask({ as, requestId, call, withinMs }: PolicyRequest, done: (outcome: CallOutcome) => void): void {
    const { shard } = this.parts;
    if (this.#open >= limits.policyCallsMax)
      return done({
        ok: false,
        problem: `${limits.policyCallsMax} requests of policies are under way already (policyCallsMax)`,
      });
    this.#open++;
    const exchange = new PolicyExchange(call, requestId, (outcome) => {
      this.#open--;
      timer.cancel();
      // The pipeline is still at work on it.
      shard.clock.microtask(() => {
        if (!outcome.ok) this.#enter(() => exchange.cancel(late));
        done(outcome);
      });
    });
    const timer = shard.clock.after(withinMs, () => exchange.leave(late));
    const source = new OutboundSource(this.parts, { service: as, refusal: null }, call.service, true);
    this.#enter(() => serveOutbound(exchange, source, this.#flowOf(source.key)));
  }

  #enter(work: () => void): void {
    const { shard } = this.parts;
    shard.enter();
    work();
    shard.leave();
  }

  #flowOf(key: string): Flow {
    const known = this.#flows.get(key);
    if (known !== undefined) return known;
    const made = new Flow(key);
    this.#flows.set(key, made);
    return made;
  }
}

const late: Outcome = {
  flag: "DC",
  side: "downstream",
  repeat: "no",
  status: 499,
  detail: "the policy that asked waits no longer",
};

/** What is let in to the instances of one service on this machine; there is none where its documents ask for none. */
import type { Outcome } from "../../model/outcome.ts";
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";
import { overRate } from "./over_rate.ts";
import { RateLimit, type Asked } from "./rate_limit.ts";

export interface InboundLimitsOptions {
  /** Key of the service. */
  readonly service: string;
  readonly traffic: TrafficTraits;
  readonly tripped: (limit: string, listener: string) => void;
}

export class InboundLimits {
  /** What they were made of: others begin anew. */
  readonly settings: string;
  readonly rates: RateLimit | null;

  constructor(
    readonly options: InboundLimitsOptions,
    nowMs: number,
  ) {
    const { traffic } = options;
    this.settings = settingsOf(traffic);
    this.rates = traffic.rateLimit === undefined ? null : ratesOf(traffic, nowMs);
  }

  /** Lets one request or opaque connection in (null), or says why not. */
  admit(asked: Asked, nowMs: number): Outcome | null {
    const refusal = this.rates?.admit(asked, nowMs) ?? null;
    if (refusal === null) return null;
    const { service, tripped } = this.options;
    tripped(refusal.rule, `inbound ${service}`);
    return overRate(service, refusal);
  }
}

/** Those before, where nothing changed: what they counted stays. */
export function inboundLimits(
  options: InboundLimitsOptions,
  before: InboundLimits | null,
  nowMs: number,
): InboundLimits | null {
  const { rateLimit } = options.traffic;
  if (rateLimit === undefined) return null;
  return before?.settings === settingsOf(options.traffic) ? before : new InboundLimits(options, nowMs);
}

function settingsOf({ rateLimit }: TrafficTraits): string {
  return JSON.stringify([rateLimit]);
}

function ratesOf(traffic: TrafficTraits, nowMs: number): RateLimit {
  return new RateLimit(wholeGroup("rateLimit", traffic), nowMs);
}

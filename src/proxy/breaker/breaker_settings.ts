/** What a circuit breaker goes by; a service may set each of them. */
import { limits } from "../../model/limits.ts";
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";

export interface BreakerSettings {
  /** Hard failures in a row that trip; 0: never by a streak. */
  readonly streakMax: number;
  readonly windowMs: number;
  /** Share of successes below which it trips, between 0 (never) and 1. */
  readonly successMin: number;
  readonly windowAnswersMin: number;
  /** It trips only while its share of failures is at least so many times that of the average other one; 0: whatever that is. */
  readonly outlierFactor: number;
  readonly penaltyMs: number;
  readonly penaltyMaxMs: number;
  readonly jitterRatio: number;
  readonly forgiveMs: number;
  /** Between 0 (eject nobody) and 1. */
  readonly ejectedShareMax: number;
  readonly probePatienceMs: number;
  readonly probeSilentMs: number;
}

/** With what a document says, and the defaults for the rest. */
export function breakerSettings(traffic: TrafficTraits = {}): BreakerSettings {
  const { failures, successPercent, answers, ejectedPercent, ...times } = wholeGroup(
    "circuitBreaking",
    traffic,
  );
  return {
    ...times,
    streakMax: failures,
    successMin: successPercent / 100,
    windowAnswersMin: answers,
    ejectedShareMax: ejectedPercent / 100,
    outlierFactor: limits.breakerOutlierFactor,
    jitterRatio: limits.breakerJitterRatio,
    forgiveMs: limits.breakerForgiveMs,
    probePatienceMs: limits.breakerProbePatienceMs,
    probeSilentMs: limits.breakerProbeSilentMs,
  };
}

/** Where no document says anything. @visibleForTesting */
export const breakerDefaults: BreakerSettings = breakerSettings();

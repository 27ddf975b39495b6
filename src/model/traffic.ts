/** What the calls of a service go by, as `kind: Traffic` says it, and what holds where it says nothing. */
import { limits } from "./limits.ts";

/** When an instance that fails gets no requests, and for how long; what is absent is as in `circuitBreakingDefaults`. */
export interface CircuitBreaking {
  /** In a row; 0: not by a streak. */
  readonly failures?: number;
  /** Fewer successes within the window, once there are so many answers; 0: not by their share. */
  readonly successPercent?: number;
  readonly windowMs?: number;
  readonly answers?: number;
  /** Of the first time; each further one is twice as long, up to the longest. */
  readonly penaltyMs?: number;
  readonly penaltyMaxMs?: number;
  /** Of the instances, that may be out at a time; 0: none, ever. */
  readonly ejectedPercent?: number;
}

export const circuitBreakingDefaults: Required<CircuitBreaking> = {
  failures: limits.breakerStreakMax,
  successPercent: limits.breakerSuccessMin * 100,
  windowMs: limits.breakerWindowMs,
  answers: limits.breakerWindowAnswersMin,
  penaltyMs: limits.breakerPenaltyMs,
  penaltyMaxMs: limits.breakerPenaltyMaxMs,
  ejectedPercent: limits.breakerEjectedShareMax * 100,
};

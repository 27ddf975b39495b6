/**
 * Whether a request that failed is sent again, and after how long. All rules of it stand here, in the order in which they are
 * asked; the budget comes last, because asking it takes from it. What a server did not begin (RFC 9113 section 8.7: a stream above the last
 * one of its GOAWAY, or REFUSED_STREAM) is no attempt at all, a few times over. One layer retries: who gets a request that is a retry
 * already does not repeat it, or three layers would make 27 requests of one.
 */
import { limits } from "../../model/limits.ts";
import type { Outcome, Repeat } from "../../model/outcome.ts";
import { retryBackoffMs, type Pushback } from "./backoff.ts";
import type { RetryCause, RetryRules } from "./retry_rules.ts";

export interface FailedAttempt {
  readonly cause: RetryCause;
  /** Of the answer, when the cause is `status`. */
  readonly status: number;
  /** The same of gRPC; -1 for none. */
  readonly grpc: number;
  /** Whether the server may have acted on it. */
  readonly repeat: Repeat;
  /** By its method, or because the route says so. */
  readonly idempotent: boolean;
  /** Its whole body is still there. */
  readonly replayable: boolean;
  /** A part of an answer has gone to the client. */
  readonly answered: boolean;
  /** Attempts so far, this one included. */
  readonly attempts: number;
  /** Of those before this one, how many the server did not begin. */
  readonly refusedBefore: number;
  /** It came as a retry of another layer (`x-heddle-attempt`). */
  readonly repeated: boolean;
  /** The answer has `x-heddle-no-retry`. */
  readonly forbidden: boolean;
  /** null when the answer asks for nothing. */
  readonly pushback: Pushback | null;
  /** Until its deadline; Infinity for none. */
  readonly leftMs: number;
  /** Half of the answers of the service took no longer; null: too few are known, or there is no deadline. */
  readonly usualMs: number | null;
  /** There is an endpoint that was not tried. */
  readonly elsewhere: boolean;
}

/** Why not, in words. */
export const retryRefusals = {
  answered: "a part of the answer had come",
  cause: "retries.on, .codes and .grpc name nothing like it",
  unsafe: "it must not happen twice, and may have happened",
  body: "its body was not kept whole",
  attempts: "it had all its attempts",
  layer: "it came as a retry: who sent it makes the next one",
  forbidden: "the answer said so, or asked for too long a pause",
  deadline: "its deadline would have passed before",
  "short-deadline": "half of the answers of the service take longer than its deadline left",
  budget: "the retries of the service were used up",
} as const;

export type RetryRefusal = keyof typeof retryRefusals;

/** Milliseconds to wait, or why it is not sent again. */
export type RetryDecision = number | RetryRefusal;

export interface RetryTools {
  /** Uniform in [0, 1). */
  readonly unit: () => number;
  /** Takes one from the budget, if there is one. */
  readonly takeBudget: () => boolean;
}

/** What an outcome of an attempt without an answer is about. */
export function causeOf({ flag, repeat }: Outcome): RetryCause {
  if (flag === "UT") return "timeout";
  if (repeat !== "yes") return "reset";
  return flag === "UR" || flag === "UC" ? "refused" : "connect";
}

export function decideRetry(failed: FailedAttempt, rules: RetryRules, tools: RetryTools): RetryDecision {
  const refusal = refusalOf(failed, rules);
  if (refusal !== null) return refusal;
  const delayMs = delayOf(failed, rules, tools);
  const leftMs = failed.leftMs - delayMs;
  if (leftMs <= 0) return "deadline";
  if (failed.usualMs !== null && leftMs < failed.usualMs) return "short-deadline";
  return isFree(failed) || tools.takeBudget() ? delayMs : "budget";
}

function refusalOf(failed: FailedAttempt, rules: RetryRules): RetryRefusal | null {
  if (failed.answered) return "answered";
  if (!isCause(failed, rules)) return "cause";
  if (failed.repeat === "no" || (failed.repeat === "idempotent" && !failed.idempotent)) return "unsafe";
  if (!failed.replayable) return "body";
  if (countedOf(failed) >= rules.attemptsMax) return "attempts";
  if (failed.repeated) return "layer";
  return failed.forbidden || isLong(failed.pushback) ? "forbidden" : null;
}

/** The server did not begin it, and has not said so too often: another one costs it next to nothing. */
function isFree({ cause, refusedBefore }: FailedAttempt): boolean {
  return cause === "refused" && refusedBefore < limits.refusedFreeMax;
}

function countedOf({ cause, attempts, refusedBefore }: FailedAttempt): number {
  return attempts - Math.min(refusedBefore + (cause === "refused" ? 1 : 0), limits.refusedFreeMax);
}

function isCause(
  { cause, status, grpc }: FailedAttempt,
  { causes, statuses, grpc: codes }: RetryRules,
): boolean {
  return cause === "status" ? statuses.has(status) || codes.has(grpc) : causes.has(cause);
}

function isLong(pushback: Pushback | null): boolean {
  return pushback === "never" || (pushback !== null && pushback > limits.retryPushbackMaxMs);
}

function delayOf(
  { cause, pushback, elsewhere, attempts }: FailedAttempt,
  rules: RetryRules,
  { unit }: RetryTools,
): number {
  if (typeof pushback === "number") return Math.max(pushback, rules.backoffMinMs);
  // Nothing was begun, and another endpoint has nothing to recover from.
  if ((cause === "connect" || cause === "refused") && elsewhere) return rules.backoffMinMs;
  return retryBackoffMs(attempts - 1, rules, unit());
}

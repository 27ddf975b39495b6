/**
 * Whether a request that failed is sent again, and after how long. All rules of it stand here, in the order in which they are
 * asked; the budget comes last, because asking it takes from it. One layer retries: who gets a request that is a retry
 * already does not repeat it, or three layers would make 27 requests of one.
 */
import type { Repeat } from "../../model/outcome.ts";
import { retryBackoffMs, type Pushback } from "./backoff.ts";

/** What retries may be about. A connection that was refused, and a stream the server did not begin, carry no risk at all. */
export type RetryCause = "connect" | "refused" | "reset" | "status" | "timeout" | "policy";

export interface RetryRules {
  /** Attempts of one request, the first included. */
  readonly attemptsMax: number;
  readonly causes: ReadonlySet<RetryCause>;
  /** HTTP statuses that are a reason, when `status` is among the causes. */
  readonly statuses: ReadonlySet<number>;
}

export const retryDefaults: RetryRules = {
  attemptsMax: 2,
  causes: new Set<RetryCause>(["connect", "refused", "reset"]),
  statuses: new Set([502, 503, 504]),
};

export interface FailedAttempt {
  readonly cause: RetryCause;
  /** Of the answer, when the cause is `status`. */
  readonly status: number;
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
  /** It came as a retry of another layer (`x-heddle-attempt`). */
  readonly repeated: boolean;
  /** The answer has `x-heddle-no-retry`. */
  readonly forbidden: boolean;
  /** null when the answer asks for nothing. */
  readonly pushback: Pushback | null;
  /** Until its deadline; Infinity for none. */
  readonly leftMs: number;
  /** What a request of this route takes, as a rule: with less time left another attempt is in vain. 0 when it is not known. */
  readonly typicalMs: number;
  /** There is an endpoint that was not tried. */
  readonly elsewhere: boolean;
}

/** Why not. `budget`: it would have been, but retries are used up. */
export type RetryRefusal =
  "answered" | "cause" | "unsafe" | "body" | "attempts" | "layer" | "forbidden" | "deadline" | "budget";

/** Milliseconds to wait, or why it is not sent again. */
export type RetryDecision = number | RetryRefusal;

export interface RetryTools {
  /** Uniform in [0, 1). */
  readonly unit: () => number;
  /** Takes one from the budget, if there is one. */
  readonly takeBudget: () => boolean;
}

export function decideRetry(failed: FailedAttempt, rules: RetryRules, tools: RetryTools): RetryDecision {
  const refusal = refusalOf(failed, rules);
  if (refusal !== null) return refusal;
  const delayMs = delayOf(failed, tools);
  if (delayMs + failed.typicalMs >= failed.leftMs) return "deadline";
  return tools.takeBudget() ? delayMs : "budget";
}

function refusalOf(failed: FailedAttempt, rules: RetryRules): RetryRefusal | null {
  if (failed.answered) return "answered";
  if (!rules.causes.has(failed.cause)) return "cause";
  if (failed.cause === "status" && !rules.statuses.has(failed.status)) return "cause";
  if (failed.repeat === "no" || (failed.repeat === "idempotent" && !failed.idempotent)) return "unsafe";
  if (!failed.replayable) return "body";
  if (failed.attempts >= rules.attemptsMax) return "attempts";
  if (failed.repeated) return "layer";
  return failed.forbidden || failed.pushback === "never" ? "forbidden" : null;
}

function delayOf({ cause, pushback, elsewhere, attempts }: FailedAttempt, { unit }: RetryTools): number {
  if (typeof pushback === "number") return pushback;
  // Nothing was sent, and another endpoint has nothing to recover from.
  if (cause === "connect" && elsewhere) return 0;
  return retryBackoffMs(attempts - 1, unit());
}

/** What is heard of a policy that was asked: its decision, checked, or how it failed. */
import type { PolicyFailure } from "../telemetry/record.ts";
import type { CheckedDecision } from "./decision.ts";

export interface Failed {
  readonly do: "failed";
  readonly failure: PolicyFailure;
  readonly reason: string;
}

export type Said = Exclude<CheckedDecision, { do: "fail" | "invalid" | "wait" }> | Failed;

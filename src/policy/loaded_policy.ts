/** One policy version as the proxy keeps it for the host: its bundle, how it does, and the calls of this turn. */
import { limits } from "../model/limits.ts";
import type { PolicyRef } from "../model/snapshot.ts";
import type { Counter } from "../telemetry/metrics.ts";
import type { Answer } from "./policy_call.ts";
import { Trips } from "./trips.ts";

export interface LoadedPolicy {
  readonly id: number;
  readonly ref: PolicyRef;
  readonly bundle: string;
  readonly trips: Trips;
  readonly cpu: Pick<Counter, "add">;
  state: "waiting" | "ready" | "broken" | "quarantined";
  detail: string;
  /** The running host was given the bundle: bindings must follow it there. */
  introduced: boolean;
  description: string | null;
  /** Options as JSON to the number they are known by in the host. */
  readonly bindings: Map<string, number>;
  /** Calls of this turn, encoded, with those who wait for them. */
  texts: string[];
  textLength: number;
  answers: Answer[];
  /** Who waits until it is loaded. */
  described: (() => void)[];
}

export function newPolicy(
  id: number,
  ref: PolicyRef,
  bundle: string,
  cpu: Pick<Counter, "add"> = uncounted,
): LoadedPolicy {
  return {
    id,
    ref,
    bundle,
    trips: new Trips(limits.policyTripsMax, limits.policyTripWindowMs),
    cpu,
    state: "waiting",
    detail: "",
    introduced: false,
    description: null,
    bindings: new Map(),
    texts: [],
    textLength: 0,
    answers: [],
    described: [],
  };
}

/** A counter never goes back, whatever the host says. */
export function countCpu(policy: LoadedPolicy, cpuUs: number): void {
  if (cpuUs > 0 && Number.isFinite(cpuUs)) policy.cpu.add(cpuUs / 1e6);
}

const uncounted: Pick<Counter, "add"> = { add() {} };

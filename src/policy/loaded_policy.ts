/** One policy version as the proxy keeps it for its process: its bundle, how it does, and the calls of this turn. */
import type { PolicyRef } from "../model/snapshot.ts";
import type { Counter } from "../telemetry/metrics.ts";
import type { Answer } from "./policy_call.ts";
import { Quarantine } from "./quarantine.ts";

export interface LoadedPolicy {
  /** Its number in the running process; another one each time that it is loaded there. */
  id: number;
  readonly ref: PolicyRef;
  readonly bundle: string;
  readonly quarantine: Quarantine;
  readonly cpu: Pick<Counter, "add">;
  /** Until when its processor time was told. */
  cpuToldMs: number;
  /** `broken`: it could not be loaded. It is put aside then as a quarantined one is. */
  state: "waiting" | "ready" | "broken" | "quarantined";
  detail: string;
  /** The one call of a trial is under way. */
  tried: boolean;
  description: string | null;
  /** Options as JSON to the number they are known by in the process. */
  bindings: Map<string, number>;
  /** Numbers of bindings that the process has not told about yet. */
  readonly unbound: Set<number>;
  /** Calls of this turn, encoded, with those who wait for them. */
  texts: string[];
  textLength: number;
  answers: Answer[];
  /** Who waits until it is loaded. */
  described: (() => void)[];
}

export function newPolicy(
  ref: PolicyRef,
  bundle: string,
  cpu: Pick<Counter, "add"> = uncounted,
): LoadedPolicy {
  return {
    id: 0,
    ref,
    bundle,
    quarantine: new Quarantine(),
    cpu,
    cpuToldMs: 0,
    state: "waiting",
    detail: "",
    tried: false,
    description: null,
    bindings: new Map(),
    unbound: new Set(),
    texts: [],
    textLength: 0,
    answers: [],
    described: [],
  };
}

/** It is loaded, or will not be: whoever waited for that goes on. */
export function tellDescribed(policy: LoadedPolicy): void {
  const { described } = policy;
  policy.described = [];
  for (const call of described) call();
}

/** Clocks of two processes are read at different moments. */
const looseMs = 20;

/** A counter never goes back, and no thread takes more than all the time there was, whatever the process says. */
export function countCpu(policy: LoadedPolicy, cpuUs: number, nowMs: number): void {
  if (cpuUs === 0) return;
  const mostUs = (nowMs - policy.cpuToldMs + looseMs) * 1_000;
  policy.cpuToldMs = nowMs;
  policy.cpu.add(Math.min(cpuUs, mostUs) / 1e6);
}

const uncounted: Pick<Counter, "add"> = { add() {} };

/** Tells the controller how versions of policies do that are tried here, when that changes; what it did not hear it is told again. */
import type { Clock } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import { limits } from "../model/limits.ts";
import type { TrialReading } from "../model/trial.ts";
import { every } from "./chores.ts";

export function tellTrials(
  control: Pick<ControlClient, "call">,
  clock: Clock,
  readings: () => readonly TrialReading[],
): { close(): void } {
  let told = "[]";
  let busy = false;
  return every(clock, limits.trialsTellMs, () => {
    const now = readings();
    if (busy || (now.length === 0 && told === "[]")) return;
    const said = JSON.stringify(now);
    if (said === told) return;
    busy = true;
    control
      .call("PUT", controllerPaths.trials, now)
      .then(() => (told = said))
      // The controller is away: the next look finds that it was not told.
      .catch(() => {})
      .finally(() => (busy = false));
  });
}

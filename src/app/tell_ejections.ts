/** Tells the controller now and then which instances circuit breaking has taken out. */
import type { Clock } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import { limits } from "../model/limits.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import { every } from "./chores.ts";
import { EjectionReport } from "./ejection_report.ts";
import { ejectionsOf } from "./endpoint_states.ts";

export function tellEjections(
  control: ControlClient,
  clock: Clock,
  plane: Pick<DataPlane, "state">,
): { close(): void } {
  const report = new EjectionReport(control, clock, () => ejectionsOf(plane.state, clock.now()));
  return every(clock, limits.ejectionsLookMs, () => report.look());
}

/** The units that apps of this machine run in: whether each is coupled to the proxy as it should be. */
import type { Runtime } from "../../runtime/contract.ts";
import type { MachineDocument } from "../model/document.ts";
import { couplingProblem } from "../systemd/coupling_state.ts";
import { findManager, type Manager } from "../systemd/manager.ts";
import { ok, warn, type Finding } from "./finding.ts";

export async function checkUnits(runtime: Runtime, machine: MachineDocument): Promise<readonly Finding[]> {
  const all = [...machine.services, ...(machine.callers ?? [])];
  const units = [...new Set(all.flatMap(({ unit }) => unit ?? []))];
  if (units.length === 0) return [];
  // Whoever is neither root nor has a manager learns nothing of it.
  const manager: Manager | null = await findManager(runtime).catch(() => null);
  if (manager === null) return [];
  return await Promise.all(
    units.map(async (unit) => {
      const found = await couplingProblem(runtime.process, runtime.files, manager, unit);
      return found === null
        ? ok("HED0015", unit, "starts after the proxy and ends before it")
        : warn("HED0015", unit, found.problem, found.cure);
    }),
  );
}

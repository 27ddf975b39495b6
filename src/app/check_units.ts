/** The units that apps of this machine run in: whether each is coupled to the proxy as it should be. */
import type { Runtime } from "../../runtime/contract.ts";
import type { InterceptedUnit } from "../intercept/rules.ts";
import { interceptedUnits } from "../intercept/units_of.ts";
import type { MachineDocument } from "../model/document.ts";
import { couplingProblem } from "../systemd/coupling_state.ts";
import { findManager, type Manager } from "../systemd/manager.ts";
import { unitName } from "../systemd/units.ts";
import { ok, warn, type Finding } from "./finding.ts";
import { MachineInterception, refused6 } from "./interception.ts";
import type { Settings } from "./settings.ts";

/** What units of a user lack: nothing is said of the machine's, nor where no authority is. */
export async function checkClosed(
  { files, process }: Pick<Runtime, "files" | "process">,
  { modes }: Pick<Settings, "modes">,
): Promise<readonly Finding[]> {
  if (!modes.includes("controller")) return [];
  const manager = await findManager({ files, process }).catch(() => null);
  if (manager?.scope !== "user" || (await files.stat(`${manager.units}/${unitName("proxy")}`)) === null)
    return [];
  return [
    warn(
      "HED0021",
      "authority",
      "the unit of the proxy reaches the keys that sign every identity: systemd closes no folder to units of a user",
      "Where more than your own tests rely on this mesh, make it as root: sudo heddle init",
    ),
  ];
}

/** Rules of the firewall may be taken back while the Machine document goes on wanting them: nobody is told by the document alone. */
export async function checkInterception(
  { files, process }: Pick<Runtime, "files" | "process">,
  machine: MachineDocument,
): Promise<readonly Finding[]> {
  const wanted = interceptedUnits(machine);
  if (wanted.length === 0) return [];
  // Whoever may not read it learns nothing of it.
  const missing = await new MachineInterception({ files, process }).notInForce(wanted).catch(() => null);
  if (missing === null) return [];
  const [first] = missing;
  if (first === undefined) return await checkInForce(process, wanted);
  return [
    warn(
      "HED0022",
      "interception",
      `the Machine document wants it for ${missing.join(", ")}, and it is not in force: their traffic goes around the mesh`,
      `heddle attach ${first} --intercept tries it again; to leave it, take intercept out of the Machine document (heddle detach ${first}, then heddle attach ${first} as before, without it)`,
    ),
  ];
}

async function checkInForce(
  process: Runtime["process"],
  units: readonly InterceptedUnit[],
): Promise<readonly Finding[]> {
  const problem = await refused6(process, units);
  if (problem !== null) return [warn("HED0022", "interception", problem.detail, problem.cure)];
  return [ok("HED0022", "interception", `in force for ${units.map(({ unit }) => unit).join(", ")}`)];
}

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

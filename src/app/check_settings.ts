/**
 * Whether the settings of a machine with a controller are closed to its other units, as their `ReadOnlyPaths=` says. That is a mount in
 * the namespace of each, and it is gone as soon as another file takes the place of that one (rename(2) onto a mount point of another
 * namespace takes it away): heddle writes into the file that is there, but editors replace it.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { tryCommand } from "../systemd/commands.ts";
import { findManager } from "../systemd/manager.ts";
import { unitName } from "../systemd/units.ts";
import { ok, warn, type Finding } from "./finding.ts";
import type { Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

type Host = Pick<Runtime, "files" | "process">;

export async function checkSettingsClosed(
  { files, process }: Host,
  folder: StateFolder,
  { modes }: Pick<Settings, "modes">,
): Promise<readonly Finding[]> {
  if (!modes.includes("controller") || process.user !== 0) return [];
  const manager = await findManager({ files, process }).catch(() => null);
  if (manager === null) return [];
  const [open, closed]: [string[], string[]] = [[], []];
  for (const mode of ["proxy", "registry"] as const) {
    const unit = unitName(mode);
    const written = await textOf(files, `${manager.units}/${unit}`);
    if (!modes.includes(mode) || written?.includes("ReadOnlyPaths=") !== true) continue;
    const command = [...manager.systemctl, "show", "--value", "--property=MainPID", unit];
    const answer = await tryCommand(process, command).catch(() => null);
    const mounts = await textOf(files, `/proc/${Number(answer?.output.trim() ?? 0)}/mountinfo`);
    // One that does not run has none.
    if (mounts === null) continue;
    (isReadOnly(mounts, folder.settings) ? closed : open).push(unit);
  }
  const [first] = open;
  if (first !== undefined)
    return [
      warn(
        "HED0023",
        "settings",
        `${folder.settings} was replaced while ${open.join(" and ")} ran, which can write it until the next start`,
        `systemctl restart ${open.join(" ")}`,
      ),
    ];
  if (closed.length === 0) return [];
  return [ok("HED0023", "settings", `${folder.settings} is closed to ${closed.join(" and ")}`)];
}

/** proc_pid_mountinfo(5): the fifth field is the place, with blanks and backslashes in octal digits; the sixth how it is mounted. */
function isReadOnly(mounts: string, path: string): boolean {
  const written = path.replaceAll(
    /[ \t\n\\]/g,
    (each) => `\\${each.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  return mounts.split("\n").some((line) => {
    const [, , , , place, how = ""] = line.split(" ");
    return place === written && how.split(",").includes("ro");
  });
}

async function textOf(files: Host["files"], path: string): Promise<string | null> {
  const bytes = await files.read(path).catch(() => null);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

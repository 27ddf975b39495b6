/** The plan by which heddle becomes services of a machine, pure; and what turns it back. */
import type { Manager } from "./manager.ts";
import { undoOf, type RunStep, type Step } from "./plan.ts";
import {
  runtimeFolder,
  serviceUser,
  slice,
  sysusersLine,
  tmpfilesText,
  unitFiles,
  unitName,
  type UnitsDescription,
} from "./units.ts";

/** What userdel(8) ends with then. */
const noSuchUser = 6;
/** And systemctl(1): a unit that is not there has not failed. */
const notLoaded = 1;
export const tmpfiles = "/etc/tmpfiles.d/heddle.conf";

export function installationSteps(manager: Manager, description: UnitsDescription): readonly Step[] {
  const { systemctl, units } = manager;
  const services = description.modes.map(unitName);
  const owned = description.scope === "system" ? ownership(description) : [];
  const reload = [...systemctl, "daemon-reload"];
  return [
    ...(description.replaces === null ? [{ kind: "copy", path: description.program } as const] : []),
    ...owned,
    // When the files are gone again.
    run(null, { undo: reload }),
    ...unitFiles(description).map(({ name, text }): Step => ({
      kind: "write",
      path: `${units}/${name}`,
      text,
    })),
    // Always: the first drop-in of a unit is not noticed by itself.
    run(reload),
    run([...systemctl, "enable", ...services]),
    run([...systemctl, "restart", ...services], { when: "changed" }),
    run([...systemctl, "start", ...services], { when: "unchanged" }),
    ...replaced(description),
    run(null, { undo: [...systemctl, "stop", slice], undoNeeds: [`${units}/${slice}`] }),
    ...services.flatMap((unit) => {
      const undoNeeds = [`${units}/${unit}`];
      return [
        run(null, { undo: [...systemctl, "reset-failed", unit], undoNeeds, undoFine: [notLoaded] }),
        run(null, { undo: [...systemctl, "disable", "--now", unit], undoNeeds }),
      ];
    }),
  ];
}

/** Once nothing runs it any more. Who types its name gets the one of the package from then on. */
function replaced({ replaces }: UnitsDescription): readonly Step[] {
  return replaces === null ? [] : [{ kind: "remove", path: replaces, onlyOwn: false }];
}

/** A user of their own, and folders that are theirs. */
function ownership(description: UnitsDescription): readonly Step[] {
  const { state } = description;
  const owner = `${serviceUser}:${serviceUser}`;
  return [
    // As long as this file is here, the user is one that heddle made.
    { kind: "write", path: tmpfiles, text: tmpfilesText(description) },
    run(["systemd-sysusers", "--inline", sysusersLine(description)], {
      undo: ["userdel", serviceUser],
      undoNeeds: [tmpfiles],
      undoFine: [noSuchUser],
    }),
    run(["systemd-tmpfiles", "--create", tmpfiles]),
    // What root wrote there. Afterwards nobody else may have the number that the user had.
    run(["chown", "-Rh", owner, state], {
      undo: ["chown", "-Rh", "root:root", state],
      undoNeeds: [tmpfiles, state],
    }),
  ];
}

/** What is there to be taken away is another matter (`pendingSteps`). `purge`: with the state folder. */
export function removalSteps(
  manager: Manager,
  description: UnitsDescription,
  purge: boolean,
): readonly Step[] {
  const folders = description.scope === "system" ? [runtimeFolder] : [];
  const { program } = description;
  const leftBehind = [previousProgram(program), folderOf(stagedProgram(program))];
  return [
    ...undoOf(installationSteps(manager, description)),
    ...[...leftBehind, ...folders, ...(purge ? [description.state] : [])].map((path): Step => ({
      kind: "remove",
      path,
      onlyOwn: false,
    })),
  ];
}

/** Of the program that is in place, the one before, as an upgrade keeps it. */
export function previousProgram(program: string): string {
  return `${program}.previous`;
}

/** Where a program is during an upgrade to it: called as the one in place, in a folder of its own. */
export function stagedProgram(program: string): string {
  return `${folderOf(program)}/.heddle-next/${program.slice(program.lastIndexOf("/") + 1)}`;
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function run(
  command: readonly string[] | null,
  more: Partial<Omit<RunStep, "kind" | "command">> = {},
): RunStep {
  return { kind: "run", command, when: "always", undo: null, ...more };
}

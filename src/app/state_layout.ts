/**
 * What older versions kept beside one another in the state folder, and now lies in folders that are closed to the proxy's unit: moved
 * before it is used. Repeated, it goes on where it was interrupted.
 */
import type { Files } from "../../runtime/contract.ts";
import type { StateFolder } from "./state_folder.ts";

type Host = Pick<Files, "stat" | "makeFolder" | "move" | "remove">;

/** Whose files these are. */
export type LayoutPart = "registry" | "controller";

/** Whether there is anything to be moved. */
export async function isOldLayout(files: Pick<Files, "stat">, folder: StateFolder): Promise<boolean> {
  const moves = [...movesOf(folder, "registry"), ...movesOf(folder, "controller")];
  const stats = await Promise.all(moves.map(([old]) => files.stat(old)));
  return stats.some((stat) => stat !== null);
}

/** To be called while that mode does not run. What lies at the new place already is the newer one. */
export async function settleLayout(files: Host, folder: StateFolder, part: LayoutPart): Promise<void> {
  for (const [old, now] of movesOf(folder, part)) {
    if ((await files.stat(old)) === null) continue;
    await files.makeFolder(folder[part === "registry" ? "registry" : "control"], 0o700);
    if ((await files.stat(now)) === null) await files.move(old, now);
    else await files.remove(old);
  }
}

/** In this order: commits that are in the log beside the store alone must not be left behind by it. */
function movesOf(folder: StateFolder, part: LayoutPart): readonly (readonly [string, string])[] {
  const { path, registryStore: store } = folder;
  if (part === "controller")
    return [
      [`${path}/controller.json`, folder.controllerCredential],
      [`${path}/operator.json`, folder.operator],
    ];
  return [
    [`${path}/registry.json`, folder.registryCredential],
    [`${path}/registry.db-shm`, `${store}-shm`],
    [`${path}/registry.db-wal`, `${store}-wal`],
    [`${path}/registry.db`, store],
  ];
}

/** A control group as systemd makes it of an intercepted unit, without systemd: for who has cgroup2 at its place and is root. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { sliceFolder, sliceOf } from "../../src/intercept/slice.ts";

const root = "/sys/fs/cgroup";

/** This process, and what it starts from now on, is of that unit. `leave` once all of that has ended. */
export function enterUnit(unit: string): { leave(): void } {
  const slice = `${root}/${sliceFolder(sliceOf(unit))}`;
  const own = `${slice}/${unit}`;
  mkdirSync(own, { recursive: true });
  const before = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";
  const move = (folder: string): void => writeFileSync(`${folder}/cgroup.procs`, String(process.pid));
  move(own);
  return {
    leave: () => {
      move(root + before);
      for (const folder of [own, slice]) rmdirSync(folder);
    },
  };
}

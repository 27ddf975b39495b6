/** What control groups say of this process: of the group that it is in, and of each that this one is in (cgroups(7)). */
import type { Files } from "../../../runtime/contract.ts";

/** A controller, and its file of each version; where version 1 writes a bound in two files, both. */
export interface GroupFiles {
  readonly controller: "memory" | "cpu";
  readonly unified: string;
  readonly own: readonly string[];
}

/**
 * What stands in the files of each group, innermost last: of version 2 one text each, of version 1 as many as it has files. A text is empty
 * where there is no such file, or it may not be read.
 */
export function groupTexts(files: Pick<Files, "readSync">, wanted: GroupFiles): (readonly string[])[] {
  return textAt(files, "/proc/self/cgroup")
    .split("\n")
    .flatMap((line) => {
      const [, controllers, ...rest] = line.split(":");
      const path = rest.join(":");
      // The line without a controller is of version 2.
      if (controllers === "") return textsOf(files, "/sys/fs/cgroup", path, [wanted.unified]);
      if (controllers?.split(",").includes(wanted.controller) !== true) return [];
      return textsOf(files, `/sys/fs/cgroup/${wanted.controller}`, path, wanted.own);
    });
}

/** Of the root too: in a container that is the group which bounds it. */
function textsOf(
  files: Pick<Files, "readSync">,
  root: string,
  path: string,
  names: readonly string[],
): (readonly string[])[] {
  const parts = path.split("/").filter((part) => part !== "");
  const folders = [root, ...parts.map((_, at) => [root, ...parts.slice(0, at + 1)].join("/"))];
  return folders.map((folder) => names.map((name) => textAt(files, `${folder}/${name}`)));
}

/** Empty where there is none, or it may not be read. */
export function textAt(files: Pick<Files, "readSync">, path: string): string {
  try {
    return new TextDecoder().decode(files.readSync(path) ?? undefined);
  } catch {
    return "";
  }
}

/** How much memory the processes of this machine, or of the control group that this one is in, may take at most. */
import type { Files } from "../../../runtime/contract.ts";

/** Bytes. Infinity where the system does not tell. */
export function machineBytes(files: Pick<Files, "readSync">): number {
  const read = (path: string): string => textAt(files, path);
  const total = Number(/^MemTotal:\s+(\d+) kB$/m.exec(read("/proc/meminfo"))?.[1] ?? Infinity) * 1_024;
  const bounds = groupFiles(read("/proc/self/cgroup")).map((path) => Number.parseInt(read(path), 10));
  return Math.min(total, ...bounds.filter((bound) => bound > 0));
}

/** Of the group and those that it is in (cgroups(7)): version 2 is the line without a controller, of version 1 the one of memory counts. */
function groupFiles(lines: string): string[] {
  return lines.split("\n").flatMap((line) => {
    const [, controllers, path = ""] = line.split(":");
    const [folder, file] =
      controllers === ""
        ? ["/sys/fs/cgroup", "memory.max"]
        : ["/sys/fs/cgroup/memory", "memory.limit_in_bytes"];
    if (controllers !== "" && controllers !== "memory") return [];
    const parts = path.split("/").filter((part) => part !== "");
    return parts.map((_, at) => [folder, ...parts.slice(0, at + 1), file].join("/"));
  });
}

/** Empty where there is none, or it may not be read. */
function textAt(files: Pick<Files, "readSync">, path: string): string {
  try {
    return new TextDecoder().decode(files.readSync(path) ?? undefined);
  } catch {
    return "";
  }
}

/** Who has a TCP port: reads the kernel's socket tables and the descriptors of the processes we may see. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const listening = "0A";

function inodesListeningOn(port: number): Set<string> {
  const inodes = new Set<string>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readLines(table)) {
      const columns = line.trim().split(/\s+/);
      const [, local, , state] = columns;
      const inode = columns[9];
      if (state === listening && local?.endsWith(suffix) === true && inode !== undefined) inodes.add(inode);
    }
  }
  return inodes;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split("\n").slice(1);
  } catch {
    return [];
  }
}

function holdsOneOf(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
      const target = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (target !== undefined && inodes.has(target)) return true;
    }
  } catch {
    // Another user's process, or one that has ended.
  }
  return false;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** `nginx (pid 812)`; null when no process we may look into has it. */
export function holderOf(port: number): string | null {
  const inodes = inodesListeningOn(port);
  if (inodes.size === 0) return null;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (!holdsOneOf(pid, inodes)) continue;
    try {
      return `${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} (pid ${pid})`;
    } catch {
      return `pid ${pid}`;
    }
  }
  return null;
}

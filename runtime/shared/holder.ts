/** Who has a TCP port: reads the kernel's socket tables and the descriptors of the processes we may see. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

const listening = "0A";
const everywhere = /^0+$/;

/** Listening sockets of that port, and whose each is, which keep a listener of `host` out: on the same address, or where either means every address. */
function inodesListeningOn(host: string, port: number): Map<string, string> {
  const inodes = new Map<string, string>();
  const wanted = hexOf(host);
  const suffix = port.toString(16).toUpperCase().padStart(4, "0");
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readLines(table)) {
      const columns = line.trim().split(/\s+/);
      const [, local = "", , state] = columns;
      const [user = "", inode] = [columns[7], columns[9]];
      const [address = "", at] = local.split(":");
      if (state !== listening || at !== suffix || inode === undefined) continue;
      if (wanted === null || everywhere.test(address) || address.endsWith(wanted)) inodes.set(inode, user);
    }
  }
  return inodes;
}

/** An IPv4 address as the kernel's tables show it, in the order of a little-endian machine; null: every address, or not known. */
function hexOf(host: string): string | null {
  const bytes = host.split(".").map(Number);
  if (bytes.length !== 4 || bytes.every((byte) => byte === 0)) return null;
  if (!bytes.every((byte) => byte >= 0 && byte <= 255)) return null;
  return bytes
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"))
    .reverse()
    .join("");
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split("\n").slice(1);
  } catch {
    return [];
  }
}

/** null: it may not be looked into. */
function holdsOneOf(pid: string, inodes: ReadonlyMap<string, string>): boolean | null {
  try {
    for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
      const target = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (target !== undefined && inodes.has(target)) return true;
    }
    return false;
  } catch {
    // Another user's process, one that may not be dumped, or one that has ended.
    return null;
  }
}

/** Whose a process is, whoever may look into it; "" once it has ended. */
function userOf(pid: string): string {
  try {
    return /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? "";
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** What is started by the kernel's link to itself is known as `exe`; then the file tells more. */
function nameOf(pid: string): string {
  try {
    const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    return name === "exe" ? basename(linkOf(`/proc/${pid}/exe`)).replace(" (deleted)", "") : name;
  } catch {
    return "a process";
  }
}

/** `nginx (pid 812)`; null when no process that can be told has it. */
export function holderOf(host: string, port: number): string | null {
  const inodes = inodesListeningOn(host, port);
  if (inodes.size === 0) return null;
  const closed: string[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const holds = holdsOneOf(pid, inodes);
    if (holds === true) return `${nameOf(pid)} (pid ${pid})`;
    if (holds === null) closed.push(pid);
  }
  // One of our own that may not be looked into: it has the user of the socket, which is ours, and our name.
  const user = String(process.getuid?.() ?? "");
  if (![...inodes.values()].includes(user)) return null;
  const own = nameOf(String(process.pid));
  const [first, second] = closed.filter((pid) => userOf(pid) === user && nameOf(pid) === own);
  return first === undefined || second !== undefined ? null : `${own} (pid ${first})`;
}

/**
 * The seal of the policy host, in the order in which it must come: Landlock, this program anew, then seccomp. What the
 * seal is worth is tried afterwards, not assumed.
 */
import type { Files, Native, ProcessHost } from "../../runtime/contract.ts";
import { becomeProgram, lockThread, readsFolder } from "./landlock.ts";
import { leaksOf } from "./probe.ts";
import { filterCalls } from "./seccomp.ts";

export interface SealHost {
  readonly native: Native;
  readonly process: ProcessHost;
  readonly files: Pick<Files, "readSync">;
}

/** `host` runs policies; `bundler` may open what Landlock leaves, because the bundler of the runtime looks at folders. */
export type Role = "host" | "bundler";

const program = "/proc/self/exe";

/** First half: returns only when this process could not become a locked one; says why. */
export function restartLocked(host: SealHost, args: readonly string[]): string {
  if (!host.native.available) return "native calls need Linux";
  if (host.process.self.length !== 1) return "it runs from its sources, which Landlock would take away";
  const maps = host.files.readSync("/proc/self/maps");
  if (maps === null) return "there is no /proc/self/maps";
  const problem = lockThread(host.native, new TextDecoder().decode(maps));
  return problem ?? becomeProgram(host.native, [program, ...args], host.process.env);
}

/** Second half, in the locked process. Returns null when the seal is whole, or what is missing. */
export function closeSeal(host: SealHost, role: Role): string | null {
  if (readsFolder(host.native, "/")) return "Landlock does not hold: the root folder can be read";
  const problem = filterCalls(host.native, host.process.pid, role === "bundler");
  if (problem !== null) return problem;
  const leaks = leaksOf(host.native).filter((call) => role === "host" || !lookups.has(call));
  return leaks.length === 0 ? null : `these system calls are not denied: ${leaks.join(", ")}`;
}

/** Calls that the bundler may make, under Landlock's rules. */
const lookups: ReadonlySet<string> = new Set(["openat", "readlink", "readlinkat"]);

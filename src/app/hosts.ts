/** Takes the names that the proxy wrote over into /etc/hosts of this machine; as root, where its resolver cannot be told of them. */
import type { Files } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { hostsFile, hostsSource, readHosts, withHosts } from "../systemd/hosts.ts";

type HostFiles = Pick<Files, "read" | "stat" | "writeAtomic" | "remove">;

/** Returns whether anything was changed. Without what the proxy writes, the block stays as it is: the addresses are those of before. */
export async function takeHosts(files: HostFiles): Promise<boolean> {
  const written = await files.read(hostsSource);
  if (written === null) return false;
  const lines = readHosts(new TextDecoder().decode(written));
  if (!lines.ok)
    throw new UserError(
      `Cannot take names from ${hostsSource}: ${lines.problem}`,
      "Nothing was changed; heddle bugreport collects what is needed to find out why",
    );
  return await rewrite(files, lines.value);
}

/** Returns whether there was something to remove. */
export async function removeHosts(files: HostFiles): Promise<boolean> {
  return await rewrite(files, []);
}

async function rewrite(files: HostFiles, lines: readonly string[]): Promise<boolean> {
  const bytes = await files.read(hostsFile);
  const text = bytes === null ? "" : new TextDecoder().decode(bytes);
  const next = withHosts(text, lines);
  if (next === text) return false;
  // There was none before.
  if (next === "") await files.remove(hostsFile);
  else await files.writeAtomic(hostsFile, next, (await files.stat(hostsFile))?.mode ?? 0o644);
  return true;
}

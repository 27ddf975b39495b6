/** Takes the names that the proxy wrote over into /etc/hosts of this machine; as root, where its resolver cannot be told of them. */
import type { Files } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { hostsFile, hostsSource, readHosts, tooManyHosts, withHosts } from "../systemd/hosts.ts";

type HostFiles = Pick<Files, "read" | "stat" | "writeAtomic" | "remove">;

/** Returns whether anything was changed. Without what the proxy writes, the block stays as it is: the addresses are those of before. */
export async function takeHosts(files: HostFiles): Promise<boolean> {
  const lines = await written(files);
  if (lines === null) return false;
  if (!lines.ok)
    throw new UserError(
      `Cannot take names from ${hostsSource}: ${lines.problem}`,
      "Nothing was changed; heddle bugreport collects what is needed to find out why",
    );
  return await rewrite(files, lines.value);
}

/** null: nothing. Whoever took the proxy over may write there what it likes: what is longer than names may be is not read. */
async function written(files: HostFiles): Promise<ReturnType<typeof readHosts> | null> {
  if (((await files.stat(hostsSource))?.size ?? 0) > limits.hostsBytesMax) return tooManyHosts;
  const bytes = await files.read(hostsSource);
  return bytes === null ? null : readHosts(new TextDecoder().decode(bytes));
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

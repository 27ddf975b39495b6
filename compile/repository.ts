/** Where the repository lies, and running programs in it. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

export const root = dirname(import.meta.dir);
export const bun = process.execPath;
export const binaryPath = join(root, "dist/heddle");
/** Tests of the binary skip then: it takes `npm run compile`. `npm test` compiles first, so there none of them does. */
export const binaryMissing = !existsSync(binaryPath);

/** Runs a program to its end with its output shown; returns its exit code. */
export function runShown(command: string, args: readonly string[], env?: Record<string, string>): number {
  const answer = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  return answer.status ?? 1;
}

/** Runs a program to its end; returns what it printed. Empty when it failed. */
export function outputOf(command: string, args: readonly string[]): string {
  const answer = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  return answer.status === 0 ? answer.stdout.trim() : "";
}

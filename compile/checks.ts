/** Format and types: the checks that are a program of their own. */
import { bun, root, runShown } from "./repository.ts";
import { spawnSync } from "node:child_process";

const folders = ["src", "runtime", "policies", "compile", "test"];
const formatFlags = ["--print-width=110"];

function formattable(): string[] {
  const listed = spawnSync("git", ["ls-files", "-co", "--exclude-standard", ...folders], {
    cwd: root,
    encoding: "utf8",
  });
  return listed.stdout.split("\n").filter((file) => /\.(ts|mjs)$/.test(file));
}

/** Formats the sources, or with `check` only tells. Returns the exit code. */
export function format(check: boolean): number {
  return runShown(bun, [
    "fmt",
    "--no-script",
    ...formatFlags,
    ...(check ? ["--check"] : []),
    ...formattable(),
  ]);
}

export function types(): number {
  return runShown(bun, ["check", "--no-script", "--no-pretty"]);
}

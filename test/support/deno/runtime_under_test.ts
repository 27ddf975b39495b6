/** Stands in for `test/support/runtime_under_test.ts` where the import map of this folder holds. */
import { join } from "node:path";
import process from "node:process";
import { createRuntime } from "../../../runtime/deno/runtime.ts";
import type { Runtime } from "../../../runtime/contract.ts";

export const runtime: Runtime = createRuntime();

const map = join(import.meta.dirname, "import_map.json");

/** A command line that runs a module on this host. */
export function programOf(path: string): string[] {
  return [
    `/proc/${process.pid}/exe`,
    "run",
    "--allow-all",
    "--no-prompt",
    "--no-lock",
    `--import-map=${map}`,
    path,
  ];
}

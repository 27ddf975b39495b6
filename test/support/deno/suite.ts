/** Runs files of the conformance suite on Deno, and holds what they say against what is known to fail there. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../../compile/repository.ts";
import { denoFailures } from "./failures.ts";
import type { Told } from "./main.ts";

const deno = join(root, "node_modules/@deno/linux-x64-glibc/deno");
const here = import.meta.dir;
const flags = ["--allow-all", "--no-prompt", "--no-lock", `--import-map=${here}/import_map.json`];

async function run(files: readonly string[]): Promise<Told[]> {
  const known = JSON.stringify(Object.keys(denoFailures));
  const paths = files.map((file) => join(root, "test/conformance/runtime", file));
  const child = spawn(deno, ["run", ...flags, `${here}/main.ts`, known, ...paths], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk) => (said += String(chunk)));
  await new Promise((resolve) => child.on("close", resolve));
  return said
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Told);
}

export interface Findings {
  readonly passed: number;
  /** Tests that fail and are not listed, with what was wrong. */
  readonly newFailures: readonly string[];
  /** Tests that are listed as failing and pass: they must leave the list. */
  readonly mended: readonly string[];
}

export async function conformanceOnDeno(files: readonly string[]): Promise<Findings> {
  const told = await run(files);
  const failed = told.filter(({ problem }) => problem !== null);
  const passed = told.filter(({ problem }) => problem === null);
  return {
    passed: passed.length,
    newFailures: failed
      .filter(({ test }) => denoFailures[test] === undefined)
      .map(({ file, test, problem }) => `${file} ${test}: ${problem}`),
    mended: passed.filter(({ test }) => denoFailures[test]?.always === true).map(({ test }) => test),
  };
}

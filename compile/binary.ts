/** Compiles dist/heddle: one file with the runtime, the sources, the workers, and its version and commit inside. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join, relative } from "node:path";
import { bun, outputOf, root } from "./repository.ts";
import { binaryOf, runtimeOf, targets, type Target } from "./targets.ts";

/** Modules that run as workers; in the binary they are found by their path from the root of the sources. */
const workers = ["src/policy/worker.ts"].filter((worker) => existsSync(join(root, worker)));

/**
 * How every binary is compiled: nothing of the folder it is started in is read, and what a command imports when it needs it is
 * loaded then, which is half of the start of a sealed process.
 * @visibleForTesting
 */
export const compileFlags: readonly string[] = [
  "--compile",
  "--format=esm",
  "--bytecode",
  "--splitting",
  "--minify-syntax",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
];

/** Writes dist/heddle, or that of another target beside it. Throws with the compiler's words when it fails. */
export async function compileBinary(options: {
  readonly verbose: boolean;
  readonly target?: Target;
}): Promise<void> {
  const { target = targets.x64 } = options;
  const path = binaryOf(target);
  const runtime = runtimeOf(target);
  mkdirSync(join(root, "dist"), { recursive: true });
  const version = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version as string;
  const commit = outputOf("git", ["rev-parse", "--short=12", "HEAD"]) || "unknown";
  const beside = `${path}.new`;
  const answer = spawnSync(
    bun,
    [
      "build",
      ...compileFlags,
      ...(runtime === null ? [] : [`--target=${target.bun}`, `--compile-executable-path=${runtime}`]),
      `--define=HEDDLE_BUILD=${JSON.stringify(`${version} ${commit}`)}`,
      `--outfile=${beside}`,
      "./src/main.ts",
      ...workers.map((worker) => `./${worker}`),
    ],
    { cwd: root, encoding: "utf8" },
  );
  if (answer.status !== 0) throw new Error(`Cannot compile heddle: ${answer.stdout}${answer.stderr}`);
  renameSync(beside, path);
  if (options.verbose) process.stdout.write(`${relative(root, path)} ${version} ${commit}\n`);
}

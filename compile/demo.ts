/** `npm run demo`: compiles the binary when it is missing or older than its sources, then runs its demo. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { compileBinary } from "./binary.ts";
import { binaryPath, root, runShown } from "./repository.ts";

function newestSource(): number {
  let newest = 0;
  for (const folder of ["src", "runtime", "policies", "compile"]) {
    for (const name of readdirSync(join(root, folder), { recursive: true })) {
      newest = Math.max(newest, statSync(join(root, folder, String(name))).mtimeMs);
    }
  }
  return newest;
}

export async function runDemo(args: readonly string[]): Promise<number> {
  if (!existsSync(binaryPath) || statSync(binaryPath).mtimeMs < newestSource()) {
    process.stdout.write("Compiling dist/heddle …\n");
    await compileBinary({ verbose: false });
  }
  return runShown(binaryPath, ["demo", ...args]);
}

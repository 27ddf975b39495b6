/**
 * The command line. `version` answers before anything heavy is loaded; every other command loads the program.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { version } from "./version.ts";

export async function runCommandLine(runtime: Runtime): Promise<void> {
  const [command] = runtime.process.args;
  if (command === "version" && runtime.process.args.length === 1) {
    runtime.process.stdout(`heddle ${version()}\n`);
    return;
  }
  const { runProgram } = await import("./program.ts");
  await runProgram(runtime);
}

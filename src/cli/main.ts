/**
 * The command line. `version`, and the policy host and shards, which proxies start, answer before anything heavy is loaded; every other
 * command loads the program.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { version } from "../base/build.ts";
import { printableLines } from "../base/printable.ts";

export async function runCommandLine(runtime: Runtime): Promise<void> {
  const [command] = runtime.process.args;
  if (runtime.process.args.length === 1 && asksForVersion(command)) {
    runtime.process.stdout(printableLines(`heddle ${version()}\n`));
    return;
  }
  if (command === "policy-host") {
    const { runPolicyHost } = await import("../policy/host_main.ts");
    return runPolicyHost(runtime, runtime.process.args.slice(1));
  }
  if (command === "proxy-shard") {
    const { runShard } = await import("../app/shards/shard_main.ts");
    return runShard(runtime);
  }
  const { runProgram } = await import("./program.ts");
  await runProgram(runtime);
}

function asksForVersion(word: string | undefined): boolean {
  return word === "version" || word === "--version" || word === "-V";
}

/** `heddle policy`: from the first line of a policy to what stands in the mesh. */
import type { Command } from "commander";
import type { Cli } from "../command.ts";
import { remove } from "../removal_command.ts";
import { registerAuthoring } from "./authoring.ts";
import { registerLife } from "./life.ts";
import { registerLogs } from "./logs.ts";
import { registerRecordings } from "./recordings.ts";
import { registerShown } from "./shown.ts";

export function registerPolicies(program: Command, cli: Cli): void {
  const policy = program
    .command("policy")
    .description("write policies, prove them, and see which stand in the mesh");
  registerAuthoring(policy, cli);
  registerRecordings(policy, cli);
  registerLife(policy, cli);
  registerShown(policy, cli);
  registerLogs(policy, cli);
  const gone = policy
    .command("delete")
    .description("take a policy away; refused while documents use it")
    .argument("<name>", "its name, as heddle policy list shows it")
    .option("--dry-run", "only say what would change, and for which machines", false)
    .action(async (name: string, { dryRun }: { dryRun: boolean }) =>
      remove(cli, gone, { documents: [], policies: [name], dryRun }),
    );
}

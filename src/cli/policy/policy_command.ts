/** `heddle policy`: from the first line of a policy to what stands in the mesh. */
import type { Command } from "commander";
import { controllerPaths } from "../../api/messages.ts";
import type { PoliciesAnswer } from "../../api/operator_messages.ts";
import { openOperator } from "../../app/operator.ts";
import type { Cli } from "../command.ts";
import { applyGathered, showApplied, tellRefusal } from "../documents_command.ts";
import { remove } from "../removal_command.ts";
import { registerAuthoring } from "./authoring.ts";
import { registerRecordings } from "./recordings.ts";

export function registerPolicies(program: Command, cli: Cli): void {
  const policy = program
    .command("policy")
    .description("write policies, prove them, and see which stand in the mesh");
  registerAuthoring(policy, cli);
  registerRecordings(policy, cli);
  const list = policy
    .command("list")
    .description("show the policies that stand, and which documents use them")
    .action(async () => {
      const terminal = cli.terminal(list);
      const operator = await openOperator(cli.runtime, cli.folder(list));
      const { policies } = (await operator.call("GET", controllerPaths.policies)).body as PoliciesAnswer;
      operator.close();
      if (terminal.format === "json") return terminal.json(policies);
      if (policies.length === 0) return terminal.line("No policy stands; heddle apply hands some in");
      terminal.table(
        ["POLICY", "VERSION", "BUNDLE", "ON ERROR", "USED BY"],
        policies.map((each) => [
          each.name,
          each.version,
          each.hash.slice(0, 8),
          each.onError,
          each.usedBy.length > 0
            ? each.usedBy.join(", ")
            : terminal.paint.dim(each.shipped ? "ships with heddle" : "nothing"),
        ]),
      );
    });
  registerPush(policy, cli);
  const gone = policy
    .command("delete")
    .description("take a policy away; refused while documents use it")
    .argument("<name>", "its name, as heddle policy list shows it")
    .option("--dry-run", "only say what would change, and for which machines", false)
    .action(async (name: string, { dryRun }: { dryRun: boolean }) =>
      remove(cli, gone, { documents: [], policies: [name], dryRun }),
    );
}

function registerPush(policy: Command, cli: Cli): void {
  const command = policy
    .command("push")
    .description("hand policies to the mesh, without documents: those that stand and use one take it over")
    .argument("[dir]", "folder whose policies/ it is about, or a file in there", ".")
    .option("--dry-run", "only say what would change, and for which machines", false)
    .action(async (dir: string, { dryRun }: { dryRun: boolean }) => {
      const terminal = cli.terminal(command);
      const { gatherPolicies } = await import("../../app/author_tools.ts");
      const found = await gatherPolicies(cli.runtime.files, dir);
      const operator = await openOperator(cli.runtime, cli.folder(command));
      try {
        const answer = await applyGathered(operator, { ...found, files: [] }, { prune: false, dryRun });
        if (terminal.format === "json") terminal.json(answer);
        else showApplied(terminal, answer, dryRun);
      } catch (error) {
        tellRefusal(terminal, error, found);
      } finally {
        operator.close();
      }
    });
}

/** `heddle policy new|check|test`: what an author does on a laptop, with nothing installed but this binary. */
import type { Command } from "commander";
import { UserError } from "../../base/user_error.ts";
import type { Cli } from "../command.ts";
import { showIssues } from "../documents_command.ts";
import { exitCodes } from "../exit_codes.ts";

const where = "folder whose policies/ it is about, or a file in there";

export function registerAuthoring(policy: Command, cli: Cli): void {
  registerNew(policy, cli);
  registerCheck(policy, cli);
  registerTest(policy, cli);
}

function registerNew(policy: Command, cli: Cli): void {
  const command = policy
    .command("new")
    .description("write a folder with a policy, its test, a recorded sample, and types for the editor")
    .argument("<name>", "its name, as documents will say it: lower-case words joined by dashes")
    .argument("[dir]", "folder to write to, also one that is there already (default: one of its name)")
    .action(async (name: string, dir: string | undefined) => {
      const terminal = cli.terminal(command);
      const { newPolicyFolder } = await import("../../app/policy_folder.ts");
      const made = await newPolicyFolder(cli.runtime.files, name, dir ?? name);
      if (terminal.format === "json") return terminal.json(made);
      for (const file of made.written) terminal.line(`wrote ${file}`);
      const { called } = cli.runtime.process;
      terminal.line("Next:");
      for (const verb of ["check", "test"]) terminal.line(`  ${called} policy ${verb} ${made.folder}`);
    });
}

function registerCheck(policy: Command, cli: Cli): void {
  const command = policy
    .command("check")
    .description("check types and everything that a mesh would refuse, at file:line:column")
    .argument("[dir]", where, ".")
    .action(async (dir: string) => {
      const terminal = cli.terminal(command);
      const { checkPolicies } = await import("../../app/author_tools.ts");
      const found = await checkPolicies(cli.runtime, dir);
      if (terminal.format === "json") terminal.json(found);
      else showIssues(terminal, found.issues);
      const errors = found.issues.filter(({ severity }) => severity === "error").length;
      if (errors > 0) throw new UserError(`${errors} ${errors === 1 ? "problem" : "problems"}`, null, 1);
      if (terminal.format === "text") terminal.line(`All is well: ${found.policies.join(", ")}`);
    });
}

function registerTest(policy: Command, cli: Cli): void {
  const command = policy
    .command("test")
    .description("run the tests beside the policies (policies/*_test.ts), by a clock that they set")
    .argument("[dir]", where, ".")
    .option("--only <pattern>", "tests whose name fits this pattern")
    .action(async (dir: string, { only }: { only?: string }) => {
      const terminal = cli.terminal(command);
      const { testPolicies } = await import("../../app/author_tools.ts");
      const said = (text: string): void => terminal.lines(text);
      const code = await testPolicies(cli.runtime, dir, { only, said });
      if (code !== 0) throw new UserError("Not all tests passed", null, exitCodes.no);
    });
}

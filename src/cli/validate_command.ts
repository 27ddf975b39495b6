/** `heddle validate`: documents and policies as `apply` would check them, without a mesh. */
import type { Command } from "commander";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import { showIssues } from "./documents_command.ts";

const aloneHint =
  "Checked by themselves; heddle apply --dry-run checks them together with what stands in the mesh";

export function registerValidate(program: Command, cli: Cli): void {
  const command = program
    .command("validate")
    .description("check documents, Machine documents and policies as apply would, without a mesh")
    .argument("[path...]", "files, or folders with all below them, with their policies/ beside", ["."])
    .action(async (paths: readonly string[]) => {
      const terminal = cli.terminal(command);
      const { validateFiles } = await import("../app/validate.ts");
      const found = await validateFiles(cli.runtime, paths);
      if (terminal.format === "json") terminal.json(found);
      else {
        showIssues(terminal, found.issues);
        if (found.errors === 0) terminal.line(`All is well: ${found.documents.join(", ") || "no document"}`);
      }
      if (found.errors > 0)
        throw new UserError(`${found.errors} ${found.errors === 1 ? "problem" : "problems"}`, aloneHint, 1);
    });
}

/** `heddle delete`: what stands, and what goes. */
import type { Command } from "commander";
import type { ApplyAnswer } from "../api/document_messages.ts";
import { controllerPaths } from "../api/messages.ts";
import type { RemoveRequest } from "../api/operator_messages.ts";
import { ControlRefusal } from "../api/control.ts";
import type { ApiIssue } from "../api/messages.ts";
import { openOperator } from "../app/operator.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { parseServiceName, type Cli } from "./command.ts";
import { requireKind, showApplied, showIssues } from "./documents_command.ts";

export function registerDelete(program: Command, cli: Cli): void {
  const command = program
    .command("delete")
    .description("take a document away; refused while others need it")
    .argument("<kind>", "Service, HTTPRoute, Access and so on, or Policy")
    .argument("<name>", "name, or name.namespace")
    .option("--dry-run", "only say what would change, and for which machines", false)
    .action(async (kind: string, name: string, { dryRun }: { dryRun: boolean }) => {
      if (kind.toLowerCase() === "policy")
        return remove(cli, command, { documents: [], policies: [name], dryRun });
      requireKind(kind);
      await remove(cli, command, { documents: [{ kind, ...parseServiceName(name) }], policies: [], dryRun });
    });
}

export async function remove(cli: Cli, command: Command, request: RemoveRequest): Promise<void> {
  const terminal = cli.terminal(command);
  const operator = await openOperator(cli.runtime, cli.folder(command));
  try {
    const path = `${controllerPaths.documents}/remove`;
    const answer = (await operator.call("POST", path, request, limits.controlApplyMs)).body as ApplyAnswer;
    if (terminal.format === "json") terminal.json(answer);
    else showApplied(terminal, answer, request.dryRun);
  } catch (error) {
    if (!(error instanceof ControlRefusal) || error.problem.issues === undefined) throw error;
    const issues = error.problem.issues as readonly ApiIssue[];
    if (terminal.format === "json") terminal.json({ issues });
    else showIssues(terminal, issues);
    throw new UserError(error.problem.error, error.problem.hint ?? null, 1);
  } finally {
    operator.close();
  }
}

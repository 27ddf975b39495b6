/** `heddle diff`: what `apply` of these files would change, text by text and machine by machine. Exits with 1 where something differs. */
import type { Command } from "commander";
import type { MachineChange } from "../api/document_messages.ts";
import { gatherForApply } from "../app/apply_files.ts";
import { diffDocuments, type DocumentDiff } from "../app/document_diff.ts";
import { openOperator } from "../app/operator.ts";
import { readDocuments } from "../app/operator_lists.ts";
import { UserError } from "../base/user_error.ts";
import { repeated, type Cli } from "./command.ts";
import { applyGathered, showChanges, showIssues, showMachines, tellRefusal } from "./documents_command.ts";
import type { Terminal } from "./terminal.ts";
import { text } from "./text.ts";

export function registerDiff(program: Command, cli: Cli): void {
  const command = program
    .command("diff")
    .description(
      "show how files differ from the documents that stand, and what applying them would change where",
    )
    .requiredOption("-f, --file <path>", "as of apply; repeat for more", repeated)
    .option("--prune", "what is not among the files would be deleted", false)
    .action(async ({ file, prune }: { file: readonly string[]; prune: boolean }) => {
      const terminal = cli.terminal(command);
      const found = await gatherForApply(cli.runtime.files, file);
      const operator = await openOperator(cli.runtime, cli.folder(command));
      try {
        // Read before: what somebody changes between the two is told by the apply that goes by this revision.
        const { documents, revision } = await readDocuments(operator);
        const answer = await applyGathered(operator, found, { prune, dryRun: true }).catch((error: unknown) =>
          tellRefusal(terminal, error, found),
        );
        const differing = diffDocuments(found.files, documents, prune);
        const { machines = [] } = answer;
        const warnings = [...found.warnings, ...answer.warnings];
        const changes = answer.changes.filter(({ change }) => change !== "unchanged");
        if (terminal.format === "json")
          terminal.json({ revision, documents: differing, changes, machines, warnings });
        else {
          showIssues(terminal, warnings);
          for (const each of differing) showDiff(terminal, each);
          showChanges(
            terminal,
            changes.filter(({ kind }) => kind === "Policy"),
          );
          showEffect(terminal, changes.length, machines);
        }
        if (changes.length > 0)
          throw new UserError(
            `${changes.length === 1 ? "1 thing differs" : `${changes.length} things differ`} from revision ${revision}`,
            `heddle apply --revision ${revision} with the same flags makes it so, unless somebody changes the same before`,
            1,
          );
      } finally {
        operator.close();
      }
    });
}

function showEffect(terminal: Terminal, changes: number, machines: readonly MachineChange[]): void {
  if (changes === 0) return terminal.line("Nothing differs");
  if (machines.length === 0) return terminal.line("It would reach no machine");
  terminal.line("It would change:");
  showMachines(terminal, machines);
}

function showDiff(
  terminal: Terminal,
  { kind, namespace, name, change, standing, lines }: DocumentDiff,
): void {
  const { bold, dim, red, green } = terminal.paint;
  const when =
    standing?.atMs === undefined || standing.atMs === null ? "" : ` ${new Date(standing.atMs).toISOString()}`;
  const author =
    standing === null
      ? ""
      : ` (stands since revision ${standing.revision}${standing.by === null ? "" : `, by ${standing.by}`}${when})`;
  terminal.line(text`${bold(`${kind} ${name}.${namespace}`)} ${change}${dim(author)}`);
  for (const line of lines)
    if (line.kind === "gone") terminal.line(red(`- ${line.text}`));
    else if (line.kind === "new") terminal.line(green(`+ ${line.text}`));
    else terminal.line(line.kind === "cut" ? dim(`  ${line.text}`) : `  ${line.text}`);
}

/**
 * `heddle lint` and `heddle validate`: documents and policies as `apply` would check them, without a mesh. One checker: `validate`
 * leaves warnings out.
 */
import type { Command } from "commander";
import type { ApiIssue } from "../api/messages.ts";
import { UserError } from "../base/user_error.ts";
import { issueMeaning } from "../config/issue_codes.ts";
import type { Cli } from "./command.ts";
import { showIssues } from "./documents_command.ts";
import type { Terminal } from "./terminal.ts";
import { text } from "./text.ts";

const aloneHint =
  "Checked by themselves; heddle apply --dry-run checks them together with what stands in the mesh";
const pathsHelp = "files, or folders with all below them, with their policies/ beside";

export function registerValidate(program: Command, cli: Cli): void {
  const command = program
    .command("validate")
    .description("check documents, Machine documents and policies as apply would, without a mesh")
    .argument("[path...]", pathsHelp, ["."])
    .action(async (paths: readonly string[]) => {
      const terminal = cli.terminal(command);
      const { validateFiles } = await import("../app/validate.ts");
      const found = await validateFiles(cli.runtime, paths);
      const issues = found.issues.filter(({ severity }) => severity === "error");
      const left = found.issues.length - issues.length;
      if (terminal.format === "json") terminal.json({ ...found, issues, warnings: left });
      else {
        showIssues(terminal, issues);
        if (found.errors === 0) terminal.line(`All is well: ${found.documents.join(", ") || "no document"}`);
        if (left > 0)
          terminal.problem(`${counted(left, "warning")}: heddle lint shows ${left === 1 ? "it" : "them"}`);
      }
      refuse(found.errors, 0);
    });
}

export function registerLint(program: Command, cli: Cli): void {
  const command = program
    .command("lint")
    .description(
      "find what is wrong in documents and policies and what nobody can have meant, without a mesh",
    )
    .argument("[path...]", pathsHelp, ["."])
    .option("--strict", "exit with 1 where there are warnings, too", false)
    .action(async (paths: readonly string[], { strict }: { strict: boolean }) => {
      const terminal = cli.terminal(command);
      const { validateFiles } = await import("../app/validate.ts");
      const { issues, errors, documents } = await validateFiles(cli.runtime, paths);
      const warnings = issues.length - errors;
      const cured = issues.map((issue) => ({ ...issue, cure: issueMeaning(issue.code)?.cure ?? null }));
      if (terminal.format === "json") terminal.json({ findings: cured, errors, warnings, documents });
      else {
        for (const issue of cured) showFinding(terminal, issue);
        if (issues.length === 0) terminal.line(`All is well: ${documents.join(", ") || "no document"}`);
        else if (errors === 0) terminal.line(`${counted(warnings, "warning")}, no error`);
      }
      refuse(errors, strict ? warnings : 0);
    });
}

function showFinding(terminal: Terminal, issue: ApiIssue & { readonly cure: string | null }): void {
  const { red, yellow, dim } = terminal.paint;
  const { file, line, column, code = "", message, value, cure } = issue;
  const word = issue.severity === "error" ? red("error") : yellow("warning");
  terminal.line(text`${file}:${line}:${column}: ${word} ${dim(code)}: ${message}`);
  if (value !== undefined) terminal.line(text`    ${dim("written:")} ${value}`);
  if (cure !== null) terminal.line(text`    ${dim("cure:")} ${cure}`);
}

function refuse(errors: number, warnings: number): void {
  if (errors > 0) throw new UserError(counted(errors, "problem"), aloneHint, 1);
  if (warnings > 0) throw new UserError(`${counted(warnings, "warning")}, and --strict takes none`, null, 1);
}

function counted(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`;
}

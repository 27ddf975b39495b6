/** `heddle check`: every fact this machine's membership rests on, numbered, each failure with its cure. */
import type { Command } from "commander";
import type { Finding } from "../app/finding.ts";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import type { Paint } from "./terminal.ts";
import { text, type Text } from "./text.ts";

export function registerCheck(program: Command, cli: Cli): void {
  const command = program
    .command("check")
    .description("find what is wrong on this machine, and say what to do about it")
    .action(async () => {
      const terminal = cli.terminal(command);
      const { checkMachine } = await import("../app/check.ts");
      const findings = await checkMachine(cli.runtime, cli.folder(command));
      if (terminal.format === "json") terminal.json(findings);
      else
        for (const finding of findings)
          for (const line of render(terminal.paint, finding)) terminal.line(line);
      const failed = findings.filter((finding) => finding.result === "fail").length;
      if (failed > 0)
        throw new UserError(
          `${failed} of ${findings.length} checks failed`,
          "The line below each ✗ says what to do",
          1,
        );
    });
}

function render(paint: Paint, finding: Finding): Text[] {
  const mark = { ok: paint.green("✓"), warn: paint.yellow("!"), fail: paint.red("✗") }[finding.result];
  const detail = finding.detail === "" ? "" : `: ${finding.detail}`;
  const head = text`${mark} ${paint.dim(finding.code)} ${finding.title}${detail}`;
  return finding.cure === null ? [head] : [head, `    ${finding.cure}`];
}

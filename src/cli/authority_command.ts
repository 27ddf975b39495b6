/** `heddle ca status`, `heddle ca rotate`: the root of trust, and its replacement step by step. */
import type { Command } from "commander";
import { controllerPaths, type AuthorityAnswer } from "../api/messages.ts";
import { openOperator } from "../app/operator.ts";
import type { Cli } from "./command.ts";
import type { Terminal } from "./terminal.ts";

export function registerAuthority(program: Command, cli: Cli): void {
  const ca = program.command("ca").description("look at the mesh's root of trust, and replace it");
  const status = ca
    .command("status")
    .description("show which roots are trusted, and how far a rotation is")
    .action(async () => {
      const operator = await openOperator(cli.runtime, cli.folder(status));
      const answer = (await operator.call("GET", controllerPaths.authority)).body as AuthorityAnswer;
      operator.close();
      show(cli.terminal(status), answer);
    });
  const rotate = ca
    .command("rotate")
    .description(
      "take the next step of replacing the root: trust the new one, sign with it, drop the old one",
    )
    .option(
      "--force",
      "go on although machines do not trust the new root yet; they must join again then",
      false,
    )
    .action(async (flags: { force: boolean }) => {
      const operator = await openOperator(cli.runtime, cli.folder(rotate));
      const path = `${controllerPaths.authority}/rotate`;
      const answer = (await operator.call("POST", path, { force: flags.force })).body as AuthorityAnswer;
      operator.close();
      show(cli.terminal(rotate), answer);
    });
}

function show(terminal: Terminal, answer: AuthorityAnswer): void {
  if (terminal.format === "json") return terminal.json(answer);
  const { machines, behind } = answer;
  const share = machines === 0 ? 100 : Math.floor(((machines - behind.length) / machines) * 100);
  const ends = new Date(answer.oldLeavesEndMs).toISOString();
  switch (answer.phase) {
    case "none":
      return terminal.line("One root is trusted, and it signs; heddle ca rotate begins to replace it");
    case "added":
      terminal.line(
        `A new root is trusted beside the old one by ${share} % of the machines; the old one signs`,
      );
      if (behind.length > 0) terminal.line(`Not yet: ${behind.join(", ")}`);
      return terminal.line("Next: heddle ca rotate, once it is 100 %");
    case "switched":
      terminal.line(`The new root signs; certificates below the old one live until ${ends}`);
      return terminal.line("Next: heddle ca rotate after that, to trust the old root no more");
  }
}

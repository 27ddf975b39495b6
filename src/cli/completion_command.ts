/** `heddle completion SHELL` and `heddle man DIR`, from the tree of commands. */
import type { Command } from "commander";
import { version } from "../base/build.ts";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import { completionScript, shells, type Shell } from "./completion/scripts.ts";
import { manualPages } from "./completion/manual.ts";
import { factsOf } from "./completion/tree.ts";
import { exitCodeMeanings, exitCodes } from "./exit_codes.ts";

export function registerCompletion(program: Command, cli: Cli): void {
  const completion = program
    .command("completion")
    .description("print what lets a shell complete commands and flags")
    .argument("<shell>", shells.join(", "), shellOf)
    .addHelpText(
      "after",
      '\nbash: source <(heddle completion bash)\nzsh: heddle completion zsh > "${fpath[1]}/_heddle"\nfish: heddle completion fish | source',
    )
    .action((shell: Shell) => {
      cli.terminal(completion).lines(completionScript(shell, factsOf(program)).trimEnd());
    });
  const man = program
    .command("man")
    .description("write manual pages into a folder: man -l DIR/heddle.1")
    .argument("<dir>", "made where it is not there")
    .action(async (folder: string) => {
      const { files } = cli.runtime;
      const pages = manualPages(factsOf(program), { version: version(), exitCodes: codes });
      await files.makeFolder(folder);
      for (const { file, text } of pages) await files.writeAtomic(`${folder}/${file}`, text);
      const terminal = cli.terminal(man);
      if (terminal.format === "json")
        return terminal.json({ files: pages.map(({ file }) => `${folder}/${file}`) });
      terminal.line(`${pages.length} pages in ${folder}`);
    });
}

const codes = Object.entries(exitCodes).map(
  ([meaning, code]) => [String(code), exitCodeMeanings[meaning as keyof typeof exitCodes]] as const,
);

function shellOf(text: string): Shell {
  const found = shells.find((each) => each === text);
  if (found !== undefined) return found;
  throw new UserError(`Cannot complete for "${text}": expected ${shells.join(", ")}`);
}

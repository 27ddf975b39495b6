/** `heddle dev`: the whole mesh in one process, from a folder of documents that is read again whenever it changes. */
import type { Command } from "commander";
import type { DevVoice } from "../app/dev_mode.ts";
import type { Cli } from "./command.ts";
import { showIssues } from "./documents_command.ts";
import { runInForeground } from "./foreground.ts";
import { withShardsFlag, type ShardsFlag } from "./shards_flag.ts";

export function registerDev(program: Command, cli: Cli): void {
  const command = program
    .command("dev")
    .description("run a whole mesh in one process, from a folder of documents; changes take effect on save")
    .argument("[dir]", "folder with documents, Machine documents and policies/, with all below it", ".");
  withShardsFlag(command, "1: all machines in this process").action(
    async (folder: string, { shards = 1 }: ShardsFlag) => {
      const terminal = cli.terminal(command);
      const drainMs = cli.drainMs(command);
      const { startDev } = await import("../app/dev_mode.ts");
      const voice: DevVoice = {
        said: (text) => terminal.line(text),
        issues: (issues) => showIssues(terminal, issues),
      };
      const running = await startDev(cli.runtime, folder, voice, { shards });
      terminal.lines(running.summary);
      for (const line of running.examples) terminal.line(`  ${line}`);
      terminal.line("Running in the foreground; Ctrl-C stops it and forgets everything");
      await runInForeground(cli.runtime, running, drainMs, (text) => terminal.line(text));
    },
  );
}

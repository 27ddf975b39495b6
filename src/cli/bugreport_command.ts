/** `heddle bugreport`: one archive of what somebody needs who looks for a fault of heddle on this machine. */
import type { Command } from "commander";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import { text } from "./text.ts";

export function registerBugreport(program: Command, cli: Cli): void {
  const command = program
    .command("bugreport [file]")
    .description(
      "write one archive with versions, configuration, metrics, findings of check and logs of this machine, without secrets",
    )
    .option("--force", "over a file that is there", false)
    .action(async (given: string | undefined, { force }: { force: boolean }) => {
      const { files, clock } = cli.runtime;
      const terminal = cli.terminal(command);
      const at = new Date(clock.wallMs()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
      const file = given ?? `heddle-bugreport-${at}.tar.gz`;
      if (!force && (await files.stat(file)) !== null)
        throw new UserError(`Cannot write ${file}: there is a file already`, "Choose another, or --force");
      const { makeBugreport } = await import("../app/bugreport.ts");
      const { archive, parts, missing } = await makeBugreport(cli.runtime, cli.folder(command));
      await files.writeAtomic(file, archive, 0o600);
      if (terminal.format === "json") return terminal.json({ file, parts, missing });
      const { bold, dim, yellow } = terminal.paint;
      terminal.line(
        text`${bold(file)}: ${String(parts.length)} files. Look through it before you hand it on`,
      );
      for (const name of parts) terminal.line(text`  ${dim(name)}`);
      for (const each of missing) terminal.line(text`  ${yellow("not in it:")} ${each}`);
    });
}

/** `heddle bugreport`: one archive of what somebody needs who looks for a fault of heddle on this machine, or on others. */
import type { Command } from "commander";
import type { Bugreport } from "../app/bugreport.ts";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import { text } from "./text.ts";

interface Chosen {
  readonly force: boolean;
  readonly machine?: readonly string[];
  readonly all: boolean;
}

export function registerBugreport(program: Command, cli: Cli): void {
  const command = program
    .command("bugreport [file]")
    .description(
      "write one archive with versions, configuration, metrics, findings of check and logs of this machine, without secrets",
    )
    .option(
      "--machine <name...>",
      "of these machines instead, through the controller, as an operator who is admin",
    )
    .option("--all", "of all machines that are connected", false)
    .option("--force", "over a file that is there", false)
    .action(async (given: string | undefined, { force, machine, all }: Chosen) => {
      const { files, clock } = cli.runtime;
      const terminal = cli.terminal(command);
      const at = new Date(clock.wallMs()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
      const file = given ?? `heddle-bugreport-${at}.tar.gz`;
      if (!force && (await files.stat(file)) !== null)
        throw new UserError(`Cannot write ${file}: there is a file already`, "Choose another, or --force");
      const remote = machine !== undefined || all;
      const { archive, parts, missing } = remote
        ? await reportOf(all ? null : (machine ?? []), command, cli)
        : await (await import("../app/bugreport.ts")).makeBugreport(cli.runtime, cli.folder(command));
      if (remote && parts.length === 1)
        throw new UserError("No machine has sent a report", missing.join("\n"));
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

/** `machines`: null: all. */
async function reportOf(machines: readonly string[] | null, command: Command, cli: Cli): Promise<Bugreport> {
  const { makeMeshReport } = await import("../app/mesh_report.ts");
  const { openOperator } = await import("../app/operator.ts");
  const operator = await openOperator(cli.runtime, cli.folder(command));
  try {
    return await makeMeshReport(cli.runtime, operator, machines);
  } finally {
    operator.close();
  }
}

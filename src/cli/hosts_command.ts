/** `heddle hosts`, which the unit of that name runs. */
import type { Command } from "commander";
import type { Cli } from "./command.ts";

export function registerHosts(program: Command, cli: Cli): void {
  const command = program.command("hosts", { hidden: true }).option("--remove", "take all of it away", false);
  command.action(async ({ remove }: { remove: boolean }) => {
    const { removeHosts, takeHosts } = await import("../app/hosts.ts");
    const { files } = cli.runtime;
    const changed = remove ? await removeHosts(files) : await takeHosts(files);
    cli.terminal(command).line(changed ? "/etc/hosts was changed" : "/etc/hosts is as it should be");
  });
}

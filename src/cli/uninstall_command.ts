/** `heddle uninstall`: takes away what `init` and `join` installed on this machine. */
import type { Command } from "commander";
import { planLines, stepText } from "../systemd/plan.ts";
import { UserError } from "../base/user_error.ts";
import type { Cli } from "./command.ts";
import { sayPlan } from "./service_flags.ts";

interface UninstallFlags {
  readonly purge: boolean;
  readonly plan: boolean;
}

export function registerUninstall(program: Command, cli: Cli): void {
  const command = program
    .command("uninstall")
    .description("stop heddle's services and take away what init and join installed; the state stays")
    .option(
      "--purge",
      "the state folder too, with keys and certificates, and on the first machine the mesh itself",
      false,
    )
    .option("--plan", "print what would be done, and do nothing", false);
  command.action(async ({ purge, plan }: UninstallFlags) => {
    const terminal = cli.terminal(command);
    const folder = cli.folder(command);
    const { MachineServices } = await import("../app/services.ts");
    const services = await MachineServices.find(cli.runtime, folder);
    if (services === null)
      throw new UserError(
        "Cannot uninstall: systemd does not run this machine, so heddle installed nothing on it",
        `What heddle keeps is in ${folder.path}`,
      );
    const steps = await services.removal(purge);
    if (plan) return sayPlan(terminal, planLines(steps));
    await services.remove(purge, (text) => terminal.problem(`  ${text}`));
    if (terminal.format === "json") terminal.json({ removed: steps.map(stepText) });
    if (steps.length === 0) return terminal.problem("heddle is not installed on this machine");
    terminal.problem(
      purge
        ? "heddle is gone from this machine. The mesh still knows it until, on the controller's machine: heddle node remove NAME"
        : "heddle's services are gone from this machine; its state is kept, and heddle init or heddle join brings them back",
    );
  });
}

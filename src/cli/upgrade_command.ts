/** `heddle upgrade`: the services of this machine as this program makes them, as packages ask for it. */
import type { Command } from "commander";
import { readSettings } from "../app/settings.ts";
import { UserError } from "../base/user_error.ts";
import { parseDuration } from "../base/duration.ts";
import type { Cli } from "./command.ts";
import { installServices } from "./service_flags.ts";

export function registerUpgrade(program: Command, cli: Cli): void {
  const command = program
    .command("upgrade")
    .description("bring the services of this machine to the version of this program, and start them again");
  command.action(async () => {
    const terminal = cli.terminal(command);
    const folder = cli.folder(command);
    const { MachineServices } = await import("../app/services.ts");
    const services = await MachineServices.find(cli.runtime, folder);
    const settings = await readSettings(cli.runtime, folder);
    if (services === null || settings === null)
      throw new UserError(
        "Cannot upgrade: heddle is no service of this machine",
        "heddle init on the first machine, heddle join on the others, make it one",
      );
    await services.requireInstalled("upgrade");
    await services.requireInstallable(settings);
    const said = await services.drain();
    const drainMs = (said === null ? null : parseDuration(said)) ?? cli.drainMs(command);
    // The file that they run may be another one at the same place.
    await services.around(
      (changing) => changing(),
      () => true,
    );
    await installServices(terminal, services, settings, drainMs);
  });
}

/**
 * `heddle upgrade`: with a file, the services of this machine go on as that program, and nothing that is open ends; without one, they
 * are as this program makes them and start again, as packages ask for it.
 */
import type { Command } from "commander";
import { requireSettings, readSettings, type Settings } from "../app/settings.ts";
import type { MachineServices } from "../app/services.ts";
import { UserError } from "../base/user_error.ts";
import { parseDuration } from "../base/duration.ts";
import { limits } from "../model/limits.ts";
import { parseDurationFlag, type Cli } from "./command.ts";
import { installServices } from "./service_flags.ts";

interface UpgradeFlags {
  readonly cutAfter?: number;
  readonly back?: boolean;
}

export function registerUpgrade(program: Command, cli: Cli): void {
  const command = program
    .command("upgrade")
    .argument("[program]", "file of the heddle that is to take over; nothing that is open ends")
    .description(
      "let another version take over the services of this machine; without a program: bring them to the version of this one, and start them again",
    )
    .option(
      "--cut-after <duration>",
      `where ${limits.drainingGenerationsMax} earlier processes still let what they have open finish: how long the oldest may go on`,
      parseDurationFlag("--cut-after"),
    )
    .option("--back", "go back to the program that was in place before the last upgrade");
  command.action(async (path: string | undefined, flags: UpgradeFlags) => {
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
    await services.alone("upgrade", async () => {
      if (path !== undefined || flags.back === true) await takeOver(cli, command, services, path, flags);
      else await startAgain(cli, command, services, settings);
    });
  });
}

/** Another program goes on. */
async function takeOver(
  cli: Cli,
  command: Command,
  services: MachineServices,
  path: string | undefined,
  flags: UpgradeFlags,
): Promise<void> {
  const { UpgradeServices } = await import("../app/upgrade/upgrade_services.ts");
  const { previousProgram } = await import("../systemd/installation.ts");
  if (path !== undefined && flags.back === true)
    throw new UserError(`Cannot upgrade to ${path} and go back: say one of the two`);
  const terminal = cli.terminal(command);
  const folder = cli.folder(command);
  const settings = await requireSettings(cli.runtime, folder, "proxy");
  const isSaid = command.optsWithGlobals()["drain"] !== undefined;
  const upgrade = new UpgradeServices({
    ...{ runtime: cli.runtime, folder, manager: services.manager, program: services.program },
    modes: (["registry", "controller", "proxy"] as const).filter((mode) => settings.modes.includes(mode)),
    drainMs: isSaid ? cli.drainMs(command) : limits.upgradeDrainMs,
    cutAfterMs: flags.cutAfter ?? null,
    said: (text) => terminal.problem(`  ${text}`),
  });
  await upgrade.upgrade(path ?? previousProgram(services.program));
}

async function startAgain(
  cli: Cli,
  command: Command,
  services: MachineServices,
  settings: Settings,
): Promise<void> {
  await services.requireInstallable(settings);
  const said = await services.drain();
  const drainMs = (said === null ? null : parseDuration(said)) ?? cli.drainMs(command);
  // The file that they run may be another one at the same place.
  await services.around(
    (changing) => changing(),
    () => true,
  );
  await installServices(cli.terminal(command), services, settings, drainMs);
}

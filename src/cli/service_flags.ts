/** `init` and `join` where systemd runs the machine: heddle becomes services of it, unless somebody wants it in the foreground. */
import type { Command } from "commander";
import type { Runtime } from "../../runtime/contract.ts";
import type { MachineServices } from "../app/services.ts";
import type { Settings } from "../app/settings.ts";
import type { StateFolder } from "../app/state_folder.ts";
import { UserError } from "../base/user_error.ts";
import type { Terminal } from "./terminal.ts";

export interface ServiceFlags {
  readonly start: boolean;
  readonly foreground: boolean;
  readonly plan: boolean;
}

export function withServiceFlags(command: Command): Command {
  return command
    .option(
      "--foreground",
      "stay in the foreground and install nothing, as where systemd does not run the machine",
      false,
    )
    .option("--plan", "print every file and command of the services, and do nothing", false);
}

/** null: it stays in the foreground, or does not start at all. */
export async function servicesFor(
  runtime: Runtime,
  folder: StateFolder,
  { start, foreground, plan }: ServiceFlags,
): Promise<MachineServices | null> {
  const { MachineServices } = await import("../app/services.ts");
  const services = start && !foreground ? await MachineServices.find(runtime, folder) : null;
  if (services !== null || !plan) return services;
  throw new UserError(
    `Cannot plan services: ${start && !foreground ? "systemd does not run this machine" : "with --foreground or --no-start there are none"}`,
  );
}

export async function installServices(
  terminal: Terminal,
  services: MachineServices,
  settings: Settings,
  drainMs: number,
): Promise<void> {
  await services.install(settings, drainMs, (text) => terminal.problem(`  ${text}`));
  for (const line of await services.words(settings)) terminal.problem(line);
}

export function sayPlan(terminal: Terminal, lines: readonly string[]): void {
  if (terminal.format === "json") terminal.json({ plan: lines });
  else for (const line of lines) terminal.line(line);
}

/** `heddle address list|add|remove`: where machines find the control plane, which they know before it moves there. */
import type { Command } from "commander";
import { controllerPaths } from "../api/messages.ts";
import type { ControlPlaceAnswer } from "../api/snapshot_messages.ts";
import type { ControlClient } from "../api/control.ts";
import type { ControlPlace } from "../api/snapshot_messages.ts";
import { openOperator } from "../app/operator.ts";
import { addressText, isSameAddress, type Address } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { portFlag, type Cli } from "./command.ts";
import { serverAddress } from "./controller_address.ts";
import { exitCodes } from "./exit_codes.ts";
import type { Terminal } from "./terminal.ts";

interface AddressFlags {
  readonly registryPort?: number;
}

export function registerAddresses(program: Command, cli: Cli): void {
  const group = program
    .command("address")
    .description("see and change where machines find the control plane, before it moves");
  const list = group
    .command("list")
    .description("show where the controller and the registry are, and which machines know it")
    .action(() => withOperator(cli, list, async (operator) => show(cli, list, await read(operator))));
  const add = group
    .command("add")
    .description("let every machine know of one more address, tried after those it knows")
    .argument("<address>", "host, or host:port of the controller");
  withRegistryPort(add).action((text: string, flags: AddressFlags) =>
    withOperator(cli, add, async (operator) => {
      const standing = await read(operator);
      const { controller, registry } = placeOf(text, flags, standing);
      await change(cli, add, operator, {
        controllers: [...without(standing.controllers, controller), controller],
        registries: [...without(standing.registries, registry), registry],
      });
    }),
  );
  const remove = group
    .command("remove")
    .description("let every machine forget an address")
    .argument("<address>", "as heddle address list shows it");
  withRegistryPort(remove).action((text: string, flags: AddressFlags) =>
    withOperator(cli, remove, async (operator) => {
      const standing = await read(operator);
      const { controller, registry } = placeOf(text, flags, standing);
      await change(cli, remove, operator, {
        controllers: without(standing.controllers, controller),
        registries: without(standing.registries, registry),
      });
    }),
  );
}

function withRegistryPort(command: Command): Command {
  return command.option(
    "--registry-port <port>",
    "of the registry there (default: as here)",
    portFlag("--registry-port"),
  );
}

async function withOperator(
  cli: Cli,
  command: Command,
  work: (operator: ControlClient) => Promise<void>,
): Promise<void> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  try {
    await work(operator);
  } finally {
    operator.close();
  }
}

async function read(operator: ControlClient): Promise<ControlPlaceAnswer> {
  return (await operator.call("GET", controllerPaths.controlPlace)).body as ControlPlaceAnswer;
}

/** The ports that are not said are those of now. */
function placeOf(
  text: string,
  { registryPort }: AddressFlags,
  { controllers: [controller], registries: [registry] }: ControlPlace,
): { readonly controller: Address; readonly registry: Address } {
  if (controller === undefined || registry === undefined)
    throw new UserError("The controller said no address");
  const found = serverAddress("controller", controller.port, text);
  return { controller: found, registry: { host: found.host, port: registryPort ?? registry.port } };
}

function without(some: readonly Address[], one: Address): readonly Address[] {
  return some.filter((each) => !isSameAddress(each, one));
}

/** Done when every machine that follows the controller has said that it knows. */
async function change(
  cli: Cli,
  command: Command,
  operator: ControlClient,
  next: ControlPlace,
): Promise<void> {
  const { clock, process } = cli.runtime;
  let answer = (await operator.call("PUT", controllerPaths.controlPlace, next)).body as ControlPlaceAnswer;
  const endsMs = clock.now() + limits.controlPlaceKnownMs;
  while (answer.machines.some(({ connected, knows }) => connected && !knows) && clock.now() < endsMs) {
    await new Promise<void>((done) => void clock.after(limits.controlPlaceLookMs, done));
    answer = await read(operator);
  }
  const terminal = cli.terminal(command);
  show(cli, command, answer);
  const left = answer.machines.filter(({ knows }) => !knows);
  if (left.length === 0) return;
  const names = left.map(({ name }) => name).join(", ");
  const [at = ""] = next.controllers.slice(-1).map(addressText);
  terminal.problem(
    `Not told yet, being away: ${names}. They hear of it when they come back; or there: heddle join ${at}`,
  );
  process.exit(exitCodes.no);
}

function show(cli: Cli, command: Command, answer: ControlPlaceAnswer): void {
  const terminal: Terminal = cli.terminal(command);
  if (terminal.format === "json") return terminal.json(answer);
  terminal.line(`controller  ${answer.controllers.map(addressText).join(", ")}`);
  terminal.line(`registry    ${answer.registries.map(addressText).join(", ")}`);
  const known = answer.machines.filter(({ knows }) => knows);
  terminal.line(`known to    ${known.length} of ${answer.machines.length} machines`);
}

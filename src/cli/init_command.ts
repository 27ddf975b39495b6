/** `heddle init`: the first machine of a mesh. */
import type { Command } from "commander";
import type { Initialized } from "../app/init.ts";
import { forbidDumps } from "../app/no_dumps.ts";
import type { ServicesWanted } from "../app/services.ts";
import { readSettings, type Settings } from "../app/settings.ts";
import type { StateFolder } from "../app/state_folder.ts";
import type { Address } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { moreAddresses } from "./controller_address.ts";
import { ports } from "../model/ports.ts";
import { givenFlags, parseDurationFlag, portFlag, type Cli } from "./command.ts";
import { runInForeground } from "./foreground.ts";
import { machineAnswer } from "./machine_answer.ts";
import { machineText, openListenersHelp, withMachineFlags, type MachineFlags } from "./machine_flags.ts";
import { withPortFlags, type PortFlags } from "./port_flags.ts";
import {
  installServices,
  sayPlan,
  servicesFor,
  withServiceFlags,
  type ServiceFlags,
} from "./service_flags.ts";
import { withShardsFlag, type ShardsFlag } from "./shards_flag.ts";
import type { Terminal } from "./terminal.ts";

interface InitFlags extends MachineFlags, PortFlags, ServiceFlags, ShardsFlag {
  readonly trustDomain: string;
  readonly node?: string;
  readonly address?: string;
  readonly controllerPort: number;
  readonly registryPort: number;
  readonly controllerAddress?: readonly Address[];
  readonly registryAddress?: readonly Address[];
  readonly leafTtl?: number;
  readonly store?: string;
  readonly openListeners: boolean;
}

export function registerInit(program: Command, cli: Cli): void {
  const command = program
    .command("init")
    .description("set up the first machine: authority, registry, controller and proxy; starts them")
    .option("--trust-domain <domain>", "name of the mesh in every identity", "mesh.internal")
    .option(
      "--node <name>",
      "name of this machine (default: the name of its Machine document, else its host name)",
    )
    .option(
      "--address <address>",
      "address at which other machines reach this one (default: the first that is not loopback); its listeners for them stand on every interface, for a loopback address on that one alone",
    )
    .option(
      "--controller-port <port>",
      "control API and join",
      portFlag("--controller-port"),
      ports.controller,
    )
    .option(
      "--controller-address <address>",
      "host:port at which the controller is reached too, tried after the first; repeat for more",
      moreAddresses("controller"),
    )
    .option("--registry-port <port>", "registry", portFlag("--registry-port"), ports.registry)
    .option(
      "--registry-address <address>",
      "host:port at which the registry is reached too; repeat for more",
      moreAddresses("registry"),
    )
    .option(
      "--leaf-ttl <duration>",
      "lifetime of certificates (default: 24h)",
      parseDurationFlag("--leaf-ttl"),
    )
    .option(
      "--store <etcd>",
      "etcd://HOST:PORT,HOST:PORT/PREFIX?ca=FILE&cert=FILE&key=FILE: etcd keeps what the registry keeps (default: a file of the state folder)",
    )
    .option("--open-listeners", openListenersHelp, false)
    .option("--no-start", "only write the state; start it later with heddle registry, controller and proxy");
  withServiceFlags(withShardsFlag(command, "1"));
  withMachineFlags(withPortFlags(command)).action((flags: InitFlags) => init(cli, command, flags));
}

async function init(cli: Cli, command: Command, flags: InitFlags): Promise<void> {
  const terminal = cli.terminal(command);
  const folder = cli.folder(command);
  const drainMs = cli.drainMs(command);
  forbidDumps(cli.runtime.native);
  const services = await servicesFor(cli.runtime, folder, flags);
  const wanted = wantedBy(flags);
  await services?.requireInstallable(wanted);
  if (services !== null && flags.plan) {
    const before = `make the mesh ${flags.trustDomain}: its authority, and this machine's membership, in ${folder.path}`;
    return sayPlan(terminal, [before, ...services.plan(wanted, drainMs)]);
  }
  const standing = services === null ? null : await standingMesh(cli, command, folder, flags);
  if (standing !== null) await services?.requireNoOther(standing);
  const make = (): Promise<Initialized> => newMesh(cli, folder, flags);
  const made =
    standing !== null
      ? { settings: standing, finished: false }
      : await (services === null
          ? make()
          : services.around(
              (changing) => changing().then(make),
              () => true,
            ));
  const { settings } = made;
  if (terminal.format === "json")
    terminal.json({ ...machineAnswer(settings, folder), operator: folder.operator });
  if (made.finished) terminal.problem("An earlier heddle init had ended half way; it is finished now");
  terminal.problem(
    `This machine is ${settings.node} of the ${standing === null ? "new mesh" : "mesh"} ${settings.trustDomain}; its state is in ${folder.path}`,
  );
  terminal.problem(`The operator's credential (keep it secret): ${folder.operator}`);
  if (services !== null) {
    await installServices(terminal, services, settings, drainMs);
    return sayHowToJoin(terminal, "");
  }
  if (!flags.start) return;
  const { startEverything } = await import("../app/everything.ts");
  const running = await startEverything(cli.runtime, folder, settings);
  for (const line of running.summary.split("\n")) terminal.problem(line);
  sayHowToJoin(terminal, ", in another terminal");
  terminal.problem();
  terminal.problem(
    "Running in the foreground; Ctrl-C stops it. Next time: heddle registry, heddle controller, heddle proxy",
  );
  for (const line of running.examples) terminal.problem(`  ${line}`);
  await runInForeground(cli.runtime, running, drainMs, (text) => terminal.problem(text));
}

async function newMesh(cli: Cli, folder: StateFolder, flags: InitFlags): Promise<Initialized> {
  const { initializeMesh } = await import("../app/init.ts");
  const { loopback, node = cli.runtime.process.hostname, address = null } = flags;
  const machine = await machineText(cli.runtime.files, flags, { node, address, loopback });
  return initializeMesh(cli.runtime, folder, { ...flags, node: flags.node ?? null, machine });
}

function wantedBy(flags: InitFlags): ServicesWanted {
  const host = flags.address ?? "";
  return {
    modes: ["registry", "controller", "proxy"],
    controllers: [{ host, port: flags.controllerPort }],
    registries: [{ host, port: flags.registryPort }],
    loopback: flags.loopback,
    ports: { dns: flags.dnsPort },
  };
}

/** The mesh that an earlier init made here, where it is the one that is asked for: only its services may be missing. */
async function standingMesh(
  cli: Cli,
  command: Command,
  folder: StateFolder,
  flags: InitFlags,
): Promise<Settings | null> {
  const standing = await readSettings(cli.runtime, folder);
  if (standing === null || !standing.modes.includes("controller")) return null;
  const { ports: own, controllers, registries } = standing;
  const known: Readonly<Partial<Record<keyof InitFlags, unknown>>> = {
    trustDomain: standing.trustDomain,
    node: standing.node,
    address: standing.address,
    loopback: standing.loopback,
    controllerPort: controllers[0].port,
    registryPort: registries[0].port,
    inboundPort: own.inbound,
    outboundPort: own.outboundFirst,
    adminPort: own.admin,
    leafTtl: standing.leafMs,
    store: standing.store,
    shards: standing.shards,
    start: true,
    plan: false,
    foreground: false,
  };
  const other = Object.entries(givenFlags(command, flags)).find(
    ([name, value]) => known[name as keyof InitFlags] !== value,
  );
  if (other === undefined) return standing;
  const option = command.options.find((each) => each.attributeName() === other[0]);
  throw new UserError(
    `Cannot initialize with ${option?.long ?? other[0]}: ${folder.path} holds the mesh already that an earlier heddle init made, ${standing.node} of ${standing.trustDomain}`,
    "Repeat heddle init as it was, and it finishes what is missing; heddle join, with the address of its controller, changes what this machine is; or choose another folder with --state DIR",
  );
}

function sayHowToJoin(terminal: Terminal, where: string): void {
  terminal.problem();
  terminal.problem(`What other machines join with${where}:`);
  terminal.problem("  heddle token create --service NAME");
}

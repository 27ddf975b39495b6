/** `heddle join`: one more machine. Repeated on a machine that has joined, it takes the flags that differ over, and starts the proxy. */
import type { Command } from "commander";
import type { Files } from "../../runtime/contract.ts";
import { forbidDumps } from "../app/no_dumps.ts";
import { readSettings, type Settings } from "../app/settings.ts";
import { addressText } from "../base/socket_address.ts";
import { ports as defaults } from "../model/ports.ts";
import type { StateFolder } from "../app/state_folder.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { givenFlags, portFlag, type Cli } from "./command.ts";
import type { Joined, JoinOptions } from "../app/join.ts";
import { controllerAddresses } from "./controller_address.ts";
import { runInForeground } from "./foreground.ts";
import { machineAnswer } from "./machine_answer.ts";
import {
  hasMachineFlags,
  machineText,
  openListenersHelp,
  withMachineFlags,
  type MachineFlags,
} from "./machine_flags.ts";
import { withPortFlags, type PortFlags } from "./port_flags.ts";
import {
  installServices,
  sayPlan,
  servicesFor,
  withServiceFlags,
  type ServiceFlags,
} from "./service_flags.ts";
import { withShardsFlag, type ShardsFlag } from "./shards_flag.ts";

interface JoinFlags extends MachineFlags, PortFlags, ServiceFlags, ShardsFlag {
  readonly node?: string;
  readonly address?: string;
  readonly openListeners: boolean;
  readonly tokenFile?: string;
  readonly controlPlane: boolean;
  readonly controllerPort: number;
  readonly registryPort: number;
  readonly store?: string;
}

export function registerJoin(program: Command, cli: Cli): void {
  const command = program
    .command("join")
    .description("make this machine part of a mesh, with a token from `heddle token create`")
    .argument(
      "<controller>",
      "host:port of the controller, or several with commas between",
      controllerAddresses,
    )
    .argument("[token]", "hd1.…: used once, carries the pin of the mesh's root")
    .option("--token-file <file>", "file that holds the token, - for standard input; instead of the argument")
    .option(
      "--node <name>",
      "name of this machine (default: the name of its Machine document, else its host name)",
    )
    .option(
      "--address <address>",
      "address at which other machines reach this one (default: the one the controller sees); its listener for them stands on every interface, for a loopback address on that one alone",
    )
    .option("--open-listeners", openListenersHelp, false)
    .option(
      "--control-plane",
      "make it part of the control plane: a controller here, and a registry where etcd keeps what it keeps",
      false,
    )
    .option(
      "--controller-port <port>",
      "with --control-plane: control API and join",
      portFlag("--controller-port"),
      defaults.controller,
    )
    .option(
      "--registry-port <port>",
      "with --control-plane: registry",
      portFlag("--registry-port"),
      defaults.registry,
    )
    .option(
      "--store <etcd>",
      "with --control-plane: etcd://…, where it is another one from here (default: as the others have it)",
    )
    .option("--no-start", "only join; start it later with heddle proxy");
  withServiceFlags(withShardsFlag(command, "as many as it had, else 1"));
  withMachineFlags(withPortFlags(command)).action(
    (controllers: JoinOptions["controllers"], token: string | undefined, flags: JoinFlags) =>
      join(cli, command, controllers, token, flags),
  );
}

async function join(
  cli: Cli,
  command: Command,
  controllers: JoinOptions["controllers"],
  given: string | undefined,
  flags: JoinFlags,
): Promise<void> {
  const terminal = cli.terminal(command);
  const folder = cli.folder(command);
  const drainMs = cli.drainMs(command);
  forbidDumps(cli.runtime.native);
  const { joinMesh } = await import("../app/join.ts");
  const { proxyRuns } = await import("../app/own_proxy.ts");
  const { files, process } = cli.runtime;
  const standing = await readSettings(cli.runtime, folder);
  const services = await servicesFor(cli.runtime, folder, flags);
  const places = { loopback: flags.loopback, ports: { dns: flags.dnsPort } };
  const wanted = standing ?? { modes: ["proxy"], controllers, registries: controllers, ...places };
  await services?.requireInstallable(wanted);
  if (services !== null && flags.plan) {
    const before = `join the mesh at ${controllers.map(addressText).join(",")}: this machine's membership, in ${folder.path}`;
    return sayPlan(terminal, [before, ...services.plan(wanted, drainMs)]);
  }
  if (standing !== null) await services?.requireNoOther(standing);
  const token = await tokenOf(files, given, flags.tokenFile, standing !== null);
  // What is not said again stays as it is.
  const said = standing === null ? flags : { ...flags, ...placesOf(standing), ...givenFlags(command, flags) };
  const { loopback, node = standing?.node ?? process.hostname } = said;
  const { address = null } = flags;
  const machine =
    standing !== null && !hasMachineFlags(flags)
      ? null
      : await machineText(files, flags, { node, address, loopback });
  const runs = standing !== null && (await proxyRuns(cli.runtime, standing));
  const options = {
    ...said,
    node: flags.node ?? null,
    machine,
    controllers,
    token,
    starts: flags.start && !runs,
  };
  const work = (changing?: () => Promise<void>): Promise<Joined> => {
    const changes = changing === undefined ? {} : { changing };
    const joining = joinMesh(cli.runtime, folder, { ...options, ...changes });
    return flags.controlPlane ? joining.then((made) => withControlPlane(cli, folder, made, flags)) : joining;
  };
  const joined = await (services === null ? work() : services.around(work, ({ restart }) => restart));
  const { settings, changed } = joined;
  if (terminal.format === "json")
    terminal.json({ ...machineAnswer(settings, folder), changed, said: joined.said });
  for (const line of joined.said) terminal.problem(line);
  if (services !== null) return installServices(terminal, services, settings, drainMs);
  if (!flags.start) return;
  if (runs) {
    terminal.problem(
      joined.restart
        ? "Its proxy runs already: start it again, and it goes by what was changed"
        : "Its proxy runs already",
    );
    return;
  }
  const running = settings.modes.includes("controller")
    ? await (await import("../app/everything.ts")).startEverything(cli.runtime, folder, settings)
    : await (await import("../app/proxy_mode.ts")).startProxy(cli.runtime, folder, settings, {});
  terminal.problem(running.summary);
  terminal.problem("Running in the foreground; Ctrl-C stops it. Next time: heddle proxy");
  for (const line of running.examples) terminal.problem(`  ${line}`);
  await runInForeground(cli.runtime, running, drainMs, (text) => terminal.problem(text));
}

/** Nothing is done again where it is part of the control plane already. */
async function withControlPlane(
  cli: Cli,
  folder: StateFolder,
  made: Joined,
  flags: JoinFlags,
): Promise<Joined> {
  if (made.settings.modes.includes("controller")) return made;
  const { joinControlPlane } = await import("../app/join_control_plane.ts");
  const settings = await joinControlPlane(cli.runtime, folder, made.settings, flags);
  const line = `${settings.node} is part of the control plane: ${settings.modes.join(", ")}`;
  return { settings, changed: true, restart: true, said: [...made.said, line] };
}

/** Not from the command line, where every user of the machine reads it, if somebody prefers that. */
async function tokenOf(
  files: Files,
  given: string | undefined,
  file: string | undefined,
  joined: boolean,
): Promise<string> {
  if (given !== undefined && file !== undefined)
    throw new UserError("Cannot take both a token and --token-file");
  if (given !== undefined) return given;
  // A machine that is a member needs none.
  if (file === undefined && joined) return "";
  if (file === undefined)
    throw new UserError(
      "Cannot join without a token",
      "heddle token create, on the controller's machine, makes one",
    );
  const bytes = file === "-" ? await files.readInput(limits.joinTokenFileBytesMax) : await files.read(file);
  if (bytes === null)
    throw new UserError(
      file === "-"
        ? `Cannot read the token from standard input: it has more than ${limits.joinTokenFileBytesMax} bytes (joinTokenFileBytesMax)`
        : `Cannot read the token ${file}: there is no such file`,
    );
  return new TextDecoder().decode(bytes).trim();
}

function placesOf({ address, loopback, ports, openListeners = false }: Settings) {
  const { inbound: inboundPort, outboundFirst: outboundPort, admin: adminPort, dns } = ports;
  const dnsPort = dns ?? defaults.dns;
  return { address, loopback, inboundPort, outboundPort, adminPort, dnsPort, openListeners };
}

/** `heddle init`: the first machine of a mesh. */
import type { Command } from "commander";
import { forbidDumps } from "../app/no_dumps.ts";
import type { RunningProxy } from "../app/proxy_mode.ts";
import type { Address } from "../base/socket_address.ts";
import { moreAddresses } from "./controller_address.ts";
import { ports } from "../model/ports.ts";
import { parseDurationFlag, portFlag, type Cli } from "./command.ts";
import { runInForeground } from "./foreground.ts";
import { machineAnswer } from "./machine_answer.ts";
import { machineText, openListenersHelp, withMachineFlags, type MachineFlags } from "./machine_flags.ts";
import { withPortFlags, type PortFlags } from "./port_flags.ts";
import type { Terminal } from "./terminal.ts";

interface InitFlags extends MachineFlags, PortFlags {
  readonly trustDomain: string;
  readonly node?: string;
  readonly address?: string;
  readonly controllerPort: number;
  readonly registryPort: number;
  readonly controllerAddress?: readonly Address[];
  readonly registryAddress?: readonly Address[];
  readonly leafTtl?: number;
  readonly openListeners: boolean;
  readonly start: boolean;
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
    .option("--open-listeners", openListenersHelp, false)
    .option("--no-start", "only write the state; start it later with heddle registry, controller and proxy");
  withMachineFlags(withPortFlags(command)).action(async (flags: InitFlags) => {
    const terminal = cli.terminal(command);
    const folder = cli.folder(command);
    const drainMs = cli.drainMs(command);
    forbidDumps(cli.runtime.native);
    const { initializeMesh } = await import("../app/init.ts");
    const host = cli.runtime.process;
    const { loopback, node = host.hostname } = flags;
    const machine = await machineText(cli.runtime.files, flags, {
      node,
      address: flags.address ?? null,
      loopback,
    });
    const made = await initializeMesh(cli.runtime, folder, {
      ...flags,
      node: flags.node ?? null,
      machine,
    });
    const { settings } = made;
    if (terminal.format === "json")
      terminal.json({ ...machineAnswer(settings, folder), operator: folder.operator });
    if (made.finished) terminal.problem("An earlier heddle init had ended half way; it is finished now");
    terminal.problem(
      `This machine is ${settings.node} of the new mesh ${settings.trustDomain}; its state is in ${folder.path}`,
    );
    terminal.problem(`The operator's credential (keep it secret): ${folder.operator}`);
    if (!flags.start) return;
    const { startEverything } = await import("../app/everything.ts");
    const running = await startEverything(cli.runtime, folder, settings);
    sayStarted(terminal, running);
    await runInForeground(cli.runtime, running, drainMs, (text) => terminal.problem(text));
  });
}

function sayStarted(
  terminal: Terminal,
  { summary, examples }: Pick<RunningProxy, "summary" | "examples">,
): void {
  for (const line of summary.split("\n")) terminal.problem(line);
  terminal.problem();
  terminal.problem("What other machines join with, in another terminal:");
  terminal.problem("  heddle token create --service NAME");
  terminal.problem();
  terminal.problem(
    "Running in the foreground; Ctrl-C stops it. Next time: heddle registry, heddle controller, heddle proxy",
  );
  for (const line of examples) terminal.problem(`  ${line}`);
}

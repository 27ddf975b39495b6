/** `heddle join`: one more machine. Repeated on a machine that has joined, it changes nothing and starts the proxy. */
import type { Command } from "commander";
import { ports } from "../model/ports.ts";
import { portFlag, type Cli } from "./command.ts";
import { controllerAddress, type Address } from "./controller_address.ts";
import { runInForeground } from "./foreground.ts";
import { machineAnswer } from "./machine_answer.ts";
import { machineText, withMachineFlags, type MachineFlags } from "./machine_flags.ts";

interface JoinFlags extends MachineFlags {
  readonly node?: string;
  readonly address?: string;
  readonly loopback: string;
  readonly inboundPort: number;
  readonly outboundPort: number;
  readonly adminPort: number;
  readonly start: boolean;
}

export function registerJoin(program: Command, cli: Cli): void {
  const command = program
    .command("join")
    .description("make this machine part of a mesh, with a token from `heddle token create`")
    .argument("<controller>", "host:port of the controller", controllerAddress)
    .argument("<token>", "hd1.…: used once, carries the pin of the mesh's root")
    .option("--node <name>", "name of this machine (default: its host name)")
    .option(
      "--address <address>",
      "address at which other machines reach this one (default: the one the controller sees)",
    )
    .option("--loopback <address>", "address of the local listeners", "127.0.0.1")
    .option("--inbound-port <port>", "mTLS from other machines", portFlag("--inbound-port"), ports.inbound)
    .option(
      "--outbound-port <port>",
      "first HTTP outbound listener",
      portFlag("--outbound-port"),
      ports.outboundFirst,
    )
    .option("--admin-port <port>", "admin pages, loopback only", portFlag("--admin-port"), ports.admin)
    .option("--no-start", "only join; start it later with heddle proxy");
  withMachineFlags(command).action(async (controller: Address, token: string, flags: JoinFlags) => {
    const terminal = cli.terminal(command);
    const folder = cli.folder(command);
    const drainMs = cli.drainMs(command);
    const { joinMesh } = await import("../app/join.ts");
    const node = flags.node ?? cli.runtime.process.hostname;
    const { loopback } = flags;
    const machine = await machineText(cli.runtime.files, flags, {
      node,
      address: flags.address ?? null,
      loopback,
    });
    const joined = await joinMesh(cli.runtime, folder, { ...flags, node, machine, controller, token });
    const { settings, changed, said } = joined;
    if (terminal.format === "json") terminal.json({ ...machineAnswer(settings, folder), changed, said });
    for (const line of said) terminal.aside(line);
    if (!flags.start) return;
    const { proxyRuns } = await import("../app/own_proxy.ts");
    if (!changed && (await proxyRuns(cli.runtime, settings))) {
      terminal.aside("Its proxy runs already");
      return;
    }
    const { startProxy } = await import("../app/proxy_mode.ts");
    const running = await startProxy(cli.runtime, folder, settings, {});
    terminal.aside(running.summary);
    terminal.aside("Running in the foreground; Ctrl-C stops it. Next time: heddle proxy");
    for (const line of running.examples) terminal.aside(`  ${line}`);
    await runInForeground(cli.runtime.process, running, drainMs, (text) => terminal.aside(text));
  });
}

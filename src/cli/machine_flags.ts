/**
 * What runs on this machine, from a `Machine` file or from flags. Flags describe one service, which is what most machines
 * have; more than one is a file.
 */
import { socketAddress } from "../base/socket_address.ts";
import type { Command } from "commander";
import type { Files } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { healthOfFlag } from "../config/parts/health.ts";
import { portFlag, repeated } from "./command.ts";
import { healthFlag, healthHelp } from "./health_flag.ts";

export interface MachineFlags {
  readonly machine?: string;
  readonly service?: string;
  readonly gateway?: readonly string[];
  readonly port?: readonly number[];
  readonly host?: string;
  readonly health?: string;
  readonly label?: readonly string[];
  readonly upstream?: readonly string[];
  readonly httpPort?: number;
  readonly zone?: string;
  readonly region?: string;
  readonly network?: string;
}

export const openListenersHelp =
  "let outbound listeners stand beyond loopback: whoever reaches them acts as the service";

/** Adds the flags to a command that sets up a machine. */
export function withMachineFlags(command: Command): Command {
  return command
    .option("--machine <file>", "Machine document: services of this machine, ports, health, upstreams")
    .option("--service <name>", "the one service of this machine (more than one: --machine)")
    .option("--gateway <name>", "gateway that this machine runs; repeat for more", repeated)
    .option(
      "--port <port>",
      "where that service listens, on loopback; repeat for several instances of it",
      (text: string, before: readonly number[] = []) => [...before, portFlag("--port")(text)],
    )
    .option(
      "--host <address>",
      "the address that service listens on (default: the machine's loopback address)",
    )
    .option("--health <probe>", healthHelp, healthFlag)
    .option("--label <key=value>", "label of the service, e.g. version=v1; repeat for more", repeated)
    .option(
      "--upstream <service=port>",
      "local port that leads to another service; repeat for more",
      repeated,
    )
    .option(
      "--http-port <port>",
      "port of the service's HTTP outbound listener (default: from 7480)",
      portFlag("--http-port"),
    )
    .option("--zone <name>", "where this machine stands: its calls go to instances of that zone first")
    .option("--region <name>", "what its zone is a part of: other zones of it come next")
    .option(
      "--network <name>",
      "network that it is in, where others have no route to it: they come in by gateways (passthrough: mesh)",
    );
}

/** Whether any of them is given. */
export function hasMachineFlags(flags: MachineFlags): boolean {
  const { machine, gateway } = flags;
  return saysOfService(flags) || [machine, gateway, ...places(flags)].some((each) => each !== undefined);
}

function places({ zone, region, network }: MachineFlags): readonly (string | undefined)[] {
  return [zone, region, network];
}

function saysOfService({ service, port, host, health, label, upstream, httpPort }: MachineFlags): boolean {
  return [service, port, host, health, label, upstream, httpPort].some((each) => each !== undefined);
}

/** The text of the Machine document that the flags mean, and the name to use for it in error messages. */
export async function machineText(
  files: Files,
  flags: MachineFlags,
  machine: { readonly node: string; readonly address: string | null; readonly loopback: string },
): Promise<{ readonly file: string; readonly text: string }> {
  if (flags.machine !== undefined) {
    if (flags.service !== undefined)
      throw new UserError("Cannot take both --machine and --service: the file names the services");
    if (flags.gateway !== undefined)
      throw new UserError("Cannot take both --machine and --gateway: the file names the gateways (gateways)");
    if (places(flags).some((each) => each !== undefined))
      throw new UserError(
        "Cannot take both --machine and --zone, --region or --network: the file says where it stands",
      );
    const bytes = await files.read(flags.machine);
    if (bytes === null)
      throw new UserError(`Cannot read the Machine document ${flags.machine}: there is no such file`);
    return { file: flags.machine, text: new TextDecoder().decode(bytes) };
  }
  requireService(flags);
  const document = {
    kind: "Machine",
    name: machine.node,
    ...(machine.address === null ? {} : { address: machine.address }),
    ...(flags.zone === undefined ? {} : { zone: flags.zone }),
    ...(flags.region === undefined ? {} : { region: flags.region }),
    ...(flags.network === undefined ? {} : { network: flags.network }),
    ...(flags.gateway === undefined ? {} : { gateways: flags.gateway }),
    services: flags.service === undefined ? [] : [serviceOf(flags.service, flags, machine.loopback)],
  };
  return { file: "flags", text: `${JSON.stringify(document, null, 2)}\n` };
}

/** Each of them says something of the one service, but that a gateway stands somewhere, too. */
function requireService(flags: MachineFlags): void {
  if (flags.service !== undefined || !hasMachineFlags(flags)) return;
  if (flags.gateway !== undefined && !saysOfService(flags)) return;
  throw new UserError(
    "Cannot tell which service the flags are about",
    "Add --service NAME (or --gateway NAME, where it stands), or describe the machine in a file: --machine FILE",
  );
}

function serviceOf(name: string, flags: MachineFlags, loopback: string): Record<string, unknown> {
  const [port, ...more] = flags.port ?? [];
  if (port === undefined) {
    throw new UserError(
      `Cannot set up the service "${name}" without its port`,
      "Add --port with the port it listens on",
    );
  }
  return {
    service: name,
    host: flags.host ?? loopback,
    ...(more.length === 0 ? { port } : { ports: [port, ...more] }),
    ...(flags.httpPort === undefined ? {} : { httpPort: flags.httpPort }),
    ...(flags.health === undefined ? {} : { health: healthOfFlag(flags.health) }),
    labels: Object.fromEntries((flags.label ?? []).map(pairOf("--label"))),
    upstreams: (flags.upstream ?? []).map(pairOf("--upstream")).map(([service, port]) => ({
      service,
      bind: socketAddress(loopback, portFlag("--upstream")(port)),
    })),
  };
}

function pairOf(flag: string): (text: string) => readonly [string, string] {
  return (text) => {
    const at = text.indexOf("=");
    if (at < 1 || at === text.length - 1)
      throw new UserError(`Cannot use ${flag} "${text}": expected name=value`);
    return [text.slice(0, at), text.slice(at + 1)];
  };
}

/** `heddle attach` and `heddle detach`: units of this machine as instances of services. */
import type { Command } from "commander";
import { Attachments } from "../app/attach.ts";
import { socketAddress } from "../base/socket_address.ts";
import { UserError } from "../base/user_error.ts";
import { isName } from "../identity/spiffe_id.ts";
import type { Interception } from "../model/document.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import { parseServiceName, portFlag, type Cli } from "./command.ts";
import { healthFlag, healthHelp } from "./health_flag.ts";
import { sayPlan } from "./service_flags.ts";
import type { Terminal } from "./terminal.ts";

interface AttachFlags {
  readonly port?: number;
  readonly service?: string;
  readonly host?: string;
  readonly health?: string;
  readonly intercept: boolean;
  readonly outbound?: string;
  readonly inbound?: string;
  readonly strict: boolean;
  readonly plan: boolean;
}

export function registerAttach(program: Command, cli: Cli): void {
  const command = program
    .command("attach")
    .description(
      "make a systemd unit of this machine an instance of a service; alone: show which units listen, and how to attach them",
    )
    .argument("[unit]", "such as web.service, or web@1.service")
    .option("--port <port>", "where it listens (default: its only port, while it runs)", portFlag("--port"))
    .option(
      "--service <name>",
      "service that it is an instance of, or calls as (default: called as the unit is)",
    )
    .option("--host <address>", "address that it listens on (default: 127.0.0.1, or what it is seen to have)")
    .option("--health <probe>", healthHelp, healthFlag)
    .option(
      "--intercept",
      "take its traffic into the mesh by the firewall, without its doing; to be confirmed within a minute",
      false,
    )
    .option("--outbound <which>", "of its connections, with --intercept: mesh (default) or all")
    .option("--inbound <how>", "callers around the mesh, with --intercept: audit (default) or enforce")
    .option(
      "--strict",
      "with --intercept: its rules stand while the proxy does not run, too, and it is cut off then",
      false,
    )
    .option("--plan", "print every file and command, and do nothing", false);
  command.action(async (given: string | undefined, flags: AttachFlags) => {
    const terminal = cli.terminal(command);
    const attachments = await Attachments.open(cli.runtime, cli.folder(command));
    if (given === undefined) return suggest(terminal, attachments);
    const unit = unitOf(given);
    const { port = null, host = null, health = null, plan } = flags;
    const service = serviceOf(unit, flags);
    const change = await attachments.attaching({
      unit,
      port,
      service,
      host,
      health,
      intercept: interceptionOf(flags),
    });
    if (plan) return sayPlan(terminal, await attachments.plan(change));
    const left = await attachments.apply(change, (text) => terminal.problem(`  ${text}`));
    const { instance } = change;
    if (terminal.format === "json")
      terminal.json({
        unit,
        service: serviceKey(service),
        instance: instance === null ? null : { ...instance, service: serviceKey(instance.service) },
        left,
      });
    terminal.problem(
      instance === null
        ? `${unit} calls as ${serviceKey(service)} from now on, starts after the proxy, and ends as before. To take it out: heddle detach ${unit}`
        : `${unit} is ${serviceKey(instance.service)} at port ${instance.port} of this machine. To take it out: heddle detach ${unit}`,
    );
    for (const line of left) terminal.problem(line);
  });
}

export function registerDetach(program: Command, cli: Cli): void {
  const command = program
    .command("detach")
    .description("take a unit out of the mesh again, with all that heddle attach did")
    .argument("<unit>", "such as web.service")
    .option("--plan", "print every file and command, and do nothing", false);
  command.action(async (given: string, { plan }: Pick<AttachFlags, "plan">) => {
    const terminal = cli.terminal(command);
    const attachments = await Attachments.open(cli.runtime, cli.folder(command));
    const unit = unitOf(given);
    const change = await attachments.detaching(unit);
    if (plan) return sayPlan(terminal, await attachments.plan(change));
    await attachments.apply(change, (text) => terminal.problem(`  ${text}`));
    if (terminal.format === "json") terminal.json({ unit, detached: true });
    terminal.problem(`${unit} is out of the mesh; it runs on as before`);
  });
}

async function suggest(terminal: Terminal, attachments: Attachments): Promise<void> {
  const attached = await attachments.attached();
  const listeners = await attachments.listeners();
  if (terminal.format === "json") return terminal.json({ attached, listeners });
  for (const unit of attached) terminal.line(`${unit} is attached`);
  const others = listeners.filter(({ unit }) => !attached.includes(unit));
  if (others.length === 0) return terminal.line("No other unit of this machine listens on a TCP port");
  terminal.line("Units that listen, and how each would be attached:");
  terminal.table(
    ["UNIT", "LISTENS ON", "COMMAND"],
    others.map(({ unit, address, port }) => [
      unit,
      socketAddress(address, port),
      `heddle attach ${unit} --port ${port}${nameOf(unit) === null ? " --service NAME" : ""}`,
    ]),
  );
}

/** null: nothing is said of it. */
function interceptionOf({
  intercept,
  outbound = "mesh",
  inbound = "audit",
  strict,
}: AttachFlags): Interception | null {
  if (!intercept) return null;
  if (outbound !== "mesh" && outbound !== "all")
    throw new UserError(`Cannot use --outbound "${outbound}": expected mesh or all`);
  if (inbound !== "audit" && inbound !== "enforce")
    throw new UserError(`Cannot use --inbound "${inbound}": expected audit or enforce`);
  return { outbound, inbound, ...(strict ? { strict } : {}) };
}

/** A name without its kind is a service. */
function unitOf(given: string): string {
  const unit = /\.[a-z]+$/.test(given) ? given : `${given}.service`;
  if (
    /^[A-Za-z0-9:_.\\@-]+\.service$/.test(unit) &&
    !unit.endsWith("@.service") &&
    !unit.startsWith("heddle-")
  )
    return unit;
  throw new UserError(
    `Cannot use the unit "${given}": expected a service such as web.service, or web@1.service of a template`,
    "A timer or a socket is attached by the service that it starts",
  );
}

function serviceOf(unit: string, { service }: AttachFlags): ServiceName {
  if (service !== undefined) return parseServiceName(service, "--service");
  const name = nameOf(unit);
  if (name !== null) return parseServiceName(name);
  throw new UserError(
    `Cannot call a service as the unit ${unit} is called`,
    "Say which service it is an instance of: --service NAME",
  );
}

/** `web` of `web@1.service`; null: no service can have that name. */
function nameOf(unit: string): string | null {
  const name = unit.replace(/(?:@.*)?\.service$/, "");
  return isName(name) ? name : null;
}

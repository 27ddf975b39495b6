/** `heddle token create`, `heddle node list|allow|remove`: who may be part of the mesh. */
import type { Command } from "commander";
import { controllerPaths, type TokenAnswer, type TokensAnswer, type TokenStatus } from "../api/messages.ts";
import { openOperator } from "../app/operator.ts";
import { readNodes } from "../app/operator_lists.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import { parseDurationFlag, parseServiceName, repeated, type Cli } from "./command.ts";
import { humanDuration } from "../base/duration.ts";
import type { Terminal } from "./terminal.ts";

export function registerTokens(program: Command, cli: Cli): void {
  const token = program.command("token").description("make tokens with which machines join");
  const create = token
    .command("create")
    .description("make a token for one machine; it is shown once and used once")
    .option("--service <name>", "service that the machine may be; repeat for more", repeated)
    .option("--gateway <name>", "gateway that the machine may run; repeat for more", repeated)
    .option("--any-service", "instead of --service: whichever the machine asks for", false)
    .option(
      "--control-plane",
      "the machine may be part of the control plane, and so whichever service it asks for",
      false,
    )
    .option("--ttl <duration>", "how long it may be used (default: 15m, at most 1h)", tokenLife)
    .action(async (flags: TokenFlags) => {
      const terminal = cli.terminal(create);
      const services = servicesOf(flags);
      const operator = await openOperator(cli.runtime, cli.folder(create));
      const control = flags.controlPlane ? { control: true } : {};
      const gateways = (flags.gateway ?? []).map((each) => parseServiceName(each, "--gateway"));
      const told = gateways.length === 0 ? {} : { gateways };
      const body = { services, ttlMs: flags.ttl ?? limits.joinTokenMs, ...control, ...told };
      const made = (await operator.call("POST", controllerPaths.tokens, body)).body as TokenAnswer;
      operator.close();
      if (terminal.format === "json") return terminal.json(made);
      terminal.line("On the machine that joins, after copying this binary there:");
      terminal.line(`  ${made.joinLine}`);
      terminal.line(
        terminal.paint.dim(
          `  for one machine, good for ${humanDuration(body.ttlMs)}; with --token-file FILE instead of the token it stays out of the shell's history`,
        ),
      );
    });
  const list = token
    .command("list")
    .description("show the tokens of the last days: who may join, and who did")
    .action(async () => {
      const terminal = cli.terminal(list);
      const operator = await openOperator(cli.runtime, cli.folder(list));
      const { tokens } = (await operator.call("GET", controllerPaths.tokens)).body as TokensAnswer;
      operator.close();
      if (terminal.format === "json") return terminal.json(tokens);
      if (tokens.length === 0) return terminal.line("There is no token; heddle token create makes one");
      const nowMs = cli.runtime.clock.wallMs();
      terminal.table(
        ["TOKEN", "FOR", "STATE"],
        tokens.map((each) => [
          each.id,
          each.services === null ? "any service" : each.services.map(serviceKey).join(", "),
          tokenState(each, nowMs),
        ]),
      );
    });
  const revoke = token
    .command("revoke")
    .description("take a token back that was not used yet")
    .argument("<id>", "as heddle token list shows it: the word after hd1.", tokenId)
    .action(async (id: string) => {
      const terminal = cli.terminal(revoke);
      const operator = await openOperator(cli.runtime, cli.folder(revoke));
      await operator.call("POST", `${controllerPaths.tokens}/${encodeURIComponent(id)}/revoke`, {});
      operator.close();
      if (terminal.format === "json") return terminal.json({ token: id, revoked: true });
      terminal.line(`Nobody can join with the token ${id} any more`);
    });
}

interface TokenFlags {
  readonly service?: readonly string[];
  readonly gateway?: readonly string[];
  readonly anyService: boolean;
  readonly controlPlane: boolean;
  readonly ttl?: number;
}

/** A token that names no service is one only where that is said. */
function servicesOf(flags: TokenFlags): readonly ServiceName[] | null {
  const { service = [], gateway = [], anyService, controlPlane } = flags;
  const named = [
    ...service.map((each) => parseServiceName(each, "--service")),
    ...gateway.map((each) => parseServiceName(each, "--gateway")),
  ];
  if (controlPlane && named.length === 0) return null;
  if (anyService === named.length > 0)
    throw new UserError(
      anyService
        ? "Cannot take --service or --gateway with --any-service"
        : "Cannot make a token for no service",
      "Add --service NAME or --gateway NAME for each that the machine may be; or --any-service, which lets it be whatever it asks for",
    );
  return anyService ? null : named;
}

/** Also of a whole token. */
function tokenId(text: string): string {
  return /^hd1\.([0-9a-f]{12})\./.exec(text)?.[1] ?? text;
}

function tokenState({ used, expiresMs }: TokenStatus, nowMs: number): string {
  if (used !== null)
    return `used by ${used.node} from ${used.address}, ${humanDuration(nowMs - used.atMs)} ago`;
  return expiresMs < nowMs
    ? `ended ${humanDuration(nowMs - expiresMs)} ago`
    : `good for ${humanDuration(expiresMs - nowMs)}`;
}

export function registerNodes(program: Command, cli: Cli): void {
  const node = program
    .command("node")
    .description("see which machines are in the mesh, and what each may be");
  const list = node
    .command("list")
    .description("show the machines and the services they may be")
    .action(async () => {
      const terminal = cli.terminal(list);
      const operator = await openOperator(cli.runtime, cli.folder(list));
      const nodes = await readNodes(operator);
      operator.close();
      if (terminal.format === "json") return terminal.json(nodes);
      const rows = nodes.map((each) => [each.name, each.services.map(serviceKey).join(", ")]);
      terminal.table(["MACHINE", "MAY BE"], rows);
    });
  const allow = node
    .command("allow")
    .description("let a joined machine be one more service")
    .argument("<machine>", "its name, as heddle node list shows it")
    .option("--service <name>", "service that the machine may be from now on")
    .option("--control-plane", "it may be part of the control plane from now on", false)
    .action(async (machine: string, flags: { service?: string; controlPlane: boolean }) => {
      if (flags.controlPlane) await post(allow, cli, machine, "control", {});
      if (flags.service === undefined)
        return allowedControl(cli.terminal(allow), machine, flags.controlPlane);
      const { name, namespace } = parseServiceName(flags.service, "--service");
      await post(allow, cli, machine, "allow", { service: { name, namespace } });
      const terminal = cli.terminal(allow);
      if (terminal.format === "json")
        return terminal.json({ machine, allowed: serviceKey({ name, namespace }) });
      terminal.line(
        `${machine} may be ${flags.service}; there: heddle attach UNIT --port PORT --service ${flags.service}, or add it to machine.yaml in its state folder and send its proxy SIGHUP`,
      );
    });
  const remove = node
    .command("remove")
    .description("revoke a machine: its connections end and its certificates are not renewed")
    .argument("<machine>", "its name, as heddle node list shows it")
    .option("--yes", "also where it is the controller's own machine", false)
    .action(async (machine: string, flags: { yes: boolean }) => {
      await post(remove, cli, machine, "remove", { force: flags.yes });
      const terminal = cli.terminal(remove);
      if (terminal.format === "json") return terminal.json({ machine, removed: true });
      terminal.line(`${machine} is no longer part of the mesh`);
    });
}

function allowedControl(terminal: Terminal, machine: string, isAllowed: boolean): void {
  if (!isAllowed) throw new UserError("Cannot allow nothing", "Say --service NAME, or --control-plane");
  if (terminal.format === "json") return terminal.json({ machine, allowed: "control-plane" });
  terminal.line(`${machine} may be part of the control plane; there: heddle join CONTROLLER --control-plane`);
}

async function post(command: Command, cli: Cli, machine: string, verb: string, body: unknown): Promise<void> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  await operator.call("POST", `${controllerPaths.nodes}/${encodeURIComponent(machine)}/${verb}`, body);
  operator.close();
}

function tokenLife(text: string): number {
  const ms = parseDurationFlag("--ttl")(text);
  if (ms < limits.joinTokenMinMs || ms > limits.joinTokenMaxMs) {
    throw new UserError(
      `Cannot use --ttl "${text}": expected from ${humanDuration(limits.joinTokenMinMs)} to ${humanDuration(limits.joinTokenMaxMs)}`,
    );
  }
  return ms;
}

/** `heddle token create`, `heddle node list|allow|remove`: who may be part of the mesh. */
import type { Command } from "commander";
import { controllerPaths, type TokenAnswer } from "../api/messages.ts";
import { openOperator } from "../app/operator.ts";
import { readNodes } from "../app/operator_lists.ts";
import { UserError } from "../base/user_error.ts";
import { isName } from "../identity/spiffe_id.ts";
import { limits } from "../model/limits.ts";
import { defaultNamespace, serviceKey, type ServiceName } from "../model/service.ts";
import { parseDurationFlag, repeated, type Cli } from "./command.ts";
import { humanDuration } from "../base/duration.ts";

export function registerTokens(program: Command, cli: Cli): void {
  const token = program.command("token").description("make tokens with which machines join");
  const create = token
    .command("create")
    .description("make a token for one machine; it is shown once and used once")
    .requiredOption("--service <name>", "service that the machine may be; repeat for more", repeated)
    .option("--ttl <duration>", "how long it may be used (default: 15m, at most 1h)", tokenLife)
    .action(async (flags: { service: readonly string[]; ttl?: number }) => {
      const terminal = cli.terminal(create);
      const operator = await openOperator(cli.runtime, cli.folder(create));
      const body = { services: flags.service.map(parseServiceName), ttlMs: flags.ttl ?? limits.joinTokenMs };
      const made = (await operator.call("POST", controllerPaths.tokens, body)).body as TokenAnswer;
      operator.close();
      if (terminal.format === "json") return terminal.json(made);
      terminal.line("On the machine that joins, after copying this binary there:");
      terminal.line(`  ${made.joinLine}`);
      terminal.line(terminal.paint.dim(`  for one machine, good for ${humanDuration(body.ttlMs)}`));
    });
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
      const rows = nodes.map((each) => [
        each.name,
        each.services.map(serviceKey).join(", "),
        each.removed ? "removed" : "",
      ]);
      terminal.table(["MACHINE", "MAY BE", ""], rows);
    });
  const allow = node
    .command("allow")
    .description("let a joined machine be one more service")
    .argument("<machine>", "its name, as heddle node list shows it")
    .requiredOption("--service <name>", "service that the machine may be from now on")
    .action(async (machine: string, flags: { service: string }) => {
      const { name, namespace } = parseServiceName(flags.service);
      await post(allow, cli, machine, "allow", { service: { name, namespace } });
      const terminal = cli.terminal(allow);
      if (terminal.format === "json")
        return terminal.json({ machine, allowed: serviceKey({ name, namespace }) });
      terminal.line(
        `${machine} may be ${flags.service}; add it to machine.yaml in that machine's state folder and restart its proxy`,
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

async function post(command: Command, cli: Cli, machine: string, verb: string, body: unknown): Promise<void> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  await operator.call("POST", `${controllerPaths.nodes}/${encodeURIComponent(machine)}/${verb}`, body);
  operator.close();
}

/** `orders` or `orders.prod`. */
function parseServiceName(text: string): ServiceName {
  const [name = "", namespace = defaultNamespace, ...more] = text.split(".");
  if (!isName(name) || !isName(namespace) || more.length > 0) {
    throw new UserError(
      `Cannot use --service "${text}": expected a name such as orders or orders.prod, of lower-case letters, digits and '-'`,
    );
  }
  return { name, namespace };
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

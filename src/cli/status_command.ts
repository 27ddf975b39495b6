/** `heddle status`: machines, services, instances, health, certificate age and snapshot version, as the controller sees them. */
import { socketAddress } from "../base/socket_address.ts";
import type { Command } from "commander";
import type { NodeStatus, StatusAnswer } from "../api/messages.ts";
import { openOperator } from "../app/operator.ts";
import { readStatus } from "../app/operator_lists.ts";
import { appPortOf, serviceKey, type Instance } from "../model/service.ts";
import type { Cli } from "./command.ts";
import { humanDuration } from "../base/duration.ts";
import type { Terminal } from "./terminal.ts";
import { text, type Text } from "./text.ts";

export function registerStatus(program: Command, cli: Cli): void {
  const command = program
    .command("status")
    .description("show machines, services, instances, health, certificates and snapshots of the mesh")
    .action(async () => {
      const terminal = cli.terminal(command);
      const operator = await openOperator(cli.runtime, cli.folder(command));
      const status = await readStatus(operator);
      operator.close();
      if (terminal.format === "json") terminal.json(status);
      else showStatus(terminal, status);
    });
}

/** As a table for people. @visibleForTesting */
export function showStatus(terminal: Terminal, status: StatusAnswer): void {
  terminal.line(text`Mesh ${terminal.paint.bold(status.trustDomain)}, revision ${status.revision}`);
  terminal.line();
  terminal.table(
    ["MACHINE", "STATE", "SNAPSHOT", "CERTIFICATES", "VERSION"],
    status.nodes.map((node) => [
      node.name,
      stateOf(terminal, node, status),
      snapshotOf(terminal, node),
      certificatesOf(node, status),
      node.about?.version ?? "",
    ]),
  );
  terminal.line();
  const units = unitsOf(status);
  const rows = status.instances.map((instance) => [
    serviceKey(instance.service),
    instance.node,
    healthOf(terminal, instance),
    appPortOf(instance.id),
    units.get(instance.id) ?? terminal.paint.dim("-"),
    socketAddress(instance.address, instance.port),
    Object.entries(instance.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(" "),
  ]);
  if (rows.length === 0) terminal.line("No service is registered yet");
  else terminal.table(["SERVICE", "MACHINE", "HEALTH", "APP PORT", "UNIT", "REACHED AT", "LABELS"], rows);
  showEjected(terminal, status.nodes);
  showProblems(terminal, status.nodes);
  const running = new Set(status.instances.map((each) => serviceKey(each.service)));
  const idle = status.services.filter((service) => !running.has(serviceKey(service)));
  if (idle.length > 0) {
    terminal.line();
    terminal.line(`Without an instance: ${idle.map(serviceKey).join(", ")}`);
  }
  if (!status.registry.ok) {
    terminal.line();
    terminal.line(terminal.paint.red(`The controller cannot reach the registry: ${status.registry.detail}`));
  }
}

/** By instance id, as the proxies say it. */
function unitsOf({ nodes }: StatusAnswer): ReadonlyMap<string, string> {
  const all = nodes.flatMap(({ name, about }) =>
    (about?.units ?? []).map(({ service, port, unit }) => [`${name}/${service}/${port}`, unit] as const),
  );
  return new Map(all);
}

/** What proxies say that only people can mend. */
function showProblems(terminal: Terminal, nodes: readonly NodeStatus[]): void {
  const rows = nodes.flatMap(({ name, about }) =>
    (about?.problems ?? []).map((each) => [name, terminal.paint.red(each)]),
  );
  if (rows.length === 0) return;
  terminal.line();
  terminal.table(["MACHINE", "TO BE MENDED"], rows);
}

/** A proxy decides by what its own requests met: one may send nothing where others do. */
function showEjected(terminal: Terminal, nodes: readonly NodeStatus[]): void {
  const rows = nodes.flatMap(({ name, ejected = [] }) =>
    ejected.map((each) => [
      each.service,
      each.endpoint,
      name,
      terminal.paint.red(ejectedFor[each.reason] ?? each.reason),
      each.probing
        ? "now"
        : each.probeInMs > 0
          ? `in ${humanDuration(each.probeInMs)}`
          : "with the next request",
    ]),
  );
  if (rows.length === 0) return;
  terminal.line();
  terminal.table(["SERVICE", "TAKEN OUT", "BY CALLERS ON", "AFTER", "PROBED"], rows);
}

const ejectedFor: Readonly<Record<string, string>> = {
  streak: "failures in a row",
  connect: "no connection",
  rate: "too few successes",
};

function healthOf(terminal: Terminal, instance: Instance): Text {
  const { paint } = terminal;
  if (instance.drained === true)
    return paint.yellow(instance.ready ? "drained" : `drained, ${notReady(instance)}`);
  return instance.ready ? paint.green("ready") : paint.red(notReady(instance));
}

function notReady({ problem }: Instance): string {
  return problem === undefined ? "not ready" : `not ready: ${problem}`;
}

function stateOf(terminal: Terminal, node: NodeStatus, status: StatusAnswer): Text {
  if (node.removed) return terminal.paint.dim("removed");
  const { drained } = node;
  if (drained !== undefined)
    return terminal.paint.yellow(
      `drained by ${drained.by} ${humanDuration(status.controllerMs - drained.atMs)} ago${node.connected ? "" : ", away"}`,
    );
  if (node.connected) return terminal.paint.green("connected");
  if (node.lastSeenMs === 0) return terminal.paint.yellow("not seen yet");
  return terminal.paint.yellow(`away for ${humanDuration(status.controllerMs - node.lastSeenMs)}`);
}

function snapshotOf(terminal: Terminal, node: NodeStatus): Text {
  if (node.error !== null) return terminal.paint.red(`refused: ${node.error}`);
  if (node.acknowledged === "") return terminal.paint.dim("none yet");
  const version = node.acknowledged.slice(0, 8);
  return node.wanted === node.acknowledged ? version : terminal.paint.yellow(`${version} (behind)`);
}

/** The certificate that ends first decides. */
function certificatesOf(node: NodeStatus, status: StatusAnswer): string {
  const first = [...node.certificates].sort((a, b) => a.notAfterMs - b.notAfterMs)[0];
  if (first === undefined) return "";
  const left = first.notAfterMs - status.controllerMs;
  return left > 0 ? `${humanDuration(left)} left` : `expired ${humanDuration(left)} ago`;
}

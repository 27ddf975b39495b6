/** `heddle edges` and `heddle stat`: who talks to whom, and how that goes, over some seconds. */
import type { Command } from "commander";
import { ask } from "../app/asking.ts";
import { edgeMetrics, edgesOf, type Edge, type Pair } from "../app/edges.ts";
import { drainedPlaces } from "../app/drain.ts";
import { openOperator } from "../app/operator.ts";
import { readStatus, requireService } from "../app/operator_lists.ts";
import { parseDuration } from "../base/duration.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import type { MetricsReading } from "../model/reading.ts";
import { serviceKey } from "../model/service.ts";
import { parseServiceName, type Cli } from "./command.ts";
import { families } from "../telemetry/families.ts";
import { bytesText, secondsText } from "./figures.ts";
import type { Terminal } from "./terminal.ts";
import { text, type Text } from "./text.ts";

interface Observed {
  /** Those of the pairs, in their order. */
  readonly machines: readonly string[];
  readonly pairs: readonly Pair[];
  /** Machines that did not answer, each with why. */
  readonly silent: readonly { readonly machine: string; readonly problem: string }[];
  /** What operators took out. */
  readonly drained: readonly string[];
}

export function registerEdges(program: Command, cli: Cli): void {
  const edges = program
    .command("edges")
    .description("show who talks to whom, how often and whether over mutual TLS, as both sides count it")
    .option("--window <duration>", "how long to watch", "5s")
    .option(
      "--external",
      "what intercepted units called outside of the mesh, since their proxies started",
      false,
    )
    .option("--clear", "who called intercepted units in clear text, around the mesh", false)
    .action(async (flags: { window: string; external: boolean; clear: boolean }) => {
      const terminal = cli.terminal(edges);
      if (flags.external || flags.clear) return await showAround(cli, edges, flags);
      const observed = await observe(cli, edges, flags.window);
      const all = edgesOf(observed.pairs);
      const { silent, drained } = observed;
      if (terminal.format === "json") terminal.json({ edges: all, silent, drained });
      else showEdges(terminal, all, observed);
    });
  const stat = program
    .command("stat [service]")
    .description(
      "show success, requests per second and times of each service, or of the routes of one, as its callers see them",
    )
    .option("--window <duration>", "how long to watch", "5s")
    .action(async (service: string | undefined, flags: { window: string }) => {
      const terminal = cli.terminal(stat);
      const key = service === undefined ? undefined : serviceKey(parseServiceName(service, "the service"));
      const observed = await observe(cli, stat, flags.window, key);
      const all = edgesOf(observed.pairs, key !== undefined).filter(
        ({ direction, to }) => direction === "outbound" && (key === undefined || to === key),
      );
      if (terminal.format === "json") terminal.json({ services: all, silent: observed.silent });
      else showStat(terminal, all, observed, key !== undefined);
    });
}

/** What passes by the mesh, as each machine counts it. */
async function showAround(
  cli: Cli,
  command: Command,
  { window, clear }: { window: string; clear: boolean },
): Promise<void> {
  const terminal = cli.terminal(command);
  const { name } = clear ? families.clearConnections : families.outsideConnections;
  const observed = await observe(cli, command, window, undefined, [name]);
  const rows = observed.pairs.flatMap(([, { series }], at) =>
    series.map(({ labels, value }) => ({
      machine: observed.machines[at] ?? "",
      ...labels,
      connections: value,
    })),
  );
  if (terminal.format === "json") return terminal.json({ edges: rows, silent: observed.silent });
  const cells = rows.map((row) => row as Readonly<Record<string, string | number>>);
  const columns = clear ? ["address", "service", "machine"] : ["peer", "address", "machine", "verdict"];
  if (cells.length === 0)
    terminal.line(
      clear
        ? "Nobody has called an intercepted unit around the mesh"
        : "No intercepted unit has called anything outside of the mesh",
    );
  else
    terminal.table(
      [...(clear ? ["FROM", "TO", "ON"] : ["FROM", "TO", "ON", "VERDICT"]), "CONNECTIONS"],
      cells.map((row) => [...columns.map((column) => String(row[column] ?? "")), String(row["connections"])]),
    );
  showSilent(terminal, observed.silent);
}

/** Two readings of every connected proxy, `window` apart. */
async function observe(
  cli: Cli,
  command: Command,
  window: string,
  service?: string,
  names: readonly string[] = edgeMetrics,
): Promise<Observed> {
  const everyMs = parseDuration(window);
  const [least, most] = [limits.questionEveryMinMs, limits.questionEveryMaxMs];
  if (everyMs === null || everyMs < least || everyMs > most)
    throw new UserError(
      `Cannot use --window "${window}": expected a duration from ${least}ms to ${most / 1_000}s`,
    );
  const operator = await openOperator(cli.runtime, cli.folder(command));
  if (service !== undefined) await requireService(operator, service);
  const first = new Map<string, MetricsReading>();
  const pairs = new Map<string, Pair>();
  const silent: { machine: string; problem: string }[] = [];
  const asked = new Set<string>();
  const question = { what: "metrics" as const, names: [...names], everyMs };
  const answered = ask(
    operator,
    { question, machines: null },
    {
      line(line) {
        asked.add(line.machine);
        if (line.kind === "end") silent.push({ machine: line.machine, problem: line.problem ?? "it ended" });
        if (line.kind !== "line") return true;
        const reading = line.line as MetricsReading;
        const before = first.get(line.machine);
        if (before === undefined) first.set(line.machine, reading);
        else if (!pairs.has(line.machine)) pairs.set(line.machine, [before, reading]);
        return pairs.size + silent.length < asked.size;
      },
    },
  );
  await Promise.race([answered, later(cli, everyMs + limits.askAnswerMs)]);
  const drained = drainedPlaces(await readStatus(operator));
  operator.close();
  for (const machine of first.keys())
    if (!pairs.has(machine)) silent.push({ machine, problem: "it answered once and not again" });
  return { machines: [...pairs.keys()], pairs: [...pairs.values()], silent, drained };
}

function later(cli: Cli, ms: number): Promise<void> {
  return new Promise((done) => void cli.runtime.clock.after(ms, done, true));
}

function showEdges(terminal: Terminal, edges: readonly Edge[], { silent, drained }: Observed): void {
  if (edges.length === 0) terminal.line("Nobody has called anybody yet");
  else
    terminal.table(
      ["FROM", "TO", "SEEN BY", "MTLS", "SUCCESS", "RPS", "P50", "P99", "TCP", "BYTES/S"],
      edges.map((edge) => [
        edge.from === "" ? terminal.paint.dim("unknown") : edge.from,
        edge.to,
        edge.direction === "outbound" ? "caller" : "callee",
        tlsOf(terminal, edge),
        successOf(terminal, edge),
        edge.perSecond.toFixed(1),
        secondsText(edge.p50),
        secondsText(edge.p99),
        edge.tcpOpen === 0 ? "" : String(edge.tcpOpen),
        bytesText(edge.bytesPerSecond),
      ]),
    );
  if (drained.length > 0)
    terminal.line(
      text`${terminal.paint.yellow("drained:")} ${drained.join(", ")}; heddle undrain brings it back`,
    );
  showSilent(terminal, silent);
}

function showStat(terminal: Terminal, edges: readonly Edge[], { silent }: Observed, routes: boolean): void {
  if (edges.length === 0) terminal.line("Nobody has called it yet");
  else
    terminal.table(
      [routes ? "ROUTE" : "SERVICE", "FROM", "SUCCESS", "RPS", "P50", "P95", "P99", "TCP_CONN"],
      edges.map((edge) => [
        routes ? (edge.route === "" ? "-" : edge.route) : edge.to,
        edge.from,
        successOf(terminal, edge),
        edge.perSecond.toFixed(1),
        secondsText(edge.p50),
        secondsText(edge.p95),
        secondsText(edge.p99),
        String(edge.tcpOpen),
      ]),
    );
  showSilent(terminal, silent);
}

function showSilent(terminal: Terminal, silent: Observed["silent"]): void {
  for (const { machine, problem } of silent)
    terminal.problem(text`${terminal.paint.yellow("warning:")} ${machine} is not in it: ${problem}`);
}

function tlsOf(terminal: Terminal, { tls, tcpOpen }: Edge): Text {
  if (tls === "yes") return terminal.paint.green("yes");
  if (tls === "") return tcpOpen > 0 ? "" : terminal.paint.dim("-");
  return terminal.paint.yellow(tls);
}

function successOf(terminal: Terminal, { success }: Edge): Text {
  if (success === null) return terminal.paint.dim("-");
  const shown = `${(success * 100).toFixed(2)}%`;
  if (success >= 0.999) return terminal.paint.green(shown);
  return success >= 0.99 ? terminal.paint.yellow(shown) : terminal.paint.red(shown);
}

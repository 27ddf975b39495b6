/** `heddle top`: a screen of who calls whom and how that goes, which refreshes until `q`. */
import type { Command } from "commander";
import type { Clock, ProcessHost } from "../../runtime/contract.ts";
import { ask } from "../app/asking.ts";
import { every } from "../app/chores.ts";
import type { Pair } from "../app/edges.ts";
import { openOperator } from "../app/operator.ts";
import { UserError } from "../base/user_error.ts";
import { limits } from "../model/limits.ts";
import type { MetricsReading } from "../model/reading.ts";
import { parseDurationFlag, type Cli } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import { FullScreen, type Terminal } from "./terminal.ts";
import { text } from "./text.ts";
import { chosenRows, firstView, frameOf, pressed, tableLines, withinRows } from "./top/frame.ts";
import { topMetrics, topRows } from "./top/rows.ts";

const defaultEveryMs = 2_000;

export function registerTop(program: Command, cli: Cli): void {
  const command = program
    .command("top")
    .description(
      "watch who calls whom: success, requests per second, times, retries and instances of each route",
    )
    .option("--every <duration>", "how often it refreshes", parseDurationFlag("--every"), defaultEveryMs)
    .option("--once", "print it once and end")
    .action(async (flags: { every: number; once?: boolean }) => {
      const terminal = cli.terminal(command);
      const [least, most] = [limits.questionEveryMinMs, limits.questionEveryMaxMs];
      if (flags.every < least || flags.every > most)
        throw new UserError(`Cannot use --every: expected a duration from ${least}ms to ${most / 1_000}s`);
      if (flags.once === true || terminal.format === "json") await once(cli, command, terminal, flags.every);
      else await watch(cli, command, terminal, flags.every);
    });
}

/** The last two readings of each proxy. */
class Readings {
  readonly #first = new Map<string, MetricsReading>();
  readonly #pairs = new Map<string, Pair>();
  readonly #asked = new Set<string>();
  /** Machines that tell nothing, each with why. */
  readonly silent = new Map<string, string>();

  take(line: Parameters<Parameters<typeof ask>[2]["line"]>[0]): void {
    const { machine } = line;
    this.#asked.add(machine);
    if (line.kind === "end") {
      this.silent.set(machine, line.problem ?? "it ended");
      this.#pairs.delete(machine);
    }
    if (line.kind !== "line") return;
    const reading = line.line as MetricsReading;
    const before = this.#first.get(machine);
    if (before !== undefined) this.#pairs.set(machine, [before, reading]);
    this.#first.set(machine, reading);
  }

  get pairs(): readonly Pair[] {
    return [...this.#pairs.values()];
  }

  /** Each that was asked has told twice, or will tell nothing. */
  get whole(): boolean {
    return (
      this.#asked.size > 0 && [...this.#asked].every((each) => this.#pairs.has(each) || this.silent.has(each))
    );
  }
}

function questionOf(everyMs: number) {
  return { question: { what: "metrics" as const, names: [...topMetrics], everyMs }, machines: null };
}

async function once(cli: Cli, command: Command, terminal: Terminal, everyMs: number): Promise<void> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  const readings = new Readings();
  const late = new Promise<void>((done) => {
    cli.runtime.clock.after(everyMs + limits.askAnswerMs, done, true);
  });
  const line = (each: Parameters<Readings["take"]>[0]): boolean => {
    readings.take(each);
    return !readings.whole;
  };
  await ask(operator, questionOf(everyMs), { line }, late).finally(() => operator.close());
  const rows = chosenRows(topRows(readings.pairs), firstView);
  if (terminal.format === "json") {
    const silent = [...readings.silent].map(([machine, problem]) => ({ machine, problem }));
    return terminal.json({ edges: rows, silent });
  }
  for (const each of tableLines(rows, terminal.columns, terminal.paint)) terminal.line(each);
  for (const [machine, problem] of readings.silent)
    terminal.problem(text`${terminal.paint.yellow("warning:")} ${machine} is not in it: ${problem}`);
}

async function watch(cli: Cli, command: Command, terminal: Terminal, everyMs: number): Promise<void> {
  const { process: host, clock } = cli.runtime;
  if (!host.terminal.interactive)
    throw new UserError(
      "Cannot draw a screen: the output is no terminal",
      "heddle top --once prints it once",
    );
  const operator = await openOperator(cli.runtime, cli.folder(command));
  const readings = new Readings();
  const screen = new TopScreen(host, clock, terminal, { readings, everyMs });
  try {
    await ask(operator, questionOf(everyMs), { line: (line) => (readings.take(line), true) }, screen.begin());
  } finally {
    screen.close();
    operator.close();
  }
  // Whoever listens for signals would go on.
  host.exit(exitCodes.good);
}

/** The terminal while it is a screen: another one than that of the shell, which comes back as it was. */
class TopScreen {
  #view = firstView;
  readonly #screen: FullScreen;
  #drawing: { close(): void } | null = null;
  #keys: { close(): void } | null = null;

  constructor(
    readonly host: Pick<ProcessHost, "stdout" | "terminal" | "onSignal">,
    readonly clock: Clock,
    readonly terminal: Terminal,
    readonly about: { readonly readings: Readings; readonly everyMs: number },
  ) {
    this.#screen = new FullScreen(host);
  }

  /** Resolves when the person has enough. */
  begin(): Promise<void> {
    const { host } = this;
    this.#screen.open();
    this.#drawing = every(this.clock, Math.min(this.about.everyMs, 1_000), () => this.#draw());
    host.onSignal("SIGWINCH", () => this.#drawAnew());
    return new Promise((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) host.onSignal(signal, resolve);
      this.#keys = host.terminal.keys((text) => {
        for (const key of keysIn(text)) {
          const view = pressed(this.#view, key, host.terminal);
          if (view === null) return resolve();
          this.#view = withinRows(view, topRows(this.about.readings.pairs), host.terminal);
        }
        this.#draw();
      });
      this.#draw();
    });
  }

  close(): void {
    this.#drawing?.close();
    this.#keys?.close();
    this.#screen.close();
  }

  #drawAnew(): void {
    this.#screen.forget();
    this.#draw();
  }

  #draw(): void {
    const { readings, everyMs } = this.about;
    const { columns, rows } = this.host.terminal;
    const { pairs, silent } = readings;
    const incomplete = silent.size > 0;
    const missing = incomplete ? `; ${silent.size} silent: ${[...silent.keys()].join(", ")}` : "";
    const from = `of ${pairs.length} ${pairs.length === 1 ? "machine" : "machines"} every ${everyMs / 1_000}s`;
    const text = `${pairs.length === 0 ? "waiting for a second reading" : from}${missing}`;
    this.#screen.show(
      frameOf(
        topRows(pairs),
        this.#view,
        { columns, rows },
        {
          paint: this.terminal.paint,
          about: { text, incomplete },
        },
      ),
    );
  }
}

/** What came at once may be several keys, and an arrow is one of several letters. */
function keysIn(text: string): string[] {
  return text.match(/\u001b\[(?:[A-Z]|\d~)|[^]/gu) ?? [];
}

/** `heddle tap`: requests and connections of the mesh as they end, until Ctrl-C, or until nobody reads them any more. */
import type { Command } from "commander";
import { ask } from "../app/asking.ts";
import { every } from "../app/chores.ts";
import { openOperator } from "../app/operator.ts";
import { requireService } from "../app/operator_lists.ts";
import type { AskRequest, TapFilter } from "../api/questions.ts";
import { outputLook } from "../telemetry/output_state.ts";
import { UserError } from "../base/user_error.ts";
import type { TapLine } from "../model/evidence.ts";
import { limits } from "../model/limits.ts";
import { flags as allFlags, isFlag } from "../model/outcome.ts";
import { serviceKey } from "../model/service.ts";
import { parseStatusRange } from "../model/status_range.ts";
import { parseDurationFlag, parseServiceName, repeated, type Cli } from "./command.ts";
import { exitCodes } from "./exit_codes.ts";
import { tapText } from "./tap_line.ts";
import type { Terminal } from "./terminal.ts";
import { text } from "./text.ts";

interface TapFlags {
  readonly from?: string;
  readonly to?: string;
  readonly machine?: readonly string[];
  readonly side: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: string;
  readonly slower?: number;
  readonly flag?: string;
  readonly rate: string;
  readonly count?: string;
}

/** A token (RFC 9110 section 5.6.2). */
const methodForm = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

const sides: Readonly<Record<string, TapFilter["direction"]>> = {
  caller: "outbound",
  callee: "inbound",
  both: null,
};

export function registerTap(program: Command, cli: Cli): void {
  const command = program
    .command("tap [service]")
    .description("show requests and connections as they end, of the mesh, of one service, or those that fit")
    .option("--from <service>", "of this caller")
    .option("--to <service>", "to this service")
    .option("--machine <name>", "as this machine's proxy sees them (repeat for more)", repeated)
    .option("--side <side>", "which proxy tells: that of the caller, of the callee, or both", "caller")
    .option("--method <method>", "of this method")
    .option("--path <path>", "to this path; /v1/* for all below /v1/")
    .option("--status <status>", "answered so: 503, 5xx, 400-499")
    .option("--slower <duration>", "that took as long or longer: 100ms", parseDurationFlag("--slower"))
    .option("--flag <flag>", "that ended with this flag (heddle explain flags), or with any")
    .option(
      "--rate <n>",
      "lines per second of each proxy; more are dropped and counted",
      String(limits.tapLinesPerSecond),
    )
    .option("--count <n>", "end after so many")
    .action(async (service: string | undefined, flags: TapFlags) => {
      const terminal = cli.terminal(command);
      const perSecond = numberFlag("--rate", flags.rate, limits.tapLinesPerSecondMax);
      const count = flags.count === undefined ? Infinity : numberFlag("--count", flags.count, 1_000_000_000);
      const question = { what: "tap" as const, filter: filterOf(service, flags), perSecond };
      const machines = flags.machine === undefined ? null : [...flags.machine];
      await tap(cli, command, new Tap(terminal, count), { question, machines });
    });
}

async function tap(
  cli: Cli,
  command: Command,
  shown: Tap,
  request: AskRequest & { readonly question: { readonly filter: TapFilter } },
): Promise<void> {
  const operator = await openOperator(cli.runtime, cli.folder(command));
  const { service, from, to } = request.question.filter;
  for (const key of [service, from, to]) if (key !== null) await requireService(operator, key);
  const { native, clock } = cli.runtime;
  let looking: { close(): void } | null = null;
  const enough = new Promise<void>((resolve) => {
    cli.runtime.process.onSignal("SIGINT", resolve);
    cli.runtime.process.onSignal("SIGTERM", resolve);
    // As of `heddle tap | head`, which has what it wants.
    const look = outputLook(native);
    looking = every(clock, limits.readerLookMs, () => {
      if (look(1) === "closed") resolve();
    });
  });
  try {
    await ask(operator, request, { line: (line) => shown.take(line) }, enough);
  } finally {
    (looking as { close(): void } | null)?.close();
    operator.close();
  }
  shown.close();
  // Whoever listens for signals would go on.
  cli.runtime.process.exit(shown.nobodyTold ? exitCodes.impossible : exitCodes.good);
}

/** What is shown of them. */
class Tap {
  #count = 0;
  #dropped = 0;
  #ended = 0;
  #told = false;

  constructor(
    readonly terminal: Terminal,
    readonly countMax: number,
  ) {}

  /** False: enough. */
  take(line: Parameters<Parameters<typeof ask>[2]["line"]>[0]): boolean {
    const { terminal } = this;
    const { machine } = line;
    if (line.kind === "end") {
      const problem = line.problem ?? "its proxy ended it";
      terminal.problem(text`${terminal.paint.yellow("warning:")} ${machine} tells nothing more: ${problem}`);
      this.#ended++;
      return true;
    }
    this.#told = true;
    if (line.kind === "dropped") this.#lost(machine, line.count);
    else this.#show(machine, line.line as TapLine);
    return this.#count < this.countMax;
  }

  /** Whoever was asked cannot say anything. */
  get nobodyTold(): boolean {
    return this.#ended > 0 && !this.#told;
  }

  close(): void {
    if (this.#dropped === 0) return;
    this.terminal.problem(
      `${this.#dropped} were dropped in all: narrow what is shown, or raise --rate (to ${limits.tapLinesPerSecondMax})`,
    );
  }

  #lost(machine: string, dropped: number): void {
    const { terminal } = this;
    this.#dropped += dropped;
    if (terminal.format === "json") terminal.jsonLine({ machine, dropped });
    else terminal.problem(terminal.paint.yellow(`${dropped} of ${machine} dropped: more came than --rate`));
  }

  #show(machine: string, line: TapLine): void {
    this.#count++;
    if (this.terminal.format === "json") this.terminal.jsonLine({ machine, ...line });
    else this.terminal.line(tapText(this.terminal, machine, line));
  }
}

function filterOf(service: string | undefined, flags: TapFlags): TapFilter {
  const { from, to, side, method, path, status, slower, flag } = flags;
  const direction = sides[side];
  if (direction === undefined)
    throw new UserError(`Cannot use --side "${side}": expected ${Object.keys(sides).join(", ")}`);
  if (flag !== undefined && flag !== "any" && !isFlag(flag))
    throw new UserError(`Cannot use --flag "${flag}": expected any, or one of ${allFlags.join(" ")}`);
  if (method !== undefined && !methodForm.test(method))
    throw new UserError(`Cannot use --method "${method}": expected a method such as GET`);
  if (path !== undefined && !path.startsWith("/"))
    throw new UserError(`Cannot use --path "${path}": expected a path such as /v1/x, or /v1/* for all below`);
  return {
    direction,
    service: keyOf(service, "the service"),
    from: keyOf(from, "--from"),
    to: keyOf(to, "--to"),
    method: method?.toUpperCase() ?? null,
    path: path ?? null,
    status: status === undefined ? null : [...statusRange(status)],
    slowerMs: slower ?? null,
    flag: flag ?? null,
  };
}

function keyOf(name: string | undefined, what: string): string | null {
  return name === undefined ? null : serviceKey(parseServiceName(name, what));
}

/** @visibleForTesting */
export function statusRange(given: string): readonly [number, number] {
  const range = parseStatusRange(given);
  if (range === null) throw new UserError(`Cannot use --status "${given}": expected 503, 5xx or 400-499`);
  return range;
}

function numberFlag(name: string, given: string, max: number): number {
  const value = /^\d{1,10}$/.test(given) ? Number(given) : 0;
  if (value < 1 || value > max)
    throw new UserError(`Cannot use ${name} "${given}": expected a number from 1 to ${max}`);
  return value;
}

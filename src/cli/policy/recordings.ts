/** `heddle policy record|replay|bench`: a policy proved on what really happened. */
import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import type { ControlClient } from "../../api/control.ts";
import type { AskRequest } from "../../api/questions.ts";
import { ask } from "../../app/asking.ts";
import { openOperator } from "../../app/operator.ts";
import { requireService } from "../../app/operator_lists.ts";
import type { Change, Replayed } from "../../app/replay.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import { recordingFormat, type RecordingHead, type RecordingLine } from "../../model/recording.ts";
import { serviceKey } from "../../model/service.ts";
import { parseDurationFlag, parseServiceName, repeated, type Cli } from "../command.ts";
import type { Terminal } from "../terminal.ts";
import { text } from "../text.ts";

export function registerRecordings(policy: Command, cli: Cli): void {
  registerRecord(policy, cli);
  registerReplay(policy, cli);
  registerBench(policy, cli);
}

interface RecordFlags {
  readonly out: string;
  readonly for?: number;
  readonly count: string;
  readonly percent: string;
  readonly machine?: readonly string[];
}

function registerRecord(policy: Command, cli: Cli): void {
  const command = policy
    .command("record")
    .description(
      "write what policies see of a service's requests into a file: heads and decisions, no body, nothing secret",
    )
    .argument("<service>", "whose requests")
    .requiredOption("--out <file>", "file to write")
    .option(
      "--for <duration>",
      "how long: 60s (default: until there are enough, or Ctrl-C)",
      parseDurationFlag("--for"),
    )
    .option("--count <n>", "how many requests", String(limits.recordingRequests))
    .option("--percent <n>", "of the requests, by the hash of their ids", "100")
    .option("--machine <name>", "as this machine's proxy sees them (repeat for more)", repeated)
    .action(async (name: string, flags: RecordFlags) => {
      const service = serviceKey(parseServiceName(name, "the service"));
      const percent = numberFlag("--percent", flags.percent, 0.001, 100);
      const count = Math.floor(numberFlag("--count", flags.count, 1, limits.recordingRequests * 10));
      const terminal = cli.terminal(command);
      const operator = await openOperator(cli.runtime, cli.folder(command));
      try {
        await requireService(operator, service);
        const file = new RecordingWriter(cli, flags.out, count, terminal);
        await file.begin({ kind: "recording", format: recordingFormat, service, percent });
        await record(cli, operator, file, {
          forMs: flags.for ?? null,
          request: {
            question: { what: "record", service, percent, salt: randomUUID() },
            machines: flags.machine === undefined ? null : [...flags.machine],
          },
        });
        await file.end();
      } finally {
        operator.close();
      }
      // Whoever listens for signals would go on.
      cli.runtime.process.exit(0);
    });
}

async function record(
  { runtime }: Cli,
  operator: ControlClient,
  file: RecordingWriter,
  { forMs, request }: { readonly forMs: number | null; readonly request: AskRequest },
): Promise<void> {
  const enough = new Promise<void>((resolve) => {
    runtime.process.onSignal("SIGINT", resolve);
    runtime.process.onSignal("SIGTERM", resolve);
    if (forMs !== null) runtime.clock.after(forMs, resolve);
  });
  await ask(operator, request, { line: (line) => file.take(line) }, enough);
}

/** Lines as they come, many in one write. */
class RecordingWriter {
  #texts: string[] = [];
  #requests = 0;
  #dropped = 0;
  #wrote: Promise<void> = Promise.resolve();

  constructor(
    readonly cli: Cli,
    readonly path: string,
    readonly countMax: number,
    readonly terminal: Terminal,
  ) {}

  async begin(head: RecordingHead): Promise<void> {
    await this.cli.runtime.files.writeAtomic(this.path, `${JSON.stringify(head)}\n`, 0o600);
  }

  /** False: enough. */
  take(line: Parameters<Parameters<typeof ask>[2]["line"]>[0]): boolean {
    const { machine } = line;
    if (line.kind === "dropped") this.#dropped += line.count;
    else if (line.kind === "end")
      this.terminal.problem(text`${machine} records nothing more: ${line.problem ?? "its proxy ended it"}`);
    else this.#add(machine, line.line as RecordingLine);
    return this.#requests < this.countMax;
  }

  #add(machine: string, line: RecordingLine): void {
    if (line.kind === "request") this.#requests++;
    const told = line.kind === "binding" ? line : { ...line, key: `${machine} ${line.key}` };
    this.#texts.push(JSON.stringify(told));
    if (this.#texts.length < linesAtOnce) return;
    this.#write();
  }

  #write(): void {
    const lines = this.#texts.splice(0).map((each) => `${each}\n`);
    this.#wrote = this.#wrote.then(() => this.cli.runtime.files.append(this.path, lines.join("")));
  }

  async end(): Promise<void> {
    this.#write();
    await this.#wrote;
    const { terminal } = this;
    if (terminal.format === "json")
      return terminal.json({ file: this.path, requests: this.#requests, dropped: this.#dropped });
    terminal.line(`Recorded ${this.#requests} requests in ${this.path}`);
    if (this.#dropped > 0)
      terminal.problem(
        `${this.#dropped} lines were lost, because they came faster than they could be sent: record a share (--percent)`,
      );
  }
}

const linesAtOnce = 500;

interface ReplayFlags {
  readonly policy?: string;
  readonly with?: string;
  readonly allow?: string;
}

const recordingArgument = "file that heddle policy record wrote";
const policyOption = "which one, where the folder has several; or one that ships with heddle";
const withOption = "its options, as JSON (default: those that were recorded)";
const folderArgument = "folder whose policies/ it is about, or a file in there";

function registerReplay(policy: Command, cli: Cli): void {
  const command = policy
    .command("replay")
    .description("run a policy over recorded requests, and show which decisions it would change")
    .argument("<recording>", recordingArgument)
    .argument("[dir]", folderArgument, ".")
    .option("--policy <name>", policyOption)
    .option("--with <json>", withOption)
    .option("--allow <n>", "fail (exit 1) where more requests than this would change: 10, or 0.5%")
    .action(async (file: string, dir: string, flags: ReplayFlags) => {
      const terminal = cli.terminal(command);
      const allow = flags.allow === undefined ? null : allowance(flags.allow);
      const { replayed, name } = await replayWith(cli, file, dir, flags);
      if (terminal.format === "json") terminal.json({ policy: name, ...replayed });
      else showReplay(terminal, name, replayed);
      const most = allow === null ? Infinity : allow.part * (allow.percent ? replayed.requests / 100 : 1);
      if (replayed.changed > most)
        throw new UserError(
          `${replayed.changed} requests would change, more than --allow ${flags.allow}`,
          null,
          1,
        );
    });
}

function registerBench(policy: Command, cli: Cli): void {
  const command = policy
    .command("bench")
    .description("run a policy over recorded requests, and show what a call costs")
    .argument("<recording>", recordingArgument)
    .argument("[dir]", folderArgument, ".")
    .option("--policy <name>", policyOption)
    .option("--with <json>", withOption)
    .action(async (file: string, dir: string, flags: ReplayFlags) => {
      const terminal = cli.terminal(command);
      const { replayed, name } = await replayWith(cli, file, dir, flags);
      const { calls, tookMs, cpuUsPerCall, p50Us, p99Us } = replayed;
      const perSecond = Math.round((calls / Math.max(tookMs, 1)) * 1_000);
      if (terminal.format === "json") {
        return terminal.json({ policy: name, calls, perSecond, cpuUsPerCall, p50Us, p99Us });
      }
      terminal.table(
        ["POLICY", "CALLS", "CPU PER CALL", "P50", "P99", "CALLS PER SECOND"],
        [
          [
            name,
            String(calls),
            `${cpuUsPerCall.toFixed(1)} us`,
            wholeUs(p50Us),
            wholeUs(p99Us),
            String(perSecond),
          ],
        ],
      );
    });
}

/** Single calls are timed in whole microseconds. */
function wholeUs(us: number): string {
  return us === 0 ? "<1 us" : `${us} us`;
}

async function replayWith(
  cli: Cli,
  file: string,
  dir: string,
  flags: ReplayFlags,
): Promise<{ readonly replayed: Replayed; readonly name: string }> {
  const { readRecording } = await import("../../app/recording_file.ts");
  const { compiledPolicy } = await import("../../app/author_tools.ts");
  const { replay } = await import("../../app/replay.ts");
  const recording = await readRecording(cli.runtime.files, file);
  const policy = await compiledPolicy(cli.runtime, dir, flags.policy ?? null);
  const options = flags.with === undefined ? null : optionsIn(flags.with);
  const replayed = await replay(cli.runtime, policy, recording, options);
  return { replayed, name: `${policy.name} ${policy.version}` };
}

function showReplay(terminal: Terminal, name: string, replayed: Replayed): void {
  const { requests, changed, changes, compared, calls, tookMs } = replayed;
  terminal.line(
    `${name}: ${changed} of ${requests} requests would change` +
      (compared ? "" : " (it was not asked when they were recorded: each is held against one that goes on)"),
  );
  const columns = (each: Change): readonly string[] => [
    String(each.count),
    each.hook,
    each.from,
    each.to,
    each.examples[0] ?? "",
  ];
  if (changes.length > 0)
    terminal.table(["COUNT", "HOOK", "RECORDED", "NOW", "EXAMPLE"], changes.map(columns));
  const perSecond = Math.round((calls / Math.max(tookMs, 1)) * 1_000);
  terminal.line(
    terminal.paint.dim(`${calls} calls in ${(tookMs / 1_000).toFixed(2)} s, ${perSecond} in a second`),
  );
}

function optionsIn(given: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(given);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Readonly<Record<string, unknown>>;
  } catch {
    // Told below.
  }
  throw new UserError(`Cannot use --with ${given}: expected an object of JSON, such as {"status":451}`);
}

function allowance(given: string): { readonly part: number; readonly percent: boolean } {
  const percent = given.endsWith("%");
  return { part: numberFlag("--allow", percent ? given.slice(0, -1) : given, 0, Infinity), percent };
}

function numberFlag(name: string, given: string, min: number, max: number): number {
  const value = /^\d{1,12}(?:\.\d{1,6})?$/.test(given) ? Number(given) : Number.NaN;
  if (value >= min && value <= max) return value;
  const most = max === Infinity ? "up" : `to ${max}`;
  throw new UserError(`Cannot use ${name} "${given}": expected a number from ${min} ${most}`);
}

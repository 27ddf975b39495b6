/**
 * All commands and their help. One place turns failures into words and an exit code.
 */
import { Command, CommanderError } from "commander";
import type { FileError, ListenError, Runtime } from "../../runtime/contract.ts";
import { ControlRefusal, ControlUnreachable } from "../api/control.ts";
import { printableLines } from "../base/printable.ts";
import { modes } from "../app/settings.ts";
import { stateFormat } from "../app/upgrade/state_format.ts";
import { build, version } from "../base/build.ts";
import { UserError } from "../base/user_error.ts";
import { Cli, type Register } from "./command.ts";
import { exitCodes, exitCodesHelp } from "./exit_codes.ts";
import { registerModes } from "./modes_command.ts";
import { Terminal } from "./terminal.ts";
import { text, type Text } from "./text.ts";

export async function runProgram(runtime: Runtime): Promise<void> {
  const { args } = runtime.process;
  const json = wantsJson(args);
  const program = programOf(new Cli(runtime), json, await registersFor(args));
  try {
    await program.parseAsync(args.slice(), { from: "user" });
  } catch (error) {
    runtime.process.exit(report(new Terminal(runtime.process, json ? "json" : "text"), error));
  }
}

/** A mode runs for months: what the other commands are made of would stay in its memory, and need not. */
async function registersFor([first]: readonly string[]): Promise<readonly Register[]> {
  if (modes.some((mode) => mode === first)) return [registerModes];
  return (await import("./commands.ts")).commands;
}

/**
 * The tree of commands. With `json` it is left to the caller to say how a command was misused.
 * @visibleForTesting
 */
export function programOf(cli: Cli, json: boolean, registers: readonly Register[]): Command {
  const { process } = cli.runtime;
  const program = new Command("heddle")
    .description(
      "A service mesh for machines: mutual TLS, discovery, routing, resilience and telemetry for what runs on VMs",
    )
    .option(
      "--state <dir>",
      "folder of this machine's state (default: HEDDLE_STATE, else /var/lib/heddle for root, ~/.local/state/heddle for others)",
    )
    .option(
      "--drain <duration>",
      "how long what is open may go on when a mode ends (default: HEDDLE_DRAIN, else 30s)",
    )
    .option("--output <format>", "text for people, json for programs", "text")
    .version(`heddle ${version()}`, "-V, --version", "print version and commit")
    .showSuggestionAfterError(true)
    .showHelpAfterError("(heddle help <command> shows the flags)")
    .addHelpText("after", exitCodesHelp())
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => process.stdout(printableLines(text)),
      // For programs a misused command is told as every failure is.
      writeErr: (text) => (json ? {} : process.stderr(printableLines(text))),
    });
  const told = program.command("version").description("print version and commit");
  told.action(() => {
    const terminal = cli.terminal(told);
    if (terminal.format === "json") terminal.json({ ...build(), state: stateFormat });
    else terminal.line(`heddle ${version()}`);
  });
  for (const register of registers) register(program, cli);
  return program;
}

/** Before anything else is known, so that what cannot be read is told as it was asked for. */
function wantsJson(args: readonly string[]): boolean {
  return args.some(
    (word, at) => word === "--output=json" || (word === "--output" && args[at + 1] === "json"),
  );
}

function usageProblem({ code, message }: CommanderError): { readonly error: string; readonly hint?: string } {
  // A command that has others below it: its help was all there was to say.
  if (code === "commander.help")
    return { error: "The command is not whole", hint: "heddle help lists the commands" };
  const [error = "", ...hints] = message.replace(/^error: /, "").split("\n");
  const hint = hints.join(" ").replace(/^\(|\)$/g, "");
  return { error, ...(hint === "" ? {} : { hint }) };
}

/** A failure as people and programs are told it. */
interface Failure {
  readonly message: string;
  readonly hint: string | null;
  readonly exitCode: number;
}

/** Says what failed and what to do; returns the exit code. */
function report(terminal: Terminal, error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.good;
    if (terminal.format === "json") terminal.jsonProblem(usageProblem(error));
    return exitCodes.impossible;
  }
  const { red, dim } = terminal.paint;
  const failure = failureOf(error);
  if (failure === null) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    showProblem(terminal, red("bug:"), stack.split("\n"));
    return exitCodes.bug;
  }
  const { message, hint, exitCode } = failure;
  const lines = error instanceof UserError ? message.split("\n") : [message];
  if (terminal.format === "json") {
    terminal.jsonProblem({ error: message, ...(hint === null ? {} : { hint }) });
    return exitCode;
  }
  showProblem(terminal, red("error:"), lines);
  if (hint !== null) terminal.problem(dim(`  ${hint}`));
  return exitCode;
}

/** Only where heddle itself made the lines: another's are one. */
function showProblem(terminal: Terminal, word: Text, [first = "", ...others]: readonly string[]): void {
  terminal.problem(text`${word} ${first}`);
  for (const line of others) terminal.problem(line);
}

/** null: nobody foresaw it, so it is a bug. */
function failureOf(error: unknown): Failure | null {
  if (error instanceof UserError) return error;
  if (error instanceof ControlUnreachable) {
    return { message: error.message, hint: unreachableHint(error), exitCode: exitCodes.impossible };
  }
  if (error instanceof ControlRefusal) {
    const { error: message, hint = null } = error.problem;
    return { message, hint, exitCode: error.status >= 500 ? exitCodes.impossible : exitCodes.no };
  }
  if (isListenError(error))
    return { message: error.message, hint: listenHint(error), exitCode: exitCodes.impossible };
  if (isFileError(error))
    return { message: error.message, hint: fileHint(error), exitCode: exitCodes.impossible };
  return null;
}

function isListenError(error: unknown): error is ListenError {
  return error instanceof Error && error.name === "ListenError";
}

function isFileError(error: unknown): error is FileError {
  return error instanceof Error && error.name === "FileError";
}

function unreachableHint({ reason }: ControlUnreachable): string {
  if (reason.kind === "tls")
    return "A certificate has ended, a clock is wrong, or the root of the mesh was replaced meanwhile: `heddle check` on a machine that has joined says which, and `heddle operator create` makes a new credential for an operator elsewhere";
  if (reason.code === "ENOTFOUND")
    return "Nobody knows that name: mend it in DNS or /etc/hosts, or use another name or an address";
  if (reason.kind === "timeout")
    return "A firewall is in between, or the address is wrong. On a machine that has joined, `heddle check` looks into it";
  return "Is `heddle controller` running there, and its port open? On a machine that has joined, `heddle check` looks into it";
}

function listenHint({ socketError, holder }: ListenError): string | null {
  if (socketError.kind === "denied") return "Ports below 1024 are for root; choose another one";
  if (socketError.kind !== "in-use") return "Is that an address of this machine?";
  const stop = holder === null ? "Stop what has it" : `Stop ${holder}`;
  return `${stop}, or choose another port: the flags of heddle init and heddle join set them, then they stand in heddle.json of the state folder`;
}

function fileHint({ code }: FileError): string | null {
  if (code === "EACCES" || code === "EPERM")
    return "Run it as the user who owns that folder (often root, with sudo), or choose another one with --state DIR or HEDDLE_STATE";
  if (code === "EROFS") return "Choose another folder with --state DIR or HEDDLE_STATE";
  if (code === "ENOSPC" || code === "EDQUOT") return "Make room, then try again";
  return null;
}

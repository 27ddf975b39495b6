/**
 * All commands and their help. One place turns failures into words and an exit code: 0 good, 1 the answer is no or there
 * are findings, 2 it could not be tried, 70 a bug.
 */
import { Command, CommanderError } from "commander";
import type { Runtime } from "../../runtime/contract.ts";
import { ControlRefusal, ControlUnreachable } from "../http/control.ts";
import { UserError } from "../base/user_error.ts";
import { registerAuthority } from "./authority_command.ts";
import { registerCheck } from "./check_command.ts";
import { Cli } from "./command.ts";
import { registerDemo } from "./demo_command.ts";
import { registerDev } from "./dev_command.ts";
import { registerApply, registerGet } from "./documents_command.ts";
import { registerInit } from "./init_command.ts";
import { registerJoin } from "./join_command.ts";
import { registerModes } from "./modes_command.ts";
import { registerStatus } from "./status_command.ts";
import { Terminal } from "./terminal.ts";
import { registerNodes, registerTokens } from "./tokens_command.ts";
import { version } from "./version.ts";

/** Adds one command to the program. */
type Register = (program: Command, cli: Cli) => void;

const commands: readonly Register[] = [
  registerInit,
  registerTokens,
  registerJoin,
  registerNodes,
  registerAuthority,
  registerModes,
  registerDev,
  registerApply,
  registerGet,
  registerStatus,
  registerCheck,
  registerDemo,
];

export async function runProgram(runtime: Runtime): Promise<void> {
  const cli = new Cli(runtime);
  const program = new Command("heddle")
    .description(
      "A service mesh for machines: mutual TLS, discovery, routing, resilience and telemetry for what runs on VMs",
    )
    .option(
      "--state <dir>",
      "folder of this machine's state (default: HEDDLE_STATE, /var/lib/heddle for root)",
    )
    .option("--output <format>", "text or json", "text")
    .showSuggestionAfterError(true)
    .showHelpAfterError("(heddle help <command> shows the flags)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => runtime.process.stdout(text),
      writeErr: (text) => runtime.process.stderr(text),
    });
  program
    .command("version")
    .description("print version and commit")
    .action(() => runtime.process.stdout(`heddle ${version()}\n`));
  for (const register of commands) register(program, cli);
  try {
    await program.parseAsync(runtime.process.args.slice(), { from: "user" });
  } catch (error) {
    runtime.process.exit(report(new Terminal(runtime.process), error));
  }
}

/** Says what failed and what to do; returns the exit code. */
function report(terminal: Terminal, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { red, dim } = terminal.paint;
  if (error instanceof UserError) {
    terminal.problem(`${red("error:")} ${error.message}`);
    if (error.hint !== null) terminal.problem(dim(`  ${error.hint}`));
    return error.exitCode;
  }
  if (error instanceof ControlUnreachable) {
    terminal.problem(`${red("error:")} ${error.message}`);
    terminal.problem(dim("  Is the controller running and its port open? `heddle check` finds out"));
    return 2;
  }
  if (error instanceof ControlRefusal) {
    terminal.problem(`${red("error:")} ${error.problem.error}`);
    if (error.problem.hint !== undefined) terminal.problem(dim(`  ${error.problem.hint}`));
    return error.status >= 500 ? 2 : 1;
  }
  terminal.problem(
    `${red("bug:")} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return 70;
}

/** dist/heddle as a person at a terminal has it: one command to its end, or one that goes on in the foreground. */
import { spawnSync } from "node:child_process";
import { binaryPath } from "../../compile/repository.ts";
import { plainEnvironment, startProgram, type Program } from "./processes.ts";

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface CommandOptions {
  /** State folder; without one the command finds its own. */
  readonly state?: string;
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** On a host that systemd runs, a test installs nothing. */
export function inForeground(args: readonly string[]): readonly string[] {
  const sets = args[0] === "init" || args[0] === "join";
  return sets && !args.includes("--no-start") && !args.includes("--plan") ? [...args, "--foreground"] : args;
}

/** Never throws for what the command says or how it ends. */
export function heddle(args: readonly string[], options: CommandOptions = {}): Said {
  const answer = spawnSync(binaryPath, inForeground(args), {
    encoding: "utf8",
    timeout: 20_000,
    env: environmentOf(options),
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
  });
  return { code: answer.status, out: answer.stdout, err: answer.stderr };
}

/** One that goes on until it is stopped. */
export function heddleRunning(args: readonly string[], log: string, options: CommandOptions = {}): Program {
  return startProgram({
    name: `heddle ${args[0]}`,
    command: [binaryPath, ...inForeground(args)],
    log,
    env: environmentOf(options),
    ...(options.folder === undefined ? {} : { folder: options.folder }),
  });
}

function environmentOf({ state, env }: CommandOptions): Record<string, string> {
  return plainEnvironment({ ...(state === undefined ? {} : { HEDDLE_STATE: state }), ...env });
}

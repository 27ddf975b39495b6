/**
 * Programs that tests and benchmarks start: output kept in a file, waited for by condition, ended by pid. Nothing
 * outlives the process that started it, also when that one is killed (setpriv's parent death signal, where there is one).
 */
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { hangMs } from "./patience.ts";

export interface ProgramOptions {
  /** Shown in error messages. */
  readonly name: string;
  readonly command: readonly string[];
  /** File that gets both output streams, appended. */
  readonly log: string;
  /** The whole environment; default: PATH and HOME alone. */
  readonly env?: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** Pinned to this processor. */
  readonly core?: number;
  /** Politeness towards others, 0 to 19. */
  readonly nice?: number;
}

export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  /** Null while it runs. */
  readonly ended: { readonly code: number | null; readonly signal: string | null } | null;
  readonly exited: Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after the limit; resolves when it is gone. */
  stop(limitMs?: number): Promise<void>;
  output(): string;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Whether a program is on the PATH. */
export function hasProgram(name: string): boolean {
  return Bun.which(name) !== null;
}

/** PATH and HOME of this process and nothing else, with what is added. */
export function plainEnvironment(added: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: process.env["HOME"] ?? "/", ...added };
}

function commandLine(options: ProgramOptions): string[] {
  return [
    ...(hasProgram("setpriv") ? ["setpriv", "--pdeathsig", "KILL"] : []),
    ...(options.nice === undefined ? [] : ["nice", "-n", String(options.nice)]),
    ...(options.core === undefined ? [] : ["taskset", "-c", String(options.core)]),
    ...options.command,
  ];
}

export function startProgram(options: ProgramOptions): Program {
  const log = openSync(options.log, "a");
  const [command = "", ...args] = commandLine(options);
  const child = spawn(command, args, {
    stdio: ["ignore", log, log],
    env: { ...(options.env ?? plainEnvironment()) },
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
  });
  closeSync(log);
  running.add(child);
  let ended: Program["ended"] = null;
  const exited = new Promise<void>((resolve) => {
    const end = (code: number | null, signal: string | null): void => {
      running.delete(child);
      ended ??= { code, signal };
      resolve();
    };
    child.on("exit", end);
    child.on("error", () => end(null, null));
  });
  return {
    name: options.name,
    pid: child.pid ?? -1,
    log: options.log,
    get ended() {
      return ended;
    },
    exited,
    kill: (signal) => void child.kill(signal),
    async stop(limitMs = hangMs) {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), limitMs);
      await exited;
      clearTimeout(late);
    },
    output: () => (existsSync(options.log) ? readFileSync(options.log, "utf8") : ""),
  };
}

/** Runs a program to its end; throws with its output when it fails. */
export function runProgram(
  command: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly limitMs?: number } = {},
): string {
  const [program = "", ...args] = command;
  const answer = spawnSync(program, args, {
    encoding: "utf8",
    timeout: options.limitMs ?? hangMs,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...(options.env ?? plainEnvironment()) },
  });
  if (answer.status === 0) return answer.stdout;
  const said = `${answer.stdout}${answer.stderr}`.trim();
  throw new Error(`${command.join(" ")} ended with ${answer.status ?? answer.signal}: ${said}`);
}

/**
 * Polls until `check` gives a value other than null; fails with the sentence, and what the program said if it is gone. Sleeps
 * before the first check too: where each check runs a program to its end and is true at once, a test that waits in a loop would
 * hear of nothing else, its own end included.
 */
export async function waitFor<T>(
  sentence: string,
  check: () => Promise<T | null> | T | null,
  options: { readonly limitMs?: number; readonly everyMs?: number; readonly program?: Program } = {},
): Promise<T> {
  const limitMs = options.limitMs ?? hangMs;
  const end = performance.now() + limitMs;
  for (;;) {
    await Bun.sleep(options.everyMs ?? 5);
    const value = await check();
    if (value !== null) return value;
    const { program } = options;
    if (program !== undefined && program.ended !== null) {
      const { code, signal } = program.ended;
      throw new Error(`${program.name} ended with ${code ?? signal} before ${sentence}: ${tail(program)}`);
    }
    if (performance.now() > end) {
      throw new Error(
        `Waited ${limitMs} ms in vain until ${sentence}${program === undefined ? "" : `: ${tail(program)}`}`,
      );
    }
  }
}

function tail(program: Program): string {
  return program.output().slice(-2_000).trim();
}

/** Whether something accepts on the address. */
export async function accepts(host: string, port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({
      hostname: host,
      port,
      socket: { data() {}, error() {}, connectError() {} },
    });
    socket.end();
    return true;
  } catch {
    return false;
  }
}

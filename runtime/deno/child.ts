/** Child processes on Deno. */
import { type ChildProcess, spawn as spawnProcess } from "node:child_process";
import { accessSync, constants } from "node:fs";
import process from "node:process";
import type { Readable } from "node:stream";
import type { Child, SpawnOptions } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";

export function spawn(options: SpawnOptions, faults: Faults): Child {
  const [program = "", ...args] = options.command;
  // Deno tells of it later, and the contract wants to be told at once.
  if (program.includes("/")) checkProgram(program);
  if (options.apart === true) throw new Error(`Cannot start ${program} apart: Deno passes nothing on to it`);
  if (options.channel === true || options.takesDescriptors === true || options.memory !== undefined)
    throw new Error(`Cannot start ${program}: Deno gives a child no descriptor beyond its three`);
  const { output } = options;
  const sink = output === undefined ? "ignore" : output === "inherit" ? "inherit" : "pipe";
  const child = spawnProcess(program, args, {
    env: { ...options.env },
    stdio: ["ignore", sink, sink],
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
    ...(options.group === true ? { detached: true } : {}),
  });
  if (typeof output === "function") {
    forward(child.stdout, (text) => output(text, "stdout"));
    forward(child.stderr, (text) => output(text, "stderr"));
  }
  tellEnd(child, options, faults);
  const pid = child.pid ?? -1;
  return {
    pid,
    // After its own `kill` the child is said to have ended by that signal, whatever it did.
    kill: (signal) => void process.kill(options.group === true ? -pid : pid, signal),
    channel() {
      throw new Error(`Process ${pid} was started without a channel`);
    },
    hand() {
      throw new Error(`Process ${pid} was started to take no descriptors`);
    },
  };
}

function checkProgram(program: string): void {
  try {
    accessSync(program, constants.X_OK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot start ${program}: ${reason}`, { cause: error });
  }
}

function forward(stream: Readable | null, say: (text: string) => void): void {
  const decoder = new TextDecoder();
  stream?.on("data", (chunk: Uint8Array) => {
    const text = decoder.decode(chunk, { stream: true });
    if (text !== "") say(text);
  });
}

/** `close` comes behind all that the child said. */
function tellEnd(child: ChildProcess, options: SpawnOptions, faults: Faults): void {
  child.on("error", (error) => faults.report(error));
  child.on("close", (code, signal) => options.exited(signal === null ? code : null, signal));
}

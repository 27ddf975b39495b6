/** This process and its children, on Deno. */
import { gzip } from "../shared/gzip.ts";
import { homedir, hostname } from "node:os";
import process from "node:process";
import type { ProcessHost } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";
import { addresses, openDescriptors, processorMsOf, residentBytesOf } from "../shared/proc.ts";
import { terminalHost } from "../shared/keyboard.ts";
import { writeWhole } from "../shared/write_whole.ts";
import { spawn } from "./child.ts";
import { calledHere, selfCommand } from "./program.ts";

export function createProcessHost(faults: Faults): ProcessHost {
  return {
    pid: process.pid,
    args: process.argv.slice(2),
    env: process.env,
    folder: process.cwd(),
    home: homedir(),
    hostname: hostname(),
    addresses,
    user: process.getuid?.() ?? -1,
    self: selfCommand(),
    called: calledHere,
    program: process.execPath,
    stdout: (text) => writeWhole(1, text),
    stderr: (text) => writeWhole(2, text),
    terminal: terminalHost(),
    exit: (code) => process.exit(code),
    onSignal(signal, call) {
      process.on(signal, call);
    },
    spawn: (options) => spawn(options, faults),
    channel: nothingGiven,
    handed: nothingGiven,
    sharedMemory: nothingGiven,
    shareMemory() {
      throw new Error("Cannot share memory: Deno gives a child no descriptor beyond its three");
    },
    usage() {
      const cpu = process.cpuUsage();
      return {
        residentBytes: residentBytesOf("self") ?? 0,
        cpuUs: cpu.user + cpu.system,
        openDescriptors: openDescriptors(),
      };
    },
    // V8 collects when it sees fit; nobody can ask it to without a flag of the whole program.
    gzip,
    collect() {},
    compact() {},
    // Deno's threads serve all work alike: none of it can wait.
    yieldHelpers() {},
    residentBytesOf,
    processorMsOf,
    onFault: (call) => faults.handle(call),
  };
}

function nothingGiven(): never {
  throw new Error("Cannot speak to a parent process: Deno gives a child no descriptor beyond its three");
}

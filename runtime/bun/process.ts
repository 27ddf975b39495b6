/** This process and its children. */
import { fstatSync, writeSync } from "node:fs";
import { homedir, hostname } from "node:os";
import type { Native, ProcessHost } from "../contract.ts";
import { adoptStream, channelDescriptor, spawn } from "./child.ts";
import { codeOf } from "../shared/errors.ts";
import type { Faults } from "../shared/faults.ts";
import { addresses, openDescriptors, processorMsOf, residentBytesOf } from "../shared/proc.ts";
import { helperThreads } from "./helper_threads.ts";
import { calledHere, selfCommand } from "./program.ts";

/** A full pipe is tried again this often. */
const retryMs = 2;
const defaultColumns = 100;

/** Writes a text whole, also to a pipe that does not block. Waits when the reader is slow: what is said is not lost. */
function writeWhole(descriptor: number, text: string): void {
  let rest = Buffer.from(text, "utf8");
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const code = codeOf(error);
      if (code === "EPIPE" || code === "EIO" || code === "EBADF") return; // Nobody reads any more.
      if (code !== "EAGAIN" && code !== "EINTR") throw error;
      Bun.sleepSync(retryMs);
    }
  }
}

export function createProcessHost(native: Native, faults: Faults): ProcessHost {
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
    called: calledHere(),
    stdout: (text) => writeWhole(1, text),
    stderr: (text) => writeWhole(2, text),
    // The host makes its streams when they are first looked at, which takes as long as all the rest of a start.
    get terminal() {
      return {
        interactive: process.stdout.isTTY === true,
        columns: process.stdout.columns ?? defaultColumns,
      };
    },
    exit: (code) => process.exit(code),
    onSignal(signal, call) {
      process.on(signal, call);
    },
    spawn: (options) => spawn(options, native, faults),
    channel(handler) {
      if (!hasChannel()) throw new Error(`Descriptor ${channelDescriptor} is no channel of a parent process`);
      return adoptStream(channelDescriptor, handler, faults);
    },
    compact() {
      Bun.gc(true);
      Bun.shrink();
    },
    usage() {
      const cpu = process.cpuUsage();
      return {
        residentBytes: residentBytesOf("self") ?? 0,
        cpuUs: cpu.user + cpu.system,
        openDescriptors: openDescriptors(),
      };
    },
    yieldHelpers: helperThreads(),
    residentBytesOf,
    processorMsOf,
    onFault: (call) => faults.handle(call),
  };
}

function hasChannel(): boolean {
  try {
    return fstatSync(channelDescriptor).isSocket();
  } catch {
    return false;
  }
}

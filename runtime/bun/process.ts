/** This process and its children. */
import { fstatSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { homedir, hostname, networkInterfaces } from "node:os";
import type { Native, ProcessHost } from "../contract.ts";
import { adoptStream, channelDescriptor, spawn } from "./child.ts";
import { codeOf } from "./errors.ts";
import type { Faults } from "./faults.ts";
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

function residentBytesOf(pid: number | "self"): number | null {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return kib === undefined ? null : Number(kib) * 1024;
  } catch {
    return null;
  }
}

/** proc(5), `stat`: user and system time are fields 14 and 15, in hundredths of a second; the name before may hold anything. */
function processorMsOf(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return null;
  }
}

function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

function addresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outside = all.filter((each) => !each.internal);
  return [
    ...outside.filter((each) => each.family === "IPv4"),
    ...outside.filter((each) => each.family !== "IPv4"),
  ].map((each) => each.address);
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

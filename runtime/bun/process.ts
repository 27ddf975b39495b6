/** This process and its children. */
import { gzip } from "../shared/gzip.ts";
import { fstatSync } from "node:fs";
import { homedir, hostname } from "node:os";
import type { Native, ProcessHost } from "../contract.ts";
import { adoptStream, channelDescriptor, handedDescriptor, memoryDescriptor, spawn } from "./child.ts";
import { receiveDescriptor } from "./descriptors.ts";
import { createMemory, inheritedMemory } from "./shared_memory.ts";
import type { Faults } from "../shared/faults.ts";
import { addresses, openDescriptors, processorMsOf, residentBytesOf } from "../shared/proc.ts";
import { terminalHost } from "../shared/keyboard.ts";
import { writeWhole } from "../shared/write_whole.ts";
import { helperThreads } from "./helper_threads.ts";
import { calledHere, selfCommand } from "./program.ts";

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
    program: process.execPath,
    stdout: (text) => writeWhole(1, text),
    stderr: (text) => writeWhole(2, text),
    // The host makes its streams when they are first looked at, which takes as long as all the rest of a start.
    terminal: terminalHost(),
    exit: (code) => process.exit(code),
    onSignal(signal, call) {
      process.on(signal, call);
    },
    spawn: (options) => spawn(options, native, faults),
    channel(handler) {
      if (!hasChannel()) throw new Error(`Descriptor ${channelDescriptor} is no channel of a parent process`);
      return adoptStream(channelDescriptor, handler, faults);
    },
    handed: () => receiveDescriptor(native, handedDescriptor),
    shareMemory: (bytes) => createMemory(native, bytes),
    sharedMemory: () => inheritedMemory(native, memoryDescriptor),
    gzip,
    collect: () => Bun.gc(true),
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

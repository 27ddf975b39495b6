/**
 * Child processes. A child finds what it was asked to be given at fixed descriptors: a socket to talk by, one by which descriptors
 * come, and memory that it shares.
 */
import { closeSync } from "node:fs";
import type { Child, Native, SocketHandler, Socket, SpawnOptions } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";
import { sendDescriptor, socketPair } from "./descriptors.ts";
import type { MappedMemory } from "./shared_memory.ts";
import { StreamSocket, streamEvents } from "./socket.ts";

export const [channelDescriptor, handedDescriptor, memoryDescriptor] = [3, 4, 5] as const;

/** Takes over a connected descriptor. */
export function adoptStream(descriptor: number, handler: SocketHandler, faults: Faults): Socket {
  const stream = new StreamSocket(faults);
  stream.handler = handler;
  const open = (raw: Bun.Socket<StreamSocket>): void => stream.opened(raw);
  const failed = (error: unknown): void => stream.onClose(error);
  // Bun takes a descriptor here though the types of this call ask for an address.
  const target = { fd: descriptor, hostname: "", port: 0, allowHalfOpen: true };
  Bun.connect<StreamSocket>({ ...target, data: stream, socket: { ...streamEvents, open } }).catch(failed);
  return stream;
}

async function forward(
  stream: ReadableStream<Uint8Array>,
  name: "stdout" | "stderr",
  output: (text: string, stream: "stdout" | "stderr") => void,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true });
    if (text !== "") output(text, name);
  }
}

export function spawn(options: SpawnOptions, native: Native, faults: Faults): Child {
  const { output } = options;
  const sink = output === undefined ? "ignore" : output === "inherit" ? "inherit" : "pipe";
  const channel = options.channel === true ? socketPair(native, "stream") : null;
  const handed = options.takesDescriptors === true ? socketPair(native, "datagrams") : null;
  const memory = options.memory === undefined ? null : (options.memory as MappedMemory).descriptor;
  const given = [channel?.[1] ?? null, handed?.[1] ?? null, memory];
  const pairs = [channel, handed].filter((pair) => pair !== null);
  const isApart = options.apart === true;
  const child = start(isApart ? letGo(options) : options, sink, given, pairs);
  const streams: Promise<void>[] = [];
  if (typeof output === "function") {
    if (child.stdout instanceof ReadableStream) streams.push(forward(child.stdout, "stdout", output));
    if (child.stderr instanceof ReadableStream) streams.push(forward(child.stderr, "stderr", output));
  }
  let isGone = false;
  const gone = (): void => {
    if (!isGone && handed !== null) closeSync(handed[0]);
    isGone = true;
  };
  // All it said first, then that it is gone.
  Promise.allSettled([child.exited, ...streams])
    .then(() => {
      if (!isApart) gone();
      const signal = child.signalCode === null ? null : String(child.signalCode);
      options.exited(signal === null ? child.exitCode : null, signal);
    })
    .catch(faults.report);
  return {
    pid: child.pid,
    kill(signal) {
      if (options.group === true || isApart) killGroup(child.pid, signal, isGone);
      else child.kill(signal);
    },
    channel(handler) {
      if (channel === null) throw new Error(`Process ${child.pid} was started without a channel`);
      return adoptStream(channel[0], isApart ? withEnd(handler, gone) : handler, faults);
    },
    hand(descriptor) {
      if (handed === null) throw new Error(`Process ${child.pid} was started to take no descriptors`);
      return !isGone && sendDescriptor(native, handed[0], descriptor);
    },
  };
}

/** A shell starts it behind itself, in the group of processes that has the shell's number, and ends. */
function letGo(options: SpawnOptions): SpawnOptions {
  return { ...options, group: true, command: ["/bin/sh", "-c", '"$@" &', "sh", ...options.command] };
}

function withEnd(handler: SocketHandler, ended: () => void): SocketHandler {
  return {
    data: (chunk) => handler.data(chunk),
    drain: () => handler.drain(),
    end: () => handler.end(),
    close(error) {
      ended();
      handler.close(error);
    },
  };
}

/** Its number is nobody else's as long as anything that it started is there, and where none is, nothing happens. */
function killGroup(pid: number, signal: NodeJS.Signals, isGone: boolean): void {
  if (isGone) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // All of them are gone.
  }
}

/** `given`: what it finds from descriptor 3 on. Of `pairs` the second of each is the child's alone from now on. */
function start(
  options: SpawnOptions,
  sink: "ignore" | "inherit" | "pipe",
  given: readonly (number | null)[],
  pairs: readonly [number, number][],
): Bun.Subprocess<"ignore", "ignore" | "inherit" | "pipe", "ignore" | "inherit" | "pipe"> {
  const last = given.findLastIndex((each) => each !== null);
  try {
    return Bun.spawn({
      cmd: [...options.command],
      env: { ...options.env },
      ...(options.group === true ? { detached: true } : {}),
      ...(options.folder === undefined ? {} : { cwd: options.folder }),
      stdio: ["ignore", sink, sink, ...given.slice(0, last + 1).map((each) => each ?? "ignore")],
    });
  } catch (error) {
    for (const [own] of pairs) closeSync(own);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot start ${options.command[0] ?? "an empty command"}: ${reason}`, { cause: error });
  } finally {
    for (const [, theirs] of pairs) closeSync(theirs);
  }
}

/** Child processes, with a socket pair to talk by when asked: the child finds its end as descriptor 3. */
import { closeSync } from "node:fs";
import type { Child, Native, SocketHandler, Socket, SpawnOptions } from "../contract.ts";
import type { Faults } from "../shared/faults.ts";
import { StreamSocket, streamEvents } from "./socket.ts";

export const channelDescriptor = 3;

// From the Linux headers: AF_UNIX, SOCK_STREAM with SOCK_NONBLOCK and SOCK_CLOEXEC.
const unixFamily = 1;
const streamType = 1 | 0o4000 | 0o2000000;

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

function socketPair(native: Native): [number, number] {
  const pair = new Int32Array(2);
  const { socketpair } = native.library("libc.so.6", {
    socketpair: { args: ["i32", "i32", "i32", "buffer"], returns: "i32" },
  });
  if (socketpair(unixFamily, streamType, 0, new Uint8Array(pair.buffer)) !== 0) {
    throw new Error(`Cannot make a socket pair: errno ${native.errno()}`);
  }
  return [pair[0] ?? -1, pair[1] ?? -1];
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
  const pair = options.channel === true ? socketPair(native) : null;
  const sink = output === undefined ? "ignore" : output === "inherit" ? "inherit" : "pipe";
  const stdio: ["ignore", typeof sink, typeof sink, ...number[]] = ["ignore", sink, sink];
  if (pair !== null) stdio.push(pair[1]);
  const process = start(options, stdio, pair);
  const streams: Promise<void>[] = [];
  if (typeof output === "function") {
    if (process.stdout instanceof ReadableStream) streams.push(forward(process.stdout, "stdout", output));
    if (process.stderr instanceof ReadableStream) streams.push(forward(process.stderr, "stderr", output));
  }
  // All it said first, then that it is gone.
  Promise.allSettled([process.exited, ...streams])
    .then(() => {
      const signal = process.signalCode === null ? null : String(process.signalCode);
      options.exited(signal === null ? process.exitCode : null, signal);
    })
    .catch(faults.report);
  return {
    pid: process.pid,
    kill: (signal) => process.kill(signal),
    channel(handler) {
      if (pair === null) throw new Error(`Process ${process.pid} was started without a channel`);
      return adoptStream(pair[0], handler, faults);
    },
  };
}

function start(
  options: SpawnOptions,
  stdio: ["ignore", "ignore" | "inherit" | "pipe", "ignore" | "inherit" | "pipe", ...number[]],
  pair: readonly [number, number] | null,
): Bun.Subprocess<"ignore", "ignore" | "inherit" | "pipe", "ignore" | "inherit" | "pipe"> {
  try {
    return Bun.spawn({
      cmd: [...options.command],
      env: { ...options.env },
      ...(options.folder === undefined ? {} : { cwd: options.folder }),
      stdio,
    });
  } catch (error) {
    if (pair !== null) closeSync(pair[0]);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot start ${options.command[0] ?? "an empty command"}: ${reason}`, { cause: error });
  } finally {
    if (pair !== null) closeSync(pair[1]);
  }
}

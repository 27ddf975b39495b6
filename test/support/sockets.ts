/** Sockets for tests: a handler that records what it hears, and waits for a condition instead of a time. */
import type {
  ConnectOptions,
  Dial,
  DialHandler,
  ListenOptions,
  Listener,
  Runtime,
  Socket,
  SocketError,
  SocketHandler,
} from "../../runtime/contract.ts";
import { hangMs } from "./patience.ts";

/** Resolves when the condition holds; fails with the sentence after `limitMs`. */
export async function until(condition: () => boolean, sentence: string, limitMs = hangMs): Promise<void> {
  const end = performance.now() + limitMs;
  for (let looks = 0; !condition(); looks++) {
    if (performance.now() > end) throw new Error(`Waited ${limitMs} ms in vain: ${sentence}`);
    // What takes long is looked at less often: looking costs, too.
    const pauseMs = looks < 50 ? 1 : 5;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Records everything a socket's handler hears. */
export class Recorder implements SocketHandler {
  readonly chunks: Buffer[] = [];
  readonly events: string[] = [];
  received = 0;
  drains = 0;
  ended = false;
  closed = false;
  error: SocketError | null = null;
  /** False counts bytes and keeps none. */
  keep = true;

  data(chunk: Uint8Array): void {
    this.received += chunk.length;
    if (this.keep) this.chunks.push(Buffer.from(chunk));
    if (this.events.at(-1) !== "data") this.events.push("data");
  }

  drain(): void {
    this.drains++;
  }

  end(): void {
    this.ended = true;
    this.events.push("end");
  }

  close(error: SocketError | null): void {
    this.closed = true;
    this.error = error;
    this.events.push(error === null ? "close" : `close ${error.kind}`);
  }

  text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }
}

export interface End {
  readonly socket: Socket;
  readonly heard: Recorder;
}

/** Dials and waits: the connected end, or the error. */
export function dial(runtime: Runtime, options: ConnectOptions): Promise<End | SocketError> {
  return new Promise((resolve) => {
    const heard = new Recorder();
    runtime.net.connect(options, {
      opened(socket) {
        resolve({ socket, heard });
        return heard;
      },
      failed: resolve,
    });
  });
}

export async function dialled(runtime: Runtime, options: ConnectOptions): Promise<End> {
  const answer = await dial(runtime, options);
  if ("kind" in answer) throw new Error(`Cannot dial: ${answer.message}`);
  return answer;
}

/** A listener on a free port that keeps what it accepts. */
export interface TestListener {
  readonly listener: Listener;
  readonly port: number;
  readonly accepted: End[];
}

export function listen(runtime: Runtime, options: Partial<ListenOptions> = {}): TestListener {
  const accepted: End[] = [];
  const listener = runtime.net.listen({ host: "127.0.0.1", port: 0, ...options }, (socket) => {
    const heard = new Recorder();
    accepted.push({ socket, heard });
    return heard;
  });
  return { listener, port: listener.port, accepted };
}

/** Two connected plain ends. */
export async function plainPair(runtime: Runtime): Promise<{ client: End; server: End }> {
  const { listener, port, accepted } = listen(runtime);
  const client = await dialled(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs });
  await until(() => accepted.length === 1, "the listener accepts");
  listener.close();
  const [server] = accepted;
  if (server === undefined) throw new Error("Nothing was accepted");
  return { client, server };
}

/** The event loop goes round a few times: what was sent before has been read in this process, apart from what follows. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export type { Dial, DialHandler };

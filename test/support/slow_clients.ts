/**
 * Clients by hand that open many exchanges at once and then take nothing of what comes, or send bodies that nobody takes; and
 * the same clients as they should be, for comparison.
 */
import { createRuntime } from "../../runtime/bun/runtime.ts";
import type { Socket, TlsClientOptions } from "../../runtime/contract.ts";
import { frameFlags, frameTypes } from "../../src/wire/h2/frames.ts";
import { concat, data, frame, headers, number32, preface, settings } from "./h2_frames.ts";
import { hangMs } from "./patience.ts";

export interface SlowDoor {
  readonly host: string;
  readonly port: number;
  /** Of the port for other proxies. */
  readonly tls?: TlsClientOptions;
  readonly authority: string;
}

export interface SlowLoad {
  readonly version: "http/1.1" | "h2";
  /**
   * `window`: never opens one for its answers. `unread`: opens them, and never reads its socket. `bodies`: sends what the app
   * never reads.
   */
  readonly kind: "window" | "unread" | "bodies";
  readonly connections: number;
  /** On all connections together. */
  readonly exchanges: number;
  /** Of one answer, or one body. */
  readonly bytes: number;
}

const { net } = createRuntime();
const windowMax = 2 ** 30;
const pieceBytes = 16_384;

function pathOf({ kind, bytes }: SlowLoad, slow: boolean): string {
  if (kind !== "bodies") return `/bytes/${bytes}`;
  return slow ? "/deaf" : "/taken";
}

function http2Bytes(load: SlowLoad, authority: string, slow: boolean): Uint8Array {
  const { kind, bytes } = load;
  const post = kind === "bodies";
  const fields = [
    [":method", post ? "POST" : "GET"],
    [":scheme", "http"],
    [":path", pathOf(load, slow)],
    [":authority", authority],
  ] as const;
  const window = slow && kind === "window" ? 0 : windowMax;
  const parts = [preface, settings([4, window]), frame(frameTypes.settings, frameFlags.ack, 0)];
  if (window > 0) parts.push(frame(frameTypes.windowUpdate, 0, 0, number32(windowMax)));
  // A body is no longer than the window that every stream begins with: this client waits for no other.
  const pieces = Math.ceil(Math.min(bytes, 2 * pieceBytes) / pieceBytes);
  for (let at = 0; at < load.exchanges / load.connections; at++) {
    const id = 2 * at + 1;
    parts.push(
      headers(id, post ? [...fields, ["content-length", String(pieces * pieceBytes)]] : fields, !post),
    );
    if (!post) continue;
    for (let piece = 1; piece <= pieces; piece++)
      parts.push(data(id, new Uint8Array(pieceBytes), piece === pieces && !slow));
  }
  return concat(...parts);
}

function http1Bytes(load: SlowLoad, authority: string, slow: boolean): Uint8Array {
  const post = load.kind === "bodies";
  const length = post ? `content-length: ${load.bytes}\r\n` : "";
  const head = `${post ? "POST" : "GET"} ${pathOf(load, slow)} HTTP/1.1\r\nhost: ${authority}\r\n${length}\r\n`;
  return concat(Buffer.from(head, "latin1"), new Uint8Array(post ? load.bytes : 0));
}

/** One connection: sends its bytes as they are taken, and reads or does not. */
class SlowClient {
  received = 0;
  #socket: Socket | null = null;
  #sent = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly reads: boolean,
  ) {}

  dial({ host, port, tls }: SlowDoor): Promise<void> {
    return new Promise((resolve, reject) => {
      net.connect(
        { host, port, timeoutMs: hangMs, ...(tls === undefined ? {} : { tls }) },
        {
          opened: (socket) => {
            this.#socket = socket;
            if (!this.reads) socket.pause();
            this.drain();
            resolve();
            return this;
          },
          failed: (error) => reject(new Error(error.message)),
        },
      );
    });
  }

  data(chunk: Uint8Array): void {
    this.received += chunk.length;
  }

  drain(): void {
    this.#sent += Math.max(0, this.#socket?.write(this.bytes, this.#sent) ?? 0);
  }

  end(): void {}
  close(): void {}

  leave(): void {
    this.#socket?.reset();
  }
}

export interface StartedLoad {
  /** Of all its clients, heads and all. */
  received(): number;
  /** All of them leave at once. */
  leave(): void;
}

export async function startLoad(door: SlowDoor, load: SlowLoad, slow: boolean): Promise<StartedLoad> {
  const make = load.version === "h2" ? http2Bytes : http1Bytes;
  const bytes = make(load, door.authority, slow);
  const reads = !slow || load.kind === "window" || load.kind === "bodies";
  const clients = Array.from({ length: load.connections }, () => new SlowClient(bytes, reads));
  await Promise.all(clients.map((client) => client.dial(door)));
  return {
    received: () => clients.reduce((sum, client) => sum + client.received, 0),
    leave: () => {
      for (const client of clients) client.leave();
    },
  };
}

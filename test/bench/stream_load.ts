/**
 * Load on connections rather than requests, a process of its own, against stream_server.ts or a proxy before it:
 *   bun test/bench/stream_load.ts '{"kind":"short","host":"127.0.0.1","port":80,"authority":"x","count":1000,"parallel":16}'
 * prints one line of JSON (StreamLoadResult). `short`: connect, 1 kB each way, close. `bulk`: `count` bytes, half down, then
 * half up. `events`: `count` server-sent events over `parallel` streams, by HTTP/1.1.
 */
import type { Socket } from "bun";
import { Histogram } from "./histogram.ts";
import { bulkHeadBytes, shortBytes, wallUs } from "./stream_server.ts";

export interface StreamLoadOptions {
  readonly kind: "short" | "bulk" | "events";
  readonly host: string;
  readonly port: number;
  /** The Host header, where HTTP is spoken. */
  readonly authority: string;
  readonly count: number;
  readonly parallel: number;
}

export interface StreamLoadResult {
  readonly seconds: number;
  /** Connections or events; 0 where nothing is timed. */
  readonly p50Us: number;
  readonly p99Us: number;
}

type Options = StreamLoadOptions;

interface Handler {
  opened(socket: Socket): void;
  data(chunk: Buffer): void;
  drain(): void;
}

/** Fails when the connection ends before it was told to. */
function connect(options: Options, handler: Handler, failed: (error: Error) => void): Promise<Socket> {
  const lost = (): void => failed(new Error("A connection ended before its time"));
  return Bun.connect({
    hostname: options.host,
    port: options.port,
    socket: {
      open: (socket) => handler.opened(socket),
      data: (_socket, chunk) => handler.data(chunk),
      drain: () => handler.drain(),
      end: lost,
      close: lost,
      error: (_socket, error) => failed(error),
      connectError: (_socket, error) => failed(error),
    },
  });
}

const shortRequest = Buffer.alloc(shortBytes, "S");

/** One connection from its start to its answer; it is closed then. */
function short(options: Options, keep = false): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = shortBytes;
    let open: Socket | null = null;
    const handler: Handler = {
      opened: (socket) => {
        open = socket;
        socket.write(shortRequest);
      },
      data: (chunk) => {
        left -= chunk.length;
        if (left > 0) return;
        resolve();
        if (!keep) open?.end();
      },
      drain() {},
    };
    connect(options, handler, reject).catch(reject);
  });
}

async function runShort(options: Options, latency: Histogram): Promise<void> {
  // The pair talks before and all along.
  await short(options, true);
  let started = 0;
  const one = async (): Promise<void> => {
    while (started++ < options.count) {
      const startMs = performance.now();
      await short(options);
      latency.record((performance.now() - startMs) * 1_000);
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, one));
}

const block = Buffer.alloc(256 * 1_024, "x");

function bulkHead(kind: "D" | "U", bytes: number): Buffer {
  const head = Buffer.alloc(bulkHeadBytes, kind);
  head.writeBigUInt64BE(BigInt(bytes), 1);
  return head;
}

function download(options: Options, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = bytes;
    let open: Socket | null = null;
    const handler: Handler = {
      opened: (socket) => {
        open = socket;
        socket.write(bulkHead("D", bytes));
      },
      data: (chunk) => {
        left -= chunk.length;
        if (left > 0) return;
        resolve();
        open?.end();
      },
      drain() {},
    };
    connect(options, handler, reject).catch(reject);
  });
}

function upload(options: Options, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = bytes;
    let open: Socket | null = null;
    const push = (): void => {
      while (open !== null && left > 0) {
        const wrote = open.write(left < block.length ? block.subarray(0, left) : block);
        if (wrote <= 0) return;
        left -= wrote;
      }
    };
    const handler: Handler = {
      opened: (socket) => {
        open = socket;
        socket.write(bulkHead("U", bytes));
        push();
      },
      data: () => {
        resolve();
        open?.end();
      },
      drain: push,
    };
    connect(options, handler, reject).catch(reject);
  });
}

async function runBulk(options: Options): Promise<void> {
  const each = Math.floor(options.count / 2 / options.parallel);
  const all = { length: options.parallel };
  await Promise.all(Array.from(all, () => download(options, each)));
  await Promise.all(Array.from(all, () => upload(options, each)));
}

function runEvents(options: Options, latency: Histogram): Promise<void> {
  return new Promise((resolve, reject) => {
    const sockets: Socket[] = [];
    const stream = (): void => {
      let rest = "";
      const handler: Handler = {
        opened: (socket) => {
          sockets.push(socket);
          socket.write(
            `GET /events HTTP/1.1\r\nHost: ${options.authority}\r\nAccept: text/event-stream\r\n\r\n`,
          );
        },
        data: (chunk) => {
          const now = wallUs();
          const events = (rest + chunk.toString("latin1")).split("\n\n");
          rest = events.pop() ?? "";
          for (const event of events) {
            const sent = /data: ([\d.]+)$/.exec(event)?.[1];
            if (sent !== undefined) latency.record(now - Number(sent));
          }
          if (latency.count < options.count) return;
          resolve();
          for (const socket of sockets) socket.end();
        },
        drain() {},
      };
      connect(options, handler, reject).catch(reject);
    };
    for (let each = 0; each < options.parallel; each++) stream();
  });
}

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] ?? "{}") as Options;
  const latency = new Histogram();
  const startMs = performance.now();
  if (options.kind === "short") await runShort(options, latency);
  else if (options.kind === "bulk") await runBulk(options);
  else await runEvents(options, latency);
  const seconds = (performance.now() - startMs) / 1_000;
  const result: StreamLoadResult = {
    seconds,
    p50Us: latency.quantile(0.5),
    p99Us: latency.quantile(0.99),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}

/**
 * Open-loop HTTP/1.1 generator, a process of its own: arrivals are evenly spaced whatever the answers do, and latency
 * counts from the moment a request was due, so a stall is charged to every request that it delays.
 *   bun test/bench/open_loop.ts '{"host":"127.0.0.1","port":80,"authority":"web","path":"/","rate":1000,"connections":16,"count":4000}'
 * prints a line when it begins to count, and at its end one of JSON (OpenLoopResult). It calls the kernel itself and sleeps until the next request is due: an event
 * loop that polls, its compiler and its collector would take the core from the backend, and their pauses would be measured.
 */
import { writeSync } from "node:fs";
import { createNative } from "../../runtime/bun/native.ts";
import { Histogram } from "./histogram.ts";

export interface OpenLoopOptions {
  /** An IPv4 address. */
  readonly host: string;
  readonly port: number;
  /** The Host header. */
  readonly authority: string;
  readonly path: string;
  /** Requests per second. */
  readonly rate: number;
  readonly connections: number;
  /** How many are counted. */
  readonly count: number;
  /** How many come before those that are counted, faster than they. */
  readonly warmup: number;
}

/** Microseconds. */
export interface OpenLoopResult {
  readonly count: number;
  readonly failed: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** How long the last answers may take once all requests were due. */
const lingerMs = 5_000;
const warmupSpeed = 4;
const receiveBytes = 65_536;
const eventsPerTurn = 64;
/** As the kernel lays it out on x86-64: what happened, then what we called it. */
const epollEventBytes = 12;

const native = createNative();
const libc = native.library("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "buffer", "u32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" },
  send: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
  recv: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  epoll_create1: { args: ["i32"], returns: "i32" },
  epoll_ctl: { args: ["i32", "i32", "i32", "buffer"], returns: "i32" },
  epoll_pwait2: { args: ["i32", "buffer", "i32", "buffer", "buffer"], returns: "i32" },
});
/** Of the headers of Linux. */
const linux = {
  AF_INET: 2,
  SOCK_STREAM: 1,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  F_SETFL: 4,
  O_NONBLOCK: 0x800,
  MSG_NOSIGNAL: 0x4000,
  EPOLL_CTL_ADD: 1,
  EPOLLIN: 1,
  PR_SET_TIMERSLACK: 29,
  EINTR: 4,
  EAGAIN: 11,
} as const;

function called(what: string, result: number): number {
  if (result < 0) throw new Error(`Cannot ${what}: errno ${native.errno()}`);
  return result;
}

function socketAddress(host: string, port: number): Uint8Array {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(linux.AF_INET, 0);
  address.writeUInt16BE(port, 2);
  host.split(".").forEach((part, index) => address.writeUInt8(Number(part), 4 + index));
  return address;
}

/** The kernel's list of sockets that have something to read. */
class Readiness {
  readonly #list = called("create an epoll", libc.epoll_create1(0));
  readonly #events = Buffer.alloc(eventsPerTurn * epollEventBytes);
  readonly #timeout = Buffer.alloc(16);

  add(socket: number): void {
    const event = Buffer.alloc(epollEventBytes);
    event.writeUInt32LE(linux.EPOLLIN, 0);
    event.writeUInt32LE(socket, 4);
    called("watch a socket", libc.epoll_ctl(this.#list, linux.EPOLL_CTL_ADD, socket, event));
  }

  wait(forMs: number, each: (socket: number) => void): void {
    const nanos = BigInt(Math.max(0, Math.round(forMs * 1e6)));
    this.#timeout.writeBigInt64LE(nanos / 1_000_000_000n, 0);
    this.#timeout.writeBigInt64LE(nanos % 1_000_000_000n, 8);
    const ready = libc.epoll_pwait2(this.#list, this.#events, eventsPerTurn, this.#timeout, 0);
    if (ready < 0 && native.errno() !== linux.EINTR) called("wait for answers", ready);
    for (let index = 0; index < ready; index++) {
      each(this.#events.readUInt32LE(index * epollEventBytes + 4));
    }
  }
}

/** One keep-alive connection: at most one exchange, whose answer it counts byte by byte. */
class Connection {
  index = -1;
  dueAt = 0;
  #head = "";
  #remaining = -1;

  constructor(readonly socket: number) {}

  start(index: number, dueAt: number, request: Uint8Array): void {
    this.index = index;
    this.dueAt = dueAt;
    this.#head = "";
    this.#remaining = -1;
    libc.send(this.socket, request, request.length, linux.MSG_NOSIGNAL);
  }

  /** The status once the answer is whole, 0 before, -1 when it does not say its length. */
  receive(chunk: Buffer): number {
    if (this.#remaining < 0) {
      this.#head += chunk.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n");
      if (end < 0) return 0;
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head)?.[1];
      if (length === undefined) return -1;
      this.#remaining = Number(length) - (this.#head.length - end - 4);
    } else {
      this.#remaining -= chunk.length;
    }
    return this.#remaining > 0 ? 0 : Number(this.#head.slice(9, 12));
  }
}

class OpenLoop {
  readonly #options: OpenLoopOptions;
  readonly #histogram = new Histogram();
  readonly #request: Uint8Array;
  readonly #address: Uint8Array;
  readonly #readiness = new Readiness();
  readonly #connections = new Map<number, Connection>();
  readonly #idle: Connection[] = [];
  readonly #received = Buffer.alloc(receiveBytes);
  #failed = 0;
  #finished = 0;

  constructor(options: OpenLoopOptions) {
    this.#options = options;
    this.#request = Buffer.from(
      `GET ${options.path} HTTP/1.1\r\nHost: ${options.authority}\r\nUser-Agent: heddle-open-loop\r\n\r\n`,
    );
    this.#address = socketAddress(options.host, options.port);
  }

  run(): OpenLoopResult {
    const { connections, count, rate, warmup } = this.#options;
    // A sleep ends when it should, not up to 50 us later.
    libc.prctl(linux.PR_SET_TIMERSLACK, 1, 0, 0, 0);
    for (let each = 0; each < connections; each++) this.#connect();
    const all = warmup + count;
    const stepMs = 1_000 / rate;
    const startMs = performance.now() + 20;
    const countedMs = startMs + (warmup * stepMs) / warmupSpeed;
    const dueMs = (index: number): number =>
      index < warmup ? startMs + (index * stepMs) / warmupSpeed : countedMs + (index - warmup) * stepMs;
    const endMs = countedMs + count * stepMs + lingerMs;
    const read = (socket: number): void => this.#read(socket);
    let next = 0;
    while (this.#finished < all) {
      const now = performance.now();
      if (now > endMs) break;
      // While all are busy, the request waits, and its clock runs.
      while (next < all && dueMs(next) <= now && this.#idle.length > 0) {
        if (next === warmup) writeSync(1, "counting\n");
        this.#idle.shift()?.start(next, dueMs(next), this.#request);
        next++;
      }
      const idle = next < all && this.#idle.length > 0;
      this.#readiness.wait((idle ? dueMs(next) : endMs) - performance.now(), read);
    }
    this.#failed += all - this.#finished;
    return this.#result();
  }

  #connect(): void {
    const socket = called("open a socket", libc.socket(linux.AF_INET, linux.SOCK_STREAM, 0));
    const yes = Buffer.from([1, 0, 0, 0]);
    libc.setsockopt(socket, linux.IPPROTO_TCP, linux.TCP_NODELAY, yes, yes.length);
    const { host, port } = this.#options;
    called(`connect to ${host}:${port}`, libc.connect(socket, this.#address, this.#address.length));
    libc.fcntl(socket, linux.F_SETFL, linux.O_NONBLOCK);
    const connection = new Connection(socket);
    this.#connections.set(socket, connection);
    this.#readiness.add(socket);
    this.#idle.push(connection);
  }

  #read(socket: number): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    const length = libc.recv(socket, this.#received, receiveBytes, 0);
    if (length > 0) this.#receive(connection, this.#received.subarray(0, length));
    else if (length === 0 || native.errno() !== linux.EAGAIN) this.#lost(connection);
  }

  #receive(connection: Connection, chunk: Buffer): void {
    if (connection.index < 0) return;
    const status = connection.receive(chunk);
    if (status === 0) return;
    if (status !== 200) this.#failed++;
    else if (connection.index >= this.#options.warmup) {
      this.#histogram.record((performance.now() - connection.dueAt) * 1_000);
    }
    this.#finish(connection);
  }

  #lost(connection: Connection): void {
    libc.close(connection.socket);
    this.#connections.delete(connection.socket);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (connection.index >= 0) {
      this.#failed++;
      this.#finished++;
    }
    if (this.#finished < this.#options.warmup + this.#options.count) this.#connect();
  }

  #finish(connection: Connection): void {
    connection.index = -1;
    this.#finished++;
    this.#idle.push(connection);
  }

  #result(): OpenLoopResult {
    const of = (quantile: number): number => this.#histogram.quantile(quantile);
    return {
      count: this.#histogram.count,
      failed: this.#failed,
      p50: of(0.5),
      p90: of(0.9),
      p99: of(0.99),
      p999: of(0.999),
      max: this.#histogram.max,
    };
  }
}

if (import.meta.main) {
  const result = new OpenLoop(JSON.parse(process.argv[2] ?? "{}") as OpenLoopOptions).run();
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}

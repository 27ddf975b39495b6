/**
 * Open-loop HTTP/1.1 generator, a process of its own: arrivals are evenly spaced whatever the answers do, and latency
 * counts from the moment a request was due, so a stall is charged to every request that it delays.
 *   bun test/bench/open_loop.ts '{"host":"127.0.0.1","port":80,"authority":"web","path":"/","rate":1000,"connections":16,"count":4000}'
 * prints one line of JSON (OpenLoopResult). It polls instead of sleeping: a timer of 1 ms is too coarse for it.
 */
import type { Socket } from "bun";
import { Histogram } from "./histogram.ts";

export interface OpenLoopOptions {
  readonly host: string;
  readonly port: number;
  /** The Host header. */
  readonly authority: string;
  readonly path: string;
  /** Requests per second. */
  readonly rate: number;
  readonly connections: number;
  readonly count: number;
  /** How many of the first are not counted. Default: one second's worth. */
  readonly warmup?: number;
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

/** One keep-alive connection: at most one exchange, whose answer it counts byte by byte. */
class Connection {
  socket: Socket<undefined> | null = null;
  index = -1;
  dueAt = 0;
  #head = "";
  #remaining = -1;

  start(index: number, dueAt: number, request: string): void {
    this.index = index;
    this.dueAt = dueAt;
    this.#head = "";
    this.#remaining = -1;
    this.socket?.write(request);
  }

  /** The status once the answer is whole, else 0. */
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

export class OpenLoop {
  readonly #options: OpenLoopOptions;
  readonly #histogram = new Histogram();
  readonly #request: string;
  readonly #idle: Connection[] = [];
  #failed = 0;
  #finished = 0;

  constructor(options: OpenLoopOptions) {
    this.#options = options;
    this.#request = `GET ${options.path} HTTP/1.1\r\nHost: ${options.authority}\r\nUser-Agent: heddle-open-loop\r\n\r\n`;
  }

  async run(): Promise<OpenLoopResult> {
    const { connections, count, rate } = this.#options;
    for (let each = 0; each < connections; each++) await this.#connect(new Connection());
    const stepMs = 1_000 / rate;
    const startMs = performance.now() + 20;
    let next = 0;
    const endMs = startMs + count * stepMs + lingerMs;
    await new Promise<void>((resolve) => {
      const turn = (): void => {
        const now = performance.now();
        while (next < count && startMs + next * stepMs <= now) {
          const connection = this.#idle.shift();
          // All are busy: the request waits, and its clock runs.
          if (connection === undefined) break;
          connection.start(next, startMs + next * stepMs, this.#request);
          next++;
        }
        if (this.#finished >= count || now > endMs) resolve();
        else setImmediate(turn);
      };
      turn();
    });
    this.#failed += count - this.#finished;
    return this.#result();
  }

  async #connect(connection: Connection): Promise<void> {
    connection.socket = await Bun.connect({
      hostname: this.#options.host,
      port: this.#options.port,
      socket: {
        data: (_socket, chunk) => this.#receive(connection, chunk),
        close: () => this.#lost(connection),
        error: () => {},
      },
    });
    this.#idle.push(connection);
  }

  #receive(connection: Connection, chunk: Buffer): void {
    if (connection.index < 0) return;
    const status = connection.receive(chunk);
    if (status === 0) return;
    if (status !== 200) this.#failed++;
    else if (connection.index >= this.#warmup()) {
      this.#histogram.record((performance.now() - connection.dueAt) * 1_000);
    }
    this.#finish(connection);
  }

  #lost(connection: Connection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (connection.index >= 0) {
      this.#failed++;
      this.#finished++;
      connection.index = -1;
    }
    if (this.#finished < this.#options.count) this.#connect(connection).catch(() => {});
  }

  #finish(connection: Connection): void {
    connection.index = -1;
    this.#finished++;
    this.#idle.push(connection);
  }

  #warmup(): number {
    return this.#options.warmup ?? this.#options.rate;
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
  const result = await new OpenLoop(JSON.parse(process.argv[2] ?? "{}") as OpenLoopOptions).run();
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}

/**
 * Requests at a fixed rate, whatever becomes of them: each is due at its time and takes an idle connection or a new one. A
 * process of its own, so that nothing else of the bench delays it.
 *   bun test/bench/broken/rate_load.ts '{"host":…,"port":…,"authority":…,"rate":500,"forMs":50000,"limitMs":2500}'
 * prints one line of JSON, a RateResult.
 */
import type { Socket } from "bun";

export interface RateOptions {
  readonly host: string;
  readonly port: number;
  readonly authority: string;
  /** Requests per second. */
  readonly rate: number;
  readonly forMs: number;
  /** What takes longer has failed. */
  readonly limitMs: number;
}

export interface RateResult {
  /** Of each request in order: its status, 0 for none. */
  readonly statuses: readonly number[];
  /** Milliseconds from when it was due. */
  readonly tookMs: readonly number[];
}

const tickMs = 2;

class RateLoad {
  readonly statuses: number[] = [];
  readonly tookMs: number[] = [];
  readonly #idle: Socket<Call>[] = [];
  readonly #startedMs = performance.now();
  readonly #request: string;
  #underWay = 0;

  constructor(readonly options: RateOptions) {
    this.#request = `GET /page HTTP/1.1\r\nHost: ${options.authority}\r\n\r\n`;
  }

  async run(): Promise<RateResult> {
    const { rate, forMs, limitMs } = this.options;
    const count = Math.round((rate * forMs) / 1_000);
    for (let next = 0; next < count;) {
      const sinceMs = performance.now() - this.#startedMs;
      while (next < count && (next * 1_000) / rate <= sinceMs) this.#begin(next++);
      await Bun.sleep(tickMs);
    }
    const end = performance.now() + limitMs;
    while (this.#underWay > 0 && performance.now() < end) await Bun.sleep(tickMs);
    for (let at = 0; at < count; at++) {
      this.statuses[at] ??= 0;
      this.tookMs[at] ??= limitMs;
    }
    return { statuses: this.statuses, tookMs: this.tookMs.map(Math.round) };
  }

  #begin(index: number): void {
    this.#underWay++;
    const call = new Call(this.#startedMs + (index * 1_000) / this.options.rate, (status, socket) => {
      this.#underWay--;
      this.statuses[index] = status;
      this.tookMs[index] = performance.now() - call.dueMs;
      if (socket !== null) this.#idle.push(socket);
    });
    const kept = this.#idle.pop();
    if (kept !== undefined) {
      kept.data = call;
      kept.write(this.#request);
    } else this.#open(call);
    setTimeout(() => call.end(0, null), this.options.limitMs);
  }

  #open(call: Call): void {
    const { host: hostname, port } = this.options;
    const lost = (socket: Socket<Call>): void => {
      const at = this.#idle.indexOf(socket);
      if (at >= 0) this.#idle.splice(at, 1);
      socket.data.end(0, null);
    };
    Bun.connect<Call>({
      hostname,
      port,
      data: call,
      socket: {
        open: (socket) => void socket.write(this.#request),
        data: (socket, bytes) => {
          if (!socket.data.read(bytes.toString("latin1"), socket)) socket.terminate();
        },
        close: lost,
        error: lost,
      },
    }).catch(() => call.end(0, null));
  }
}

class Call {
  #text = "";
  #over = false;

  constructor(
    readonly dueMs: number,
    readonly ended: (status: number, socket: Socket<Call> | null) => void,
  ) {}

  /** False: it is late, and its connection is of no use. */
  read(text: string, socket: Socket<Call>): boolean {
    if (this.#over) return false;
    this.#text += text;
    const head = this.#text.indexOf("\r\n\r\n");
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#text)?.[1] ?? 0);
    if (head < 0 || this.#text.length < head + 4 + length) return true;
    this.end(Number(this.#text.slice(9, 12)), /\r\nconnection: *close/i.test(this.#text) ? null : socket);
    return true;
  }

  end(status: number, socket: Socket<Call> | null): void {
    if (this.#over) return;
    this.#over = true;
    this.ended(status, socket);
  }
}

if (import.meta.main) {
  const result = await new RateLoad(JSON.parse(process.argv[2] ?? "{}") as RateOptions).run();
  // More than a pipe takes at once: what is not written yet would be lost.
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

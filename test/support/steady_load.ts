/**
 * Steady requests through a mesh, each with its fate: who failed, when and how. Plain sockets, because a client library
 * may hide a failure by trying again.
 */
import type { Socket } from "bun";
import { hangMs } from "./patience.ts";

export interface SteadyLoadOptions {
  readonly host: string;
  readonly port: number;
  /** The Host header. */
  readonly authority: string;
  readonly path: string;
  readonly connections: number;
  /** Pause of one connection between an answer and its next request. */
  readonly everyMs: number;
  /** Its requests are due so often however long answers take, and what fell behind is made up for; default: it pauses after each. */
  readonly steady?: boolean;
}

export interface Failure {
  /** `connect`: no connection; `cut`: the connection ended before the answer did; `status`: another answer than 200. */
  readonly kind: "connect" | "cut" | "status" | "late";
  readonly detail: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

const reconnectMs = 20;

export class SteadyLoad {
  readonly failures: Failure[] = [];
  answered = 0;
  /** Of its connections, those that have had an answer since it began: all of them, once each was accepted. */
  served = 0;
  /** Connections that the far side closed or that broke, with or without a request on them. */
  lost = 0;
  /** Answers by the app that gave them (`version` in its JSON). */
  readonly versions = new Map<string, number>();
  #running = true;
  #loops: Promise<void>[] = [];

  constructor(readonly options: SteadyLoadOptions) {}

  start(): this {
    const { connections, everyMs } = this.options;
    const now = performance.now();
    this.#loops = Array.from({ length: connections }, (_, at) =>
      this.#loop(now + (at * everyMs) / connections),
    );
    return this;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  async #loop(firstMs: number): Promise<void> {
    const { everyMs, steady = false } = this.options;
    let isServed = false;
    let dueMs = firstMs;
    while (this.#running) {
      const startedMs = performance.now();
      try {
        const line = await Line.open(this.options);
        while (this.#running && (await this.#exchange(line))) {
          if (!isServed) this.served++;
          isServed = true;
          dueMs += everyMs;
          await Bun.sleep(steady ? Math.max(0, dueMs - performance.now()) : everyMs);
        }
        line.close();
        if (this.#running) this.lost++;
      } catch (error) {
        this.#fail("connect", (error as Error).message, startedMs);
        await Bun.sleep(reconnectMs);
      }
    }
  }

  /** True when the connection can carry another one. */
  async #exchange(line: Line): Promise<boolean> {
    if (line.closed) return false;
    const startedMs = performance.now();
    const { authority, path } = this.options;
    const answer = await line.send(`GET ${path} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    if (typeof answer === "string") {
      this.#fail(answer === "late" ? "late" : "cut", answer, startedMs);
      return false;
    }
    if (answer.status !== 200) this.#fail("status", `${answer.status} ${answer.body}`, startedMs);
    else this.answered++;
    const version = /"version":"(\w+)"/.exec(answer.body)?.[1];
    if (version !== undefined) this.versions.set(version, (this.versions.get(version) ?? 0) + 1);
    return !answer.closes;
  }

  #fail(kind: Failure["kind"], detail: string, startedMs: number): void {
    this.failures.push({ kind, detail, startedMs, endedMs: performance.now() });
  }
}

interface LineAnswer {
  readonly status: number;
  readonly body: string;
  readonly closes: boolean;
}

/** One keep-alive connection. */
class Line {
  closed = false;
  #socket: Socket | null = null;
  #text = "";
  #waiting: ((answer: LineAnswer | string) => void) | null = null;

  static async open({ host, port }: SteadyLoadOptions): Promise<Line> {
    const line = new Line();
    line.#socket = await Bun.connect({
      hostname: host,
      port,
      socket: {
        data: (_socket, chunk) => line.#receive(chunk.toString("latin1")),
        close: () => line.#end("closed"),
        end: () => line.#end("ended"),
        error: (_socket, error) => line.#end(error.message),
      },
    });
    return line;
  }

  send(request: string): Promise<LineAnswer | string> {
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#end("late"), hangMs);
      this.#waiting = (answer) => {
        clearTimeout(late);
        this.#waiting = null;
        resolve(answer);
      };
      this.#socket?.write(request);
    });
  }

  close(): void {
    this.#socket?.end();
  }

  #receive(text: string): void {
    this.#text += text;
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.#text.slice(0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) return this.#end(`an answer without content-length: ${head}`);
    const whole = end + 4 + Number(length);
    if (this.#text.length < whole) return;
    const body = this.#text.slice(end + 4, whole);
    this.#text = this.#text.slice(whole);
    this.#waiting?.({
      status: Number(head.slice(9, 12)),
      body,
      closes: /\r\nconnection: *close/i.test(head),
    });
  }

  #end(reason: string): void {
    this.closed = true;
    this.#waiting?.(reason);
  }
}

/** HTTP/1.1 on the network in memory: an app that a test tells what to do at each step of a request, and a client. */
import type { Listener, Socket } from "../../runtime/contract.ts";
import type { MemoryNet } from "./memory_net.ts";
import { bytesOf, textOf } from "./wire.ts";
import { hangMs } from "./patience.ts";

/** A request as an app got it. */
export interface AppRequest {
  readonly method: string;
  readonly target: string;
  /** Lower-case names. */
  readonly fields: ReadonlyMap<string, string>;
  /** The same, several of one name each by itself. */
  readonly all: readonly (readonly [name: string, value: string])[];
  body: string;
  /** It came to its end. */
  whole: boolean;
}

/** How far a request has come at the app. */
export type Step = "accepted" | "head" | "half" | "whole";

export interface MemoryAppOptions {
  /** Called at each step of each request; `request` is null while a connection has none. */
  readonly at: (step: Step, socket: Socket, request: AppRequest | null) => void;
}

/** Listens on a port of its own and keeps what it was sent. */
export class MemoryApp {
  readonly port: number;
  readonly requests: AppRequest[] = [];
  /** Connections that stand. */
  open = 0;
  readonly #sockets: Socket[] = [];
  readonly #listener: Listener;

  constructor(
    net: MemoryNet,
    readonly options: MemoryAppOptions,
  ) {
    this.#listener = net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
      this.#sockets.push(socket);
      return new AppConnection(socket, this);
    });
    this.port = this.#listener.port;
  }

  /** As when its process is killed. */
  kill(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.reset();
  }
}

class AppConnection {
  #text = "";
  #request: AppRequest | null = null;
  #left = 0;
  #chunked = false;
  #halfTold = false;

  constructor(
    readonly socket: Socket,
    readonly app: MemoryApp,
  ) {
    app.open++;
    app.options.at("accepted", socket, null);
  }

  data(chunk: Uint8Array): void {
    this.#text += textOf(chunk);
    while (this.#step());
  }

  drain(): void {}

  end(): void {
    this.socket.shutdown();
  }

  close(): void {
    this.app.open--;
  }

  #step(): boolean {
    const request = this.#request;
    return request === null ? this.#head() : this.#chunked ? this.#chunk(request) : this.#sized(request);
  }

  #head(): boolean {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const [line = "", ...lines] = this.#text.slice(0, end).split("\r\n");
    this.#text = this.#text.slice(end + 4);
    const [method = "", target = ""] = line.split(" ");
    const all = lines.map((each): readonly [string, string] => [
      each.slice(0, each.indexOf(":")).toLowerCase(),
      each.slice(each.indexOf(":") + 2),
    ]);
    const fields = new Map(all);
    const request: AppRequest = { method, target, fields, all, body: "", whole: false };
    this.#request = request;
    this.#chunked = fields.get("transfer-encoding") === "chunked";
    this.#left = Number(fields.get("content-length") ?? "0");
    this.#halfTold = this.#left === 0 && !this.#chunked;
    this.app.requests.push(request);
    this.#tell("head");
    if (!this.#chunked && this.#left === 0) this.#end(request);
    return true;
  }

  #sized(request: AppRequest): boolean {
    if (this.#text === "") return false;
    const piece = this.#text.slice(0, this.#left);
    this.#take(request, piece);
    this.#text = this.#text.slice(piece.length);
    this.#left -= piece.length;
    if (this.#left === 0) this.#end(request);
    return true;
  }

  #chunk(request: AppRequest): boolean {
    const line = this.#text.indexOf("\r\n");
    if (line < 0) return false;
    const size = Number.parseInt(this.#text.slice(0, line), 16);
    const end = line + 2 + size + 2;
    if (this.#text.length < end) return false;
    const piece = this.#text.slice(line + 2, line + 2 + size);
    this.#text = this.#text.slice(end);
    if (size === 0) this.#end(request);
    else this.#take(request, piece);
    return true;
  }

  #take(request: AppRequest, piece: string): void {
    request.body += piece;
    if (this.#halfTold) return;
    this.#halfTold = true;
    this.#tell("half");
  }

  #end(request: AppRequest): void {
    request.whole = true;
    this.#request = null;
    this.app.options.at("whole", this.socket, request);
  }

  #tell(step: Step): void {
    this.app.options.at(step, this.socket, this.#request);
  }
}

/** An answer as a client got it. */
export interface MemoryAnswer {
  /** 0 when no head came. */
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
  /** It came to the end that its head announced. */
  readonly whole: boolean;
  /** The connection was reset. */
  readonly reset: boolean;
}

/** Sends one request on a connection of its own; `answer` is what came so far. */
export class MemoryCall {
  #text = "";
  #reset = false;
  #socket: Socket | null = null;

  constructor(net: MemoryNet, port: number, pieces: readonly string[]) {
    net.connect(
      { host: "127.0.0.1", port, timeoutMs: hangMs },
      {
        opened: (socket) => {
          this.#socket = socket;
          for (const piece of pieces) socket.write(bytesOf(piece));
          return {
            data: (chunk) => void (this.#text += textOf(chunk)),
            drain() {},
            end: () => socket.shutdown(),
            close: (error) => void (this.#reset = error !== null),
          };
        },
        failed: () => void (this.#reset = true),
      },
    );
  }

  leave(): void {
    this.#socket?.reset();
  }

  send(piece: string): void {
    this.#socket?.write(bytesOf(piece));
  }

  /** What came so far, as it came. */
  get text(): string {
    return this.#text;
  }

  get answer(): MemoryAnswer {
    const end = this.#text.indexOf("\r\n\r\n");
    const [line = "", ...lines] = this.#text.slice(0, Math.max(0, end)).split("\r\n");
    const fields = new Map(
      lines.map((each) => [
        each.slice(0, each.indexOf(":")).toLowerCase(),
        each.slice(each.indexOf(":") + 2),
      ]),
    );
    const body = end < 0 ? "" : this.#text.slice(end + 4);
    const length = fields.get("content-length");
    const whole = length === undefined ? body.endsWith("0\r\n\r\n") : body.length === Number(length);
    return {
      status: Number(line.split(" ")[1] ?? 0),
      fields,
      body,
      whole: end >= 0 && whole,
      reset: this.#reset,
    };
  }
}

/**
 * An app made of bytes: it answers a whole request with the same bytes each time, and on one connection it stops at a byte of its
 * answer, or once it has got so many of the request: by a reset, by a clean end, or by silence. It knows how many requests it met.
 */
import type { Listener, Net, Socket } from "../../runtime/contract.ts";
import { concat, framesIn } from "./h2_frames.ts";
import { frameTypes } from "../../src/wire/h2/frames.ts";
import { textOf } from "./wire.ts";

export type Stop = "reset" | "end" | "silence";

/** Where the next connection stops. `after`: bytes of the answer that it sends, or of the request that it takes. */
export interface Cut {
  readonly of: "answer" | "request";
  readonly after: number;
  readonly by: Stop;
  /** What it answers in place of what it would. */
  readonly instead?: Uint8Array;
}

export interface CutAppOptions {
  readonly answer: Uint8Array;
  readonly isWhole: (received: Uint8Array) => boolean;
  /** What shows that it got something of a request, beyond what any connection begins with. */
  readonly isBegun: (received: Uint8Array) => boolean;
}

/** Several of them share it: the first connection that any of them gets is cut. */
export interface CutPlan {
  cut: Cut | null;
}

export class CutApp {
  readonly port: number;
  readonly #listener: Listener;
  #connections: CutConnection[] = [];

  constructor(
    net: Pick<Net, "listen">,
    plan: CutPlan,
    options: CutAppOptions,
    at = { host: "127.0.0.1", port: 0 },
  ) {
    this.#listener = net.listen(at, (socket) => {
      const connection = new CutConnection(socket, plan.cut, options);
      plan.cut = null;
      this.#connections.push(connection);
      return connection;
    });
    this.port = this.#listener.port;
  }

  /** Requests that came, whole or in part. */
  get begun(): number {
    return this.#connections.filter(({ begun }) => begun).length;
  }

  close(): void {
    this.forget();
    this.#listener.close();
  }

  /** Every connection is gone, and what it met is forgotten. */
  forget(): void {
    for (const { socket } of this.#connections) socket.reset();
    this.#connections = [];
  }
}

/** It carries one request. */
class CutConnection {
  #received: Uint8Array = new Uint8Array(0);
  #done = false;

  constructor(
    readonly socket: Socket,
    readonly cut: Cut | null,
    readonly options: CutAppOptions,
  ) {
    if (cut?.of === "request" && cut.after === 0) this.#stop(cut.by);
  }

  get begun(): boolean {
    return this.options.isBegun(this.#received);
  }

  data(chunk: Uint8Array): void {
    if (this.#done) return;
    const { cut, options } = this;
    this.#received = concat(this.#received, chunk);
    if (cut?.of === "request" && this.#received.length >= cut.after) return this.#stop(cut.by);
    if (!options.isWhole(this.#received)) return;
    this.#done = true;
    if (cut?.of !== "answer") return void this.socket.write(options.answer);
    this.socket.write((cut.instead ?? options.answer).subarray(0, cut.after));
    this.#stop(cut.by);
  }

  drain(): void {}

  end(): void {
    this.socket.shutdown();
  }

  close(): void {}

  #stop(by: Stop): void {
    this.#done = true;
    if (by === "reset") this.socket.reset();
    if (by === "end") this.socket.shutdown();
  }
}

/** Of HTTP/1.1: its head came, and all that Content-Length says. */
export function isWholeHttp1(received: Uint8Array): boolean {
  const text = textOf(received);
  const end = text.indexOf("\r\n\r\n");
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  return end >= 0 && text.length >= end + 4 + length;
}

/** Of HTTP/2: a frame with END_STREAM came. */
export function isWholeHttp2(received: Uint8Array): boolean {
  const endsStream = (type: number, flags: number): boolean =>
    (type === frameTypes.headers || type === frameTypes.data) && (flags & 1) === 1;
  return framesIn(received).some(({ type, flags }) => endsStream(type, flags));
}

export function isBegunHttp2(received: Uint8Array): boolean {
  return framesIn(received).some(({ type }) => type === frameTypes.headers);
}

/** A client of DNS over TCP (RFC 7766): queries behind a length each, any number of them, answered in their order. */
import type { Clock, Socket, SocketHandler, Timer } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";

export interface TcpClientOptions {
  readonly clock: Clock;
  readonly answer: (query: Uint8Array) => Uint8Array | null;
  readonly onLimit: (limit: string) => void;
  /** The connection is over. */
  readonly gone: () => void;
}

const lengthBytes = 2;

export class TcpClient implements SocketHandler {
  /** When it asked last. */
  askedMs: number;
  #received: Uint8Array = new Uint8Array();
  #unsent: Uint8Array = new Uint8Array();
  #ended = false;
  #timer: Timer;

  constructor(
    readonly socket: Socket,
    readonly options: TcpClientOptions,
  ) {
    this.askedMs = options.clock.now();
    this.#timer = this.#watch(limits.dnsIdleMs);
  }

  data(chunk: Uint8Array): void {
    const all = joined([this.#received, chunk]);
    const answers: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const size = lengthAt(all, at);
      if (size === null) break;
      if (size === 0 || size > limits.dnsQueryBytesMax) return this.#refuse("dnsQueryBytesMax");
      if (all.length < at + lengthBytes + size) break;
      at += lengthBytes + size;
      const answer = this.options.answer(all.subarray(at - size, at));
      if (answer !== null) answers.push(Uint8Array.of(answer.length >> 8, answer.length & 255), answer);
    }
    if (at > 0) this.askedMs = this.options.clock.now();
    this.#received = all.subarray(at);
    this.#write(answers);
  }

  drain(): void {
    const unsent = this.#unsent;
    this.#unsent = new Uint8Array();
    this.#write([unsent]);
  }

  /** What it asked before its end is answered. */
  end(): void {
    this.#ended = true;
    if (this.#unsent.length === 0) this.socket.destroy();
  }

  close(): void {
    this.#timer.cancel();
    this.options.gone();
  }

  #write(parts: readonly Uint8Array[]): void {
    const all = joined([this.#unsent, ...parts]);
    const taken = all.length === 0 ? 0 : this.socket.write(all);
    if (taken < 0) return;
    this.#unsent = all.slice(taken);
    if (this.#unsent.length > limits.dnsUnreadBytesMax) return this.#refuse("dnsUnreadBytesMax");
    if (this.#ended && this.#unsent.length === 0) this.socket.destroy();
  }

  #refuse(limit: string): void {
    this.options.onLimit(limit);
    this.socket.reset();
  }

  /** One timer for all of its life, that looks again as long as there is something to wait for. */
  #watch(delayMs: number): Timer {
    const { clock } = this.options;
    return clock.after(
      delayMs,
      () => {
        const leftMs = this.askedMs + limits.dnsIdleMs - clock.now();
        if (leftMs > 0) this.#timer = this.#watch(leftMs);
        else this.socket.destroy();
      },
      true,
    );
  }
}

function lengthAt(bytes: Uint8Array, at: number): number | null {
  return bytes.length < at + lengthBytes ? null : ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** A copy. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

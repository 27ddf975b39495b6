/**
 * What stands before a listener of local apps: tells for each connection who calls, and accepts it as that service, or as nobody. Where
 * that takes a look, the connection waits unread.
 */
import type { OriginalDestination, Socket, SocketHandler } from "../../../runtime/contract.ts";
import type { Outcome } from "../../model/outcome.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";

/** A connection of a local app. */
export interface Connecting {
  readonly socket: Pick<Socket, "remoteAddress" | "remotePort" | "localPort">;
  /** Where the listener stands. */
  readonly host: string;
  /** The service whose listener it is; null: of a virtual address, nobody's. */
  readonly owner: ServiceName | null;
  /** Where it was going before it was redirected to the listener; absent: just there. */
  readonly called?: OriginalDestination;
}

/** The service that it acts as, or why it is none. */
export type Told =
  | { readonly service: ServiceName; readonly refusal: null }
  | { readonly service: null; readonly refusal: Outcome };

/** Calls `told` once, maybe at once. */
export type CallerOf = (connecting: Connecting, told: (who: Told) => void) => void;

export type Accept = (socket: Socket) => SocketHandler;

export interface CallerGateOptions {
  readonly host: string;
  readonly owner: ServiceName | null;
  readonly called?: OriginalDestination;
  readonly callerOf: CallerOf;
  /** How to accept what that service calls, or what nobody may. */
  readonly accept: (who: Told) => Accept;
}

export class CallerGate {
  /** By who calls: most machines have one. */
  readonly #ways = new Map<string, Accept>();

  constructor(readonly options: CallerGateOptions) {}

  accept(socket: Socket): SocketHandler {
    const { callerOf, accept: _, ...place } = this.options;
    const answer: { told: Told | null; waiting: WaitingSocket | null } = { told: null, waiting: null };
    callerOf({ socket, ...place }, (who) => {
      answer.told = who;
      answer.waiting?.enter(this.#way(who));
    });
    if (answer.told !== null) return this.#way(answer.told)(socket);
    answer.waiting = new WaitingSocket(socket);
    return answer.waiting;
  }

  #way(who: Told): Accept {
    const { accept } = this.options;
    if (who.service === null) return accept(who);
    const key = serviceKey(who.service);
    const known = this.#ways.get(key);
    if (known !== undefined) return known;
    const made = accept(who);
    this.#ways.set(key, made);
    return made;
  }
}

/** Keeps what it hears until it is known who will. */
class WaitingSocket implements SocketHandler {
  #heard: Uint8Array[] = [];
  #ended = false;
  #closed = false;

  constructor(readonly socket: Socket) {
    socket.pause();
  }

  enter(accept: Accept): void {
    if (this.#closed) return;
    const { socket } = this;
    socket.handler = accept(socket);
    for (const bytes of this.#heard) if (!this.#closed) socket.handler.data(bytes);
    if (this.#ended) socket.handler.end();
    socket.resume();
  }

  data(chunk: Uint8Array): void {
    this.#heard.push(chunk.slice());
  }

  drain(): void {}

  end(): void {
    this.#ended = true;
  }

  close(): void {
    this.#closed = true;
  }
}

/**
 * The network of one event loop of several: it listens where its keeper has bound a port, by the descriptor that it was handed, and may
 * stop accepting for a while without giving up the port.
 */
import type { Listener, ListenOptions, Net, Ports, Socket, SocketHandler } from "../../runtime/contract.ts";

type Accept = (socket: Socket) => SocketHandler;

interface Place {
  readonly host: string;
  readonly port: number;
  /** null: the keeper has given it up, or has not handed it over yet. */
  descriptor: number | null;
  /** Whatever comes is taken here: the others have let go of it. */
  isLast: boolean;
  /** null: nobody here wants it. */
  accept: Accept | null;
  /** On a duplicate of the descriptor; null while nothing is accepted. */
  listener: Listener | null;
}

export interface HandedPortsOptions {
  readonly net: Pick<Net, "adopt">;
  readonly ports: Pick<Ports, "duplicate">;
  /** A connection came. Called inside of `accept`. */
  readonly accepted: () => void;
}

export class HandedPorts implements Pick<Net, "listen" | "adopt"> {
  readonly #places = new Map<string, Place>();
  #accepts = true;

  constructor(readonly options: HandedPortsOptions) {}

  /** The keeper has bound it. */
  handed(host: string, port: number, descriptor: number): void {
    const place = this.#placeAt(host, port);
    this.#giveUp(place);
    place.descriptor = descriptor;
    this.#settle(place);
  }

  /**
   * The keeper gives it up. Whoever listens there does again when it is handed over anew. `last`: not yet, the others let go of it first,
   * and what they leave in its queue is taken here.
   */
  shut(host: string, port: number, last = false): void {
    const place = this.#placeAt(host, port);
    if (last) place.isLast = true;
    else this.#giveUp(place);
    this.#settle(place);
  }

  listen({ host, port }: ListenOptions, accept: Accept): Listener {
    const place = this.#placeAt(host, port);
    place.accept = accept;
    this.#settle(place);
    const close = (): void => {
      if (place.accept !== accept) return;
      place.accept = null;
      this.#settle(place);
    };
    return { port, close };
  }

  adopt(descriptor: number, accept: Accept): Listener {
    return this.options.net.adopt(descriptor, accept);
  }

  /** From now on connections are taken, or left to the other loops. */
  change(accepts: boolean): void {
    this.#accepts = accepts;
    for (const place of this.#places.values()) this.#settle(place);
  }

  #placeAt(host: string, port: number): Place {
    const key = `${host}:${port}`;
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    const place: Place = { host, port, descriptor: null, isLast: false, accept: null, listener: null };
    this.#places.set(key, place);
    return place;
  }

  #settle(place: Place): void {
    const { descriptor, isLast, accept, listener } = place;
    const wanted = (this.#accepts || isLast) && descriptor !== null && accept !== null;
    if (wanted && listener === null) {
      const { net, ports } = this.options;
      place.listener = net.adopt(ports.duplicate(descriptor), (socket) => this.#accept(place, socket));
    }
    if (!wanted && listener !== null) {
      listener.close();
      place.listener = null;
    }
    if (descriptor === null && accept === null) this.#places.delete(`${place.host}:${place.port}`);
  }

  #accept({ accept }: Place, socket: Socket): SocketHandler {
    const handler = accept === null ? refuse(socket) : accept(socket);
    this.options.accepted();
    return handler;
  }

  #giveUp(place: Place): void {
    const { descriptor } = place;
    place.isLast = false;
    if (descriptor === null) return;
    place.listener?.close();
    place.listener = null;
    place.descriptor = null;
    // The one way to close a descriptor that listens.
    this.options.net.adopt(descriptor, refuse).close();
  }
}

function refuse(socket: Socket): SocketHandler {
  socket.reset();
  return { data() {}, drain() {}, end() {}, close() {} };
}

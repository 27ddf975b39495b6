/**
 * The listeners of a service, over a restart: when it ends, its manager keeps their sockets, and the process that comes after it goes on
 * with them. Where no manager is there to keep them they are as any others.
 */
import type {
  BindOptions,
  BoundPort,
  Clock,
  Listener,
  ListenOptions,
  Net,
  Runtime,
} from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import { sameHost, SocketStore, type StoredSocket } from "../systemd/socket_store.ts";

type Accept = Parameters<Net["listen"]>[1];

export class KeptListeners {
  readonly #store: SocketStore;
  /** From the process before, and not wanted yet. */
  readonly #inherited = new Map<string, StoredSocket>();
  /** Sockets of the listeners that stand; of all that stood, once it ends. */
  readonly #bound = new Map<string, BoundPort>();
  #ends = false;

  constructor(readonly runtime: Pick<Runtime, "net" | "ports" | "native" | "process" | "clock">) {
    this.#store = new SocketStore(runtime.native, runtime.process);
    for (const socket of this.#store.take()) this.#inherited.set(keyOf(socket), socket);
    if (this.#inherited.size > 0)
      runtime.clock.after(limits.storedSocketsMs, () => this.#closeUnwanted(), true);
  }

  /** The network of the host, with listeners that are kept. */
  get net(): Net {
    return { ...this.runtime.net, listen: (options, accept) => this.listen(options, accept) };
  }

  /** There is a socket for it already. */
  has(options: ListenOptions): boolean {
    const key = keyOf(options);
    return this.#inherited.has(key) || this.#bound.has(key);
  }

  listen(options: ListenOptions, accept: Accept): Listener {
    const { net, ports } = this.runtime;
    if (!this.#keeps(options)) return net.listen(options, accept);
    const bound = this.bind(options);
    const listener = net.adopt(ports.duplicate(bound.descriptor), accept);
    return {
      port: bound.port,
      close: () => {
        listener.close();
        bound.close();
      },
    };
  }

  /** A port that others accept from. */
  bind(options: BindOptions): BoundPort {
    const { ports } = this.runtime;
    if (!this.#keeps(options)) return ports.bind(options);
    const key = keyOf(options);
    const bound = this.#bound.get(key) ?? this.#inherit(key) ?? ports.bind(options);
    this.#bound.set(key, bound);
    // Once the service ends, whoever comes waits for the next process.
    return { ...bound, close: () => void (!this.#ends && this.#bound.delete(key) && bound.close()) };
  }

  #keeps({ port }: ListenOptions): boolean {
    return port !== 0 && this.#store.usable;
  }

  /** The service ends: what listens now is kept for the process after it. */
  async leave(): Promise<void> {
    this.#ends = true;
    if (!this.#store.usable) return;
    const { clock } = this.runtime;
    for (const { descriptor } of [...this.#bound.values()].slice(0, limits.storedSocketsMax)) {
      let sent = this.#store.keep(descriptor);
      for (let tries = 0; sent === "later" && tries < limits.managerFullTries; tries++) {
        await pause(clock, limits.managerFullMs);
        sent = this.#store.keep(descriptor);
      }
      if (sent !== "sent") return;
    }
  }

  #inherit(key: string): BoundPort | null {
    const socket = this.#inherited.get(key);
    if (socket === undefined) return null;
    this.#inherited.delete(key);
    return { ...socket, close: () => this.#discard(socket) };
  }

  #closeUnwanted(): void {
    for (const socket of this.#inherited.values()) this.#discard(socket);
    this.#inherited.clear();
  }

  /** Whoever stands in its queue is let go. */
  #discard({ descriptor }: StoredSocket): void {
    this.runtime.net.adopt(descriptor, refuse).close();
  }
}

const refuse: Accept = (socket) => {
  socket.reset();
  return { data() {}, drain() {}, end() {}, close() {} };
};

function keyOf({ host, port }: Pick<ListenOptions, "host" | "port">): string {
  return socketAddress(sameHost(host), port);
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((done) => void clock.after(ms, done));
}

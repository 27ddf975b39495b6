/**
 * The sockets of a service, over a restart: when it ends, its manager keeps them, and the process that comes after it goes on
 * with them. Where no manager is there to keep them they are as any others. One that is taken over from gives them to its successor itself.
 */
import type {
  BindOptions,
  BoundPort,
  Clock,
  Listener,
  ListenOptions,
  Net,
  Runtime,
  UdpSocket,
} from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import { sameHost, SocketStore, type StoredSocket } from "../systemd/socket_store.ts";

type Accept = Parameters<Net["listen"]>[1];
type Receive = Parameters<Net["udp"]>[1];

export class KeptListeners {
  readonly #store: SocketStore;
  /** From the process before, and not wanted yet. */
  readonly #inherited = new Map<string, StoredSocket>();
  /** Sockets of the listeners that stand; of all that stood, once it ends. */
  readonly #bound = new Map<string, BoundPort>();
  readonly #datagrams = new Map<string, number>();
  #ends = false;

  /** `given`: by the process that this one takes over from. */
  constructor(
    readonly runtime: Pick<Runtime, "net" | "ports" | "native" | "process" | "clock">,
    given: readonly StoredSocket[] = [],
  ) {
    this.#store = new SocketStore(runtime.native, runtime.process);
    this.takeOver([...this.#store.take(), ...given]);
  }

  /** Before anything listens: sockets of the process that this one takes over from. */
  takeOver(given: readonly StoredSocket[]): void {
    for (const socket of given) this.#inherited.set(keyOf(socket), socket);
    if (given.length > 0) this.runtime.clock.after(limits.storedSocketsMs, () => this.#closeUnwanted(), true);
  }

  /** The network of the host, with listeners that are kept. */
  get net(): Net {
    return {
      ...this.runtime.net,
      listen: (options, accept) => this.listen(options, accept),
      udp: (options, receive) => this.udp(options, receive),
    };
  }

  /** Descriptors of all that it has, for a successor. */
  get descriptors(): readonly number[] {
    const bound = [...this.#bound.values(), ...this.#inherited.values()].map(({ descriptor }) => descriptor);
    return [...bound, ...this.#datagrams.values()];
  }

  /** There is a socket for it already. */
  has(options: ListenOptions, transport: StoredSocket["transport"] = "tcp"): boolean {
    const key = keyOf({ ...options, transport });
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
    const key = keyOf({ ...options, transport: "tcp" });
    const bound = this.#bound.get(key) ?? this.#inherit(key) ?? ports.bind(options);
    this.#bound.set(key, bound);
    // Once the service ends, whoever comes waits for the next process.
    return { ...bound, close: () => void (!this.#ends && this.#bound.delete(key) && bound.close()) };
  }

  /** Datagrams that come between two processes wait for the second one. */
  async udp(options: ListenOptions, receive: Receive): Promise<UdpSocket> {
    const { net } = this.runtime;
    if (!this.#keeps(options)) return await net.udp(options, receive);
    const key = keyOf({ ...options, transport: "udp" });
    const inherited = this.#inherited.get(key);
    this.#inherited.delete(key);
    const socket = await (inherited === undefined
      ? net.udp(options, receive)
      : net.adoptUdp(inherited.descriptor, receive));
    if (socket.descriptor !== null) this.#datagrams.set(key, socket.descriptor);
    return {
      ...socket,
      close: () => {
        this.#datagrams.delete(key);
        socket.close();
      },
    };
  }

  #keeps({ port }: ListenOptions): boolean {
    return port !== 0 && this.#store.usable;
  }

  /** What listens now stays, whoever closes it, until this process ends: its successor goes on with it. */
  hold(): void {
    this.#ends = true;
  }

  /** The service ends: what listens now is kept for the process after it. */
  async leave(): Promise<void> {
    this.hold();
    if (!this.#store.usable) return;
    const { clock } = this.runtime;
    const bound = [...this.#bound.values()].map(({ descriptor }) => descriptor);
    for (const descriptor of [...this.#datagrams.values(), ...bound].slice(0, limits.storedSocketsMax)) {
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
  #discard({ descriptor, transport }: StoredSocket): void {
    const { net } = this.runtime;
    if (transport === "tcp") net.adopt(descriptor, refuse).close();
    else
      net
        .adoptUdp(descriptor, () => {})
        .then(
          (socket) => socket.close(),
          () => {},
        );
  }
}

const refuse: Accept = (socket) => {
  socket.reset();
  return { data() {}, drain() {}, end() {}, close() {} };
};

function keyOf({ host, port, transport }: Pick<StoredSocket, "host" | "port" | "transport">): string {
  return `${transport} ${socketAddress(sameHost(host), port)}`;
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((done) => void clock.after(ms, done));
}

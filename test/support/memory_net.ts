/**
 * A network and a clock inside one process: every event in one queue, time stands still unless a test moves it. What is read
 * is a view into one reused buffer, as a real socket hands it out. TLS shows certificates and hides nothing (`memory_tls.ts`).
 * So thousands of connections take a second, and nothing depends on luck.
 */
import type {
  Clock,
  ConnectOptions,
  Dial,
  DialHandler,
  Listener,
  ListenOptions,
  Net,
  Socket,
  SocketError,
  SocketHandler,
  Timer,
  TlsClientOptions,
  TlsServerOptions,
  TlsSession,
} from "../../runtime/contract.ts";
import { clientHello, numberOfHello, shakeHands } from "./memory_tls.ts";

/** What waits for a promise that waits for another one is done by then. */
const promiseTurns = 10;

type Task = () => void;

const resetError: SocketError = {
  kind: "reset",
  code: "ECONNRESET",
  message: "the peer reset the connection",
};
const lateError: SocketError = { kind: "timeout", code: "ETIMEDOUT", message: "no handshake in time" };
const refusedError: SocketError = { kind: "refused", code: "ECONNREFUSED", message: "nobody listens there" };
const silent: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };

export interface MemoryNetOptions {
  /** Bytes that a connection takes in each direction before its reader took any. Default: no end. */
  readonly bufferBytes?: number;
}

export class MemoryNet implements Net {
  readonly clock: MemoryClock;
  readonly bufferBytes: number;
  /** Connections that were made, plain and of TLS. */
  connections = 0;
  readonly #tasks: Task[] = [];
  readonly #listeners = new Map<number, (socket: Socket) => SocketHandler>();
  readonly #scratch = new Uint8Array(64 * 1024);
  /** By the number of its ClientHello: what a client offers that nobody has answered. */
  readonly #offers = new Map<number, Offer>();
  #hellos = 0;
  #nextPort = 20_000;

  constructor(options: MemoryNetOptions = {}) {
    this.bufferBytes = options.bufferBytes ?? Number.POSITIVE_INFINITY;
    this.clock = new MemoryClock((task) => this.soon(task));
  }

  soon(task: Task): void {
    this.#tasks.push(task);
  }

  /** As `settle`, at once: for what waits for no promise. */
  run(): void {
    for (let at = 0; at < this.#tasks.length; at++) (this.#tasks[at] as Task)();
    this.#tasks.length = 0;
  }

  /** One event after the other, until the condition holds. Throws when nothing is left that could bring it about. */
  stepUntil(condition: () => boolean): void {
    while (!condition()) {
      const task = this.#tasks.shift();
      if (task === undefined) throw new Error("Nothing is under way any more");
      task();
    }
  }

  /** Until nothing is under way any more; time does not pass. */
  async settle(): Promise<void> {
    for (;;) {
      this.run();
      for (let turn = 0; turn < promiseTurns && this.#tasks.length === 0; turn++) await Promise.resolve();
      if (this.#tasks.length === 0) return;
    }
  }

  /** Moves the clock, firing what becomes due in order. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await this.settle();
    while (this.clock.fireNext(until)) await this.settle();
  }

  listen(options: ListenOptions, accept: (socket: Socket) => SocketHandler): Listener {
    const port = options.port === 0 ? this.#nextPort++ : options.port;
    this.#listeners.set(port, accept);
    return { port, close: () => void this.#listeners.delete(port) };
  }

  connect(options: ConnectOptions, dial: DialHandler): Dial {
    const { tls } = options;
    let cancelled = false;
    let near: MemorySocket | null = null;
    this.soon(() => {
      const accept = this.#listeners.get(options.port);
      if (cancelled) return;
      if (accept === undefined) return dial.failed(refusedError);
      this.connections++;
      near = new MemorySocket(this, this.#scratch, options.port);
      const far = new MemorySocket(this, this.#scratch, options.port, options.localAddress);
      near.peer = far;
      far.peer = near;
      if (tls !== undefined) this.#offer(near, tls, dial);
      far.handler = accept(far);
      if (tls === undefined) near.handler = dial.opened(near);
      else near.write(this.#hello(near, tls));
    });
    return {
      cancel: () => {
        cancelled = true;
        if (tls !== undefined && near?.tls === null) near.destroy();
      },
    };
  }

  /** By it the server finds whom it answers, also where somebody passed it on. */
  #hello(near: MemorySocket, { serverName }: TlsClientOptions): Uint8Array {
    if (near.offer !== null) this.#offers.set(++this.#hellos, near.offer);
    return clientHello(serverName, this.#hellos);
  }

  /** Says what its client wants of TLS, and waits for an answer. */
  #offer(near: MemorySocket, tls: TlsClientOptions, dial: DialHandler): void {
    let over = false;
    const end = (error: SocketError): void => {
      if (over) return;
      over = true;
      timer.cancel();
      near.destroy();
      dial.failed(error);
    };
    const timer = this.clock.after(tls.handshakeTimeoutMs, () => end(lateError));
    near.handler = {
      data: () =>
        end({ kind: "tls", code: "ERR_SSL_WRONG_VERSION_NUMBER", message: "the peer speaks no TLS" }),
      drain() {},
      end: () => end(resetError),
      close: (error) => end(error ?? resetError),
    };
    near.offer = {
      options: tls,
      answer: (session) => {
        if ("kind" in session) return end(session);
        if (over) return;
        over = true;
        timer.cancel();
        near.tls = session;
        near.handler = dial.opened(near);
      },
    };
  }

  adopt(): Listener {
    throw new Error("There are no descriptors in memory");
  }

  /** What a test says of connections that were redirected. */
  originalDestination: Net["originalDestination"] = () => null;

  secureServer(socket: Socket, options: TlsServerOptions, received: Uint8Array, dial: DialHandler): Dial {
    const near = socket as MemorySocket;
    const number = numberOfHello(received);
    const offer = this.#offers.get(number) ?? null;
    this.#offers.delete(number);
    let cancelled = false;
    near.handler = silent;
    this.soon(() => {
      if (cancelled || offer === null) return;
      const { client, server } = shakeHands(offer.options, options, this.clock.wallMs());
      // A client is done first: it hears of a server's refusal by the end of the connection.
      offer.answer(client);
      const error = "kind" in client ? client : "kind" in server ? server : null;
      if (error !== null) {
        near.destroy();
        return dial.failed(error);
      }
      near.tls = server as TlsSession;
      near.handler = dial.opened(near);
    });
    return {
      cancel: () => {
        cancelled = true;
        near.destroy();
      },
    };
  }

  adoptUdp(): Promise<never> {
    return this.udp();
  }

  udp(): Promise<never> {
    return Promise.reject(new Error("There is no UDP in memory"));
  }
}

interface Offer {
  readonly options: TlsClientOptions;
  readonly answer: (session: TlsSession | SocketError) => void;
}

class MemorySocket implements Socket {
  handler: SocketHandler = silent;
  peer: MemorySocket | null = null;
  readonly remotePort = 1;
  tls: TlsSession | null = null;
  /** Of a client that wants TLS and has none yet. */
  offer: Offer | null = null;
  /** What the peer wrote, in order; null is its FIN. */
  #inbox: (Uint8Array | null)[] = [];
  #inboxBytes = 0;
  /** Its writer was told to wait. */
  #owesDrain = false;
  #paused = false;
  #waking = false;
  #finSent = false;
  #finSeen = false;
  #closed = false;

  constructor(
    readonly net: MemoryNet,
    readonly scratch: Uint8Array,
    readonly localPort: number,
    readonly remoteAddress = "127.0.0.1",
  ) {}

  write(bytes: Uint8Array, start = 0, end = bytes.length): number {
    if (this.#closed || this.#finSent) return -1;
    const room = this.peer?.room ?? 0;
    const taken = Math.min(end - start, room);
    if (taken > 0) this.peer?.receive(bytes.slice(start, start + taken));
    if (taken < end - start) this.peer?.oweDrain();
    return taken;
  }

  /** Bytes that it takes now. Where nobody reads any more all are taken, and lost. */
  get room(): number {
    return this.#closed ? Number.POSITIVE_INFINITY : Math.max(0, this.net.bufferBytes - this.#inboxBytes);
  }

  oweDrain(): void {
    this.#owesDrain = true;
  }

  pause(): void {
    this.#paused = true;
  }

  limitInput(): void {}

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  shutdown(): void {
    if (this.#finSent || this.#closed) return;
    this.#finSent = true;
    this.peer?.receive(null);
    this.#closeWhenOver();
  }

  destroy(): void {
    if (this.#closed) return;
    this.shutdown();
    this.#close(null);
  }

  reset(): void {
    if (this.#closed) return;
    const { peer } = this;
    this.net.soon(() => peer?.torn());
    this.#close(null);
  }

  receive(piece: Uint8Array | null): void {
    // Nobody reads here any more: the writer is told by a reset.
    if (this.#closed && piece !== null) return this.net.soon(() => this.peer?.torn());
    this.#inbox.push(piece);
    this.#inboxBytes += piece?.length ?? 0;
    this.#wake();
  }

  torn(): void {
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#close(resetError);
  }

  #wake(): void {
    if (this.#waking) return;
    this.#waking = true;
    this.net.soon(() => {
      this.#waking = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (!this.#paused && !this.#closed) {
      const piece = this.#inbox.shift();
      if (piece === undefined) return;
      if (piece === null) {
        this.#finSeen = true;
        this.handler.end();
        this.#closeWhenOver();
        continue;
      }
      const length = Math.min(piece.length, this.scratch.length);
      if (length < piece.length) this.#inbox.unshift(piece.subarray(length));
      this.#inboxBytes -= length;
      this.scratch.set(piece.subarray(0, length));
      this.handler.data(this.scratch.subarray(0, length));
      this.scratch.fill(0x21, 0, length);
      if (this.#owesDrain) this.#tellRoom();
    }
  }

  #tellRoom(): void {
    this.#owesDrain = false;
    this.net.soon(() => this.peer?.drained());
  }

  drained(): void {
    if (!this.#closed) this.handler.drain();
  }

  #closeWhenOver(): void {
    if (this.#finSent && this.#finSeen) this.#close(null);
  }

  #close(error: SocketError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.net.soon(() => this.handler.close(error));
  }
}

interface Due {
  readonly atMs: number;
  readonly call: Task;
}

class MemoryClock implements Clock {
  #nowMs = 1_000;
  #due: Due[] = [];

  constructor(readonly soon: (task: Task) => void) {}

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Date.UTC(2030, 0, 1) + this.#nowMs;
  }

  after(delayMs: number, call: Task): Timer {
    const due = { atMs: this.#nowMs + delayMs, call };
    this.#due.push(due);
    return { cancel: () => void (this.#due = this.#due.filter((each) => each !== due)) };
  }

  microtask(call: Task): void {
    queueMicrotask(call);
  }

  /** Fires the first one that is due by then; false, and the time is `untilMs`, when there is none. */
  fireNext(untilMs: number): boolean {
    const next = this.#due.toSorted((a, b) => a.atMs - b.atMs)[0];
    if (next === undefined || next.atMs > untilMs) {
      this.#nowMs = untilMs;
      return false;
    }
    this.#due = this.#due.filter((each) => each !== next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.call();
    return true;
  }
}

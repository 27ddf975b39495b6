/** Whoever asked for an opaque connection, while it is not known where it leads: an accepted socket, or a CONNECT exchange. */
import type { PeerCertificate, Socket, SocketError, SocketHandler } from "../../../runtime/contract.ts";
import type { ClientWatch, ServerExchange } from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import { joined } from "../../base/bytes.ts";
import { noEdits } from "../../wire/fields.ts";
import { ExchangeEnd } from "./exchange_end.ts";
import type { PipeEnd } from "./pipe.ts";
import { rescue } from "../failure/rescue.ts";
import type { Flow } from "../share/flow.ts";
import { brokenSocket, SocketEnd } from "./socket_end.ts";

export interface Downstream {
  /** Called once when the client leaves first. */
  left: ((outcome: Outcome) => void) | null;
  /** Where the client's connection comes from: `10.0.0.7:51230`; "" when unknown. */
  readonly client: string;
  /** The client that it belongs to; null: the connection is all of it. */
  readonly flow: Flow | null;
  /** Given by whoever asked; null when it has none yet. */
  readonly requestId: string | null;
  /** What it showed, when the connection is its own; revocation cuts by it. */
  readonly peer: PeerCertificate | null;
  /** The connection stands: says so, and becomes an end of its pipe. */
  join(): PipeEnd;
  /** It leads nowhere, and the client must notice. */
  refuse(outcome: Outcome): void;
}

/** Waits, paused, and only notices that the client leaves. */
export class DownstreamSocket implements Downstream, SocketHandler {
  left: ((outcome: Outcome) => void) | null = null;
  readonly flow = null;
  readonly requestId = null;
  #early: Uint8Array | null;
  #ended = false;

  constructor(
    readonly socket: Socket,
    readonly client: string,
    /** Bytes that were read already. */
    early: Uint8Array | null = null,
  ) {
    this.#early = early;
    socket.pause();
  }

  get peer(): PeerCertificate | null {
    return this.socket.tls?.peer ?? null;
  }

  join(): PipeEnd {
    this.left = null;
    return new SocketEnd(this.socket, "downstream", { bytes: this.#early, ended: this.#ended });
  }

  /** Another handler has the socket from now on, and hears what was read already. */
  handOver(handler: SocketHandler): void {
    this.socket.handler = handler;
    if (this.#early !== null) handler.data(this.#early);
    if (this.#ended) this.socket.handler.end();
  }

  /** A reset, never an empty but complete stream. */
  refuse(): void {
    this.left = null;
    this.socket.reset();
  }

  /** The socket itself is paused: only what was read before comes here. */
  data(chunk: Uint8Array): void {
    this.#early = this.#early === null ? chunk.slice() : joined(this.#early, chunk);
  }

  drain(): void {}

  end(): void {
    this.#ended = true;
  }

  close(error: SocketError | null): void {
    this.left?.(brokenSocket(error, "downstream") ?? clientLeft);
    this.left = null;
  }
}

/** Its client hears an HTTP status. */
export class DownstreamExchange implements Downstream, ClientWatch {
  left: ((outcome: Outcome) => void) | null = null;
  readonly peer = null;

  constructor(
    readonly exchange: ServerExchange,
    readonly about: {
      readonly client: string;
      readonly flow: Flow;
      readonly requestId: string;
      /** The client is another proxy. */
      readonly inside: boolean;
    },
  ) {
    exchange.watch(this);
  }

  get client(): string {
    return this.about.client;
  }

  get flow(): Flow {
    return this.about.flow;
  }

  get requestId(): string {
    return this.about.requestId;
  }

  aborted(outcome: Outcome): void {
    const { left } = this;
    this.left = null;
    left?.(outcome);
  }

  join(): PipeEnd {
    this.left = null;
    this.exchange.respond(200, null, noEdits, -1);
    return new ExchangeEnd(this.exchange);
  }

  refuse(outcome: Outcome): void {
    this.left = null;
    rescue(this.exchange, outcome, this.about.requestId, this.about.inside);
  }
}

const clientLeft: Outcome = {
  flag: "DC",
  side: "downstream",
  repeat: "no",
  status: 499,
  detail: "the client closed the connection before it led anywhere",
};

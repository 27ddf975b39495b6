/** The smallest proxy there is, out of the HTTP/1 drivers alone, in memory and at once: for fuzzing whole connections. */
import type { Socket, SocketHandler } from "../../runtime/contract.ts";
import type { ClientStream, ServerExchange } from "../../src/http/exchange.ts";
import { Http1Client } from "../../src/http/h1_client.ts";
import { Http1Server } from "../../src/http/h1_server.ts";
import { Http2Server } from "../../src/http/h2_server.ts";
import { Shard } from "../../src/http/shard.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import { noEdits } from "../../src/wire/fields.ts";
import { profiles } from "../../src/wire/h2/settings.ts";
import { RawBackend } from "../conformance/http1/backend.ts";
import { readMessage, type Message } from "../conformance/http1/message.ts";
import { preface } from "../support/h2_frames.ts";
import { MemoryNet } from "../support/memory_net.ts";
import { bytesOf, textOf } from "../support/wire.ts";

/** On answers that the relay makes itself. */
export const failedField = "x-relay-failed";

/** What can be seen of one connection from outside. */
export interface Relayed {
  readonly answers: readonly Message[];
  /** Octets to the client behind whole answers, while its connection was not reset. */
  readonly rest: string;
  readonly end: "closed" | "reset" | "open";
  readonly requests: readonly Message[];
  /** Octets to the backend that make no request. */
  readonly unread: string;
}

export interface Http2Relayed extends Pick<Relayed, "requests" | "unread"> {
  readonly heard: Uint8Array;
  readonly ended: boolean;
}

const local = { host: "127.0.0.1", port: 0 };
/** Within which the connection of a client that left ends, whatever that client leaves undone: an answer that has no room waits for minutes. */
const leftMs = 700_000;

export class Relays {
  readonly #net = new MemoryNet();
  readonly #shard = new Shard(this.#net.clock);
  readonly #backend = new RawBackend(this.#net, (call) => this.#net.soon(call), local);
  #clients: Http1Client[] = [];
  #idle: Http1Client[] = [];
  /** Instead of the backend: what is said to any request. */
  #script: readonly string[] | null = null;
  readonly #scriptedPort: number;
  readonly #port: number;
  readonly #http2Port: number;

  constructor() {
    const connection = { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" };
    const handler = (exchange: ServerExchange): void => this.#serve(exchange);
    this.#port = this.#net.listen(
      local,
      (socket) => new Http1Server(socket, { shard: this.#shard, connection, handler }),
    ).port;
    const options = { shard: this.#shard, profile: profiles.local, connection, handler };
    this.#http2Port = this.#net.listen(local, (socket) => new Http2Server(socket, options)).port;
    this.#scriptedPort = this.#net.listen(local, (socket) => this.#scripted(socket)).port;
  }

  /** A client that sends the pieces and leaves. */
  fromClient(pieces: readonly string[]): Relayed {
    this.#script = null;
    return this.#run(pieces);
  }

  /** An HTTP/2 client that sends the pieces behind its preface and leaves. Returns what it heard, too. */
  fromHttp2Client(pieces: readonly Uint8Array[]): Http2Relayed {
    this.#script = null;
    this.#backend.begin({});
    const client = new RelayClient();
    this.#dial(this.#http2Port, client);
    for (const piece of [preface, ...pieces]) {
      client.socket?.write(piece);
      this.#net.run();
    }
    client.socket?.shutdown();
    this.#net.run();
    // A client that is served slowly is read, to its end, as time passes.
    const untilMs = this.#net.clock.now() + leftMs;
    while (this.#net.clock.fireNext(untilMs)) this.#net.run();
    const unread = this.#backend.partial.join("");
    const requests = this.#backend.requests.map(steady);
    const ended = client.ended || client.closed;
    this.#clear(client);
    return { requests, unread, heard: bytesOf(client.text), ended };
  }

  /** A backend that answers a plain request with the pieces and ends its connection. */
  fromBackend(pieces: readonly string[]): Relayed {
    this.#script = pieces;
    return this.#run(["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]);
  }

  #run(pieces: readonly string[]): Relayed {
    this.#backend.begin({});
    const client = new RelayClient();
    this.#dial(this.#port, client);
    for (const piece of pieces) {
      client.socket?.write(bytesOf(piece));
      this.#net.run();
    }
    if (this.#script === null) client.socket?.shutdown();
    this.#net.run();
    const unread = this.#backend.partial.join("");
    const requests = this.#backend.requests.map(steady);
    const end = client.reset ? "reset" : client.closed ? "closed" : "open";
    this.#clear(client);
    const { answers, rest } = answersIn(client.text, requests, client.ended);
    return { answers, rest: client.reset ? "" : rest, end, requests, unread };
  }

  #dial(port: number, client: RelayClient): void {
    const handler = { opened: (socket: Socket) => client.begin(socket), failed: () => {} };
    this.#net.connect({ ...local, port, timeoutMs: 1 }, handler);
    this.#net.run();
  }

  #clear(client: RelayClient): void {
    client.socket?.reset();
    for (const each of this.#clients) each.destroy();
    this.#clients = [];
    this.#idle = [];
    this.#net.run();
  }

  #serve(exchange: ServerExchange): void {
    if (exchange.request.upgrade === "connect") return refuse(exchange, 405);
    const relay = new Relay(exchange);
    const idle = this.#idle.pop();
    if (idle !== undefined) return relay.begin(idle);
    const port = this.#script === null ? this.#backend.port : this.#scriptedPort;
    this.#net.connect(
      { ...local, port, timeoutMs: 1 },
      {
        opened: (socket) => {
          const client = this.#client(socket);
          this.#shard.enter();
          relay.begin(client);
          this.#shard.leave();
          return client.handler;
        },
        failed: () => refuse(exchange, 503),
      },
    );
  }

  #client(socket: Socket): Http1Client {
    const client = new Http1Client(socket, {
      shard: this.#shard,
      peer: "backend",
      onIdle: (idle) => void this.#idle.push(idle),
      onRetired: (gone) => void (this.#idle = this.#idle.filter((each) => each !== gone)),
    });
    this.#clients.push(client);
    return client;
  }

  #scripted(socket: Socket): SocketHandler {
    let answered = false;
    const say = (index: number): void => {
      const piece = this.#script?.[index];
      if (piece === undefined) return socket.shutdown();
      socket.write(bytesOf(piece));
      this.#net.soon(() => say(index + 1));
    };
    return {
      data: () => {
        if (!answered) say(0);
        answered = true;
      },
      drain() {},
      end: () => socket.shutdown(),
      close() {},
    };
  }
}

class RelayClient implements SocketHandler {
  socket: Socket | null = null;
  text = "";
  ended = false;
  closed = false;
  reset = false;

  begin(socket: Socket): this {
    this.socket = socket;
    return this;
  }

  data(chunk: Uint8Array): void {
    this.text += textOf(chunk);
  }

  drain(): void {}

  end(): void {
    this.ended = true;
    this.socket?.shutdown();
  }

  close(error: object | null): void {
    this.closed = true;
    this.reset = error !== null;
  }
}

/** Methods of the requests decide how their answers are read; what the relay refuses itself has no request. */
function answersIn(
  text: string,
  requests: readonly Message[],
  ended: boolean,
): { answers: Message[]; rest: string } {
  const answers: Message[] = [];
  let at = 0;
  let finals = 0;
  for (;;) {
    const method = requests[finals]?.line.split(" ", 1)[0] ?? "GET";
    const read = readMessage(text, at, { method, ended });
    if (typeof read === "string") return { answers, rest: text.slice(at) };
    answers.push(steady(read));
    at = read.end;
    if (read.status >= 200) finals++;
  }
}

/** Without what depends on the time, on chance, or on how a body was cut into chunks. */
function steady(message: Message): Message {
  const fields = message.fields.filter((field) => !/^(?:date|sec-websocket-key): /.test(field));
  return { ...message, end: 0, fields };
}

function refuse(exchange: ServerExchange, status: number): void {
  exchange.respond(status, null, { ...noEdits, set: [failedField, "yes"] }, 0);
  exchange.end(null);
}

class Relay {
  #stream: ClientStream | null = null;
  #started = false;

  constructor(readonly exchange: ServerExchange) {}

  begin(client: Http1Client): void {
    const { exchange } = this;
    const stream = client.start(exchange.request, noEdits, {
      informational: (status, fields) => exchange.inform(status, fields, noEdits),
      head: (head) => {
        this.#started = true;
        const edits = { ...noEdits, remove: head.nominated ?? [] };
        exchange.respond(head.status, head.fields, edits, head.contentLength);
      },
      data: (bytes, start, end) => {
        if (!exchange.write(bytes, start, end)) this.#stream?.pause();
      },
      end: (trailers) => exchange.end(trailers),
      failed: (outcome) => this.#fail(outcome),
      writable: () => exchange.resume(),
    });
    this.#stream = stream;
    exchange.accept({
      data: (bytes, start, end) => {
        if (!stream.write(bytes, start, end)) exchange.pause();
      },
      end: (trailers) => stream.end(trailers),
      aborted: () => stream.cancel(),
      writable: () => stream.resume(),
    });
  }

  #fail(outcome: Outcome): void {
    if (this.#started) this.exchange.abort();
    else refuse(this.exchange, outcome.status);
  }
}

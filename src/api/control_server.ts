/**
 * Serves a Hono app (anything that turns a Request into a Response) with the drivers of the data plane: over mTLS, where
 * each request knows its caller, or in clear text for loopback. Answers stream with backpressure.
 */
import { problemOf } from "../base/result.ts";
import type { Clock, Net, Socket, SocketHandler } from "../../runtime/contract.ts";
import { ByteQueue } from "../base/byte_queue.ts";
import { copyBytes } from "../base/bytes.ts";
import { sourceOf } from "../base/source_of.ts";
import { limits } from "../model/limits.ts";
import { noEdits, type FieldEdits } from "../wire/fields.ts";
import type { BodyRoom } from "./body_room.ts";
import { LinesTaken, linesProtocol, type LinesUp } from "./lines_up.ts";
import type { Caller, ControlHandler, ControlIdentity } from "./control.ts";
import type { ConnectionInfo, RequestSink, ServerExchange } from "../http/exchange.ts";
import { Http1Server } from "../http/h1_server.ts";
import { SecureStart } from "./secure_start.ts";
import type { Shard } from "../http/shard.ts";
import type { Stranger, Strangers } from "../http/strangers.ts";

export interface ControlServerOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly shard: Shard;
  readonly listen: { readonly host: string; readonly port: number };
  /** null: clear text. Otherwise read at each new connection. */
  readonly identity: (() => ControlIdentity) | null;
  readonly peer: "required" | "optional";
  /** Bounds the connections that have shown no certificate; null: their number is nobody's business. */
  readonly strangers: Strangers | null;
  readonly bodies: BodyRoom;
  readonly handler: ControlHandler;
}

export interface ControlServer {
  readonly port: number;
  /** Stops accepting, ends idle connections, lets requests under way finish until the deadline. */
  close(deadlineMs: number): Promise<void>;
}

export function serveControl(options: ControlServerOptions): ControlServer {
  const { net, clock, shard, identity, peer, strangers, bodies, handler } = options;
  const open = new Set<Http1Server>();
  const begin = (socket: Socket, stranger: Stranger | null): SocketHandler => {
    const caller = callerOf(socket);
    // Over TLS whoever shows no certificate comes to join, and is done soon.
    const passes = identity !== null && caller.certificate === null;
    const roots = identity === null || caller.certificate === null ? [] : identity().rootsPem;
    const over = passes ? clock.after(limits.strangerMs, () => server.destroy(), true) : null;
    const server = new Http1Server(socket, {
      shard,
      connection: connectionOf(socket),
      handler: (exchange) => {
        // Who is meant by it connects anew, with what it was given since.
        if (identity !== null && isOneGone(roots, identity().rootsPem)) return server.destroy();
        if (exchange.request.upgrade === "connect") server.retire();
        new Conversation(exchange, { handler, caller, bodies });
      },
      onClosed: () => {
        open.delete(server);
        over?.cancel();
        stranger?.leave();
      },
      hostOptional: true,
    });
    if (caller.certificate !== null) stranger?.leave();
    else if (stranger !== null) stranger.end = () => server.destroy();
    open.add(server);
    return server;
  };
  const listener = net.listen(options.listen, (socket) => {
    const stranger = strangers?.admit(socket.remoteAddress, () => socket.destroy()) ?? null;
    if (stranger === null && strangers !== null) {
      socket.destroy();
      return nobody;
    }
    const secured = (above: Socket): SocketHandler => begin(above, stranger);
    if (identity === null) return secured(socket);
    return new SecureStart(socket, { net, shard, identity, peer, stranger, secured });
  });
  return {
    port: listener.port,
    close: async (deadlineMs) => {
      listener.close();
      for (const server of open) server.retire();
      const until = clock.now() + deadlineMs;
      while (open.size > 0 && clock.now() < until) await new Promise<void>((done) => clock.after(20, done));
      for (const server of open) server.destroy();
    },
  };
}

/** Whether what vouched for a caller may be trusted no more. */
function isOneGone(before: readonly string[], now: readonly string[]): boolean {
  return before !== now && before.some((root) => !now.includes(root));
}

function callerOf(socket: Socket): Caller {
  const certificate = socket.tls?.peer ?? null;
  return { certificate, spiffeId: certificate?.uris[0] ?? null, remoteAddress: socket.remoteAddress };
}

function connectionOf(socket: Socket): ConnectionInfo {
  const { remoteAddress, remotePort, localPort, tls } = socket;
  return { remoteAddress, remotePort, localPort, peer: tls?.peer ?? null, serverName: tls?.serverName ?? "" };
}

/** Of a connection that is over. */
const nobody: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };

interface ConversationOptions {
  readonly handler: ControlHandler;
  readonly caller: Caller;
  readonly bodies: BodyRoom;
}

/** One exchange of a control API: body in, Request, Response, body out. */
class Conversation implements RequestSink {
  readonly #body = new ByteQueue();
  /** Of it, what was taken from the room that all share. */
  #taken = 0;
  #size = 0;
  #cancel: (() => void) | null = null;
  #resume: (() => void) | null = null;
  #gone = false;
  /** What takes the caller's lines. */
  #lines: LinesTaken | null = null;
  /** They come. */
  #both = false;
  readonly #sizeMax: number;

  constructor(
    readonly exchange: ServerExchange,
    readonly options: ConversationOptions,
  ) {
    const { caller } = options;
    this.#sizeMax =
      caller.certificate === null ? limits.controlStrangerBodyBytesMax : limits.controlBodyBytesMax;
    if (exchange.request.upgrade === "connect")
      this.#plain(405, "CONNECT leads nowhere from here", ["allow", "GET, HEAD, POST, PUT, DELETE"]);
    const { upgrade, contentLength } = exchange.request;
    exchange.keepUpgrade(upgrade === linesProtocol && contentLength > 0 ? [linesProtocol] : null);
    if (exchange.request.expectContinue) exchange.inform(100, null, noEdits);
    exchange.accept(this);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.exchange.finished) return;
    if (this.#both) return this.#takeLines(bytes.subarray(start, end));
    this.#size += end - start;
    if (this.#size > this.#sizeMax) this.#refuse(413, `The body is larger than ${this.#sizeMax} bytes`);
    else {
      this.#body.push(bytes, start, end);
      this.#weigh();
    }
  }

  end(): void {
    if (this.exchange.finished) return;
    if (this.#both) this.#leave();
    else void this.#serve();
  }

  #takeLines(bytes: Uint8Array): void {
    if (this.#lines?.take(bytes) === true) return;
    this.#leave();
    this.exchange.abort();
  }

  /** The caller hears no more, and says no more. */
  #leave(): void {
    this.#gone = true;
    this.#resume?.();
    this.#cancel?.();
  }

  aborted(): void {
    this.#forget();
    this.#leave();
  }

  writable(): void {
    this.#resume?.();
    this.#resume = null;
  }

  async #serve(): Promise<void> {
    try {
      await this.#send(await this.#ask());
    } catch (error) {
      if (this.#gone || this.exchange.finished) return;
      this.#plain(500, `The request failed: ${problemOf(error)}`);
    }
  }

  /** An answer may go on for long: the body counts no more once there is one. */
  async #ask(): Promise<Response> {
    const { handler, caller } = this.options;
    try {
      const lines: LinesUp = { take: (line) => void (this.#lines = new LinesTaken(line)) };
      return await handler(this.#request(), {
        caller,
        ...(this.exchange.request.upgrade === linesProtocol ? { lines } : {}),
      });
    } finally {
      this.#forget();
    }
  }

  /** Counts what the body takes; without room for it there is no answer but that. */
  #weigh(): void {
    const more = this.#body.capacity - this.#taken;
    if (this.options.bodies.take(this.#source, more)) this.#taken += more;
    else this.#refuse(503, "Too much waits to be answered here (controlBodiesBytesMax): try again");
  }

  #refuse(status: number, text: string): void {
    this.#forget();
    this.#plain(status, text);
  }

  #forget(): void {
    this.#body.discard();
    this.options.bodies.give(this.#source, this.#taken);
    this.#taken = 0;
  }

  get #source(): string {
    const { spiffeId, remoteAddress } = this.options.caller;
    return spiffeId ?? sourceOf(remoteAddress);
  }

  #request(): Request {
    const { method, target, fields } = this.exchange.request;
    const headers = new Headers();
    for (let index = 0; index < fields.count; index++)
      headers.append(fields.nameAt(index), fields.valueAt(index));
    const body = this.#size > 0 && method !== "GET" && method !== "HEAD" ? this.#bodyBytes() : null;
    return new Request(`http://control${target}`, { method, headers, body });
  }

  #bodyBytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#size);
    let at = 0;
    this.#body.forEach((bytes, start, end) => {
      copyBytes(all, at, bytes, start, end);
      at += end - start;
    });
    this.#body.discard();
    return all;
  }

  async #send(answer: Response): Promise<void> {
    const set: string[] = [];
    answer.headers.forEach((value, name) => {
      if (name !== "content-length" && name !== "transfer-encoding") set.push(name, value);
    });
    const edits: FieldEdits = { remove: [], set, add: [] };
    const declared = answer.headers.get("content-length");
    const length = answer.body === null ? 0 : declared === null ? -1 : Number(declared);
    this.#both = this.#lines !== null && answer.ok;
    this.exchange.respond(this.#both ? 101 : answer.status, null, edits, length);
    if (answer.body !== null) await this.#sendBody(answer.body);
    this.exchange.end(null);
  }

  async #sendBody(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    this.#cancel = () => void reader.cancel().catch(() => undefined);
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#gone) break;
      if (!this.exchange.write(value)) await new Promise<void>((resolve) => (this.#resume = resolve));
    }
    if (this.#gone) await reader.cancel().catch(() => undefined);
  }

  #plain(status: number, text: string, more: readonly string[] = []): void {
    if (this.exchange.finished) return;
    const bytes = new TextEncoder().encode(JSON.stringify({ error: text }));
    const set = ["content-type", "application/json", ...more];
    this.exchange.respond(status, null, { remove: [], set, add: [] }, bytes.length);
    this.exchange.write(bytes);
    this.exchange.end(null);
  }
}

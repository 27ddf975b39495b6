/**
 * Calls a control API over mTLS: JSON, bytes, and NDJSON streams that are watched for silence. Keeps one connection for
 * calls; a stream has one of its own.
 */
import { socketAddress } from "../base/socket_address.ts";
import { joined } from "../base/bytes.ts";
import type { Clock, Net, SocketError, SocketHandler, TlsClientOptions } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { noEdits, type FieldEdits } from "../wire/fields.ts";
import {
  ControlRefusal,
  ControlUnreachable,
  type ControlClient,
  type ControlIdentity,
  type ControlStream,
  type StreamHandler,
} from "./control.ts";
import type { ResponseHead, ResponseSink } from "../http/exchange.ts";
import { Http1Client } from "../http/h1_client.ts";
import { LineReader } from "./line_reader.ts";
import type { Shard } from "../http/shard.ts";

export interface ControlClientOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly shard: Shard;
  readonly host: string;
  readonly port: number;
  /** Read at each new connection. */
  readonly identity: () => ControlIdentity;
  /** Whether a server with this SPIFFE ID is the one that is meant. */
  readonly expect: (spiffeId: string) => boolean;
  readonly serverName: string;
  /** Any certificate will do: only for reading a root whose pin is known. */
  readonly unverified?: boolean;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

export function createControlClient(options: ControlClientOptions): ControlClient {
  return new Client(options);
}

class Client implements ControlClient {
  readonly #address: string;
  #idle: Http1Client | null = null;
  /** What each connection was made with. */
  readonly #identities = new WeakMap<Http1Client, ControlIdentity>();
  #closed = false;

  constructor(readonly options: ControlClientOptions) {
    this.#address = socketAddress(options.host, options.port);
  }

  async call(
    method: Method,
    path: string,
    body?: unknown,
    limitMs: number = limits.controlCallMs,
  ): Promise<{ status: number; body: unknown }> {
    const answer = await this.#exchange(method, path, body, limitMs);
    const parsed = parseJson(answer.bytes);
    if (answer.status >= 300) throw this.#refusal(answer.status, parsed, answer.bytes);
    return { status: answer.status, body: parsed };
  }

  async fetchBytes(path: string): Promise<Uint8Array> {
    const answer = await this.#exchange("GET", path, undefined, limits.controlCallMs);
    if (answer.status >= 300) throw this.#refusal(answer.status, parseJson(answer.bytes), answer.bytes);
    return answer.bytes;
  }

  stream(path: string, handler: StreamHandler, body?: unknown): ControlStream {
    const stream = new Follower(this.options, handler, (status, bytes) =>
      this.#refusal(status, parseJson(bytes), bytes),
    );
    this.#dial().then(
      (connection) => stream.begin(connection, path, body),
      (error: ControlUnreachable) => stream.ended(error),
    );
    return stream;
  }

  close(): void {
    this.#closed = true;
    this.#idle?.retire();
    this.#idle = null;
  }

  async #exchange(method: Method, path: string, body: unknown, limitMs: number): Promise<Answer> {
    for (;;) {
      const kept = this.#takeIdle();
      const reused = kept !== null;
      const connection = kept ?? (await this.#dial());
      try {
        return await this.#send(connection, method, path, body, limitMs);
      } catch (error) {
        // The usual race on a kept connection: it ended before this request was seen.
        if (!(reused && error instanceof LostRequest))
          throw error instanceof LostRequest ? error.reported : error;
      }
    }
  }

  #send(
    connection: Http1Client,
    method: Method,
    path: string,
    body: unknown,
    limitMs: number,
  ): Promise<Answer> {
    const bytes = body === undefined ? null : new TextEncoder().encode(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const chunks: Uint8Array[] = [];
      let size = 0;
      let status = 0;
      const timer = this.options.clock.after(limitMs, () => {
        connection.cancel();
        reject(this.#unreachable("timeout", `no answer to ${method} ${path} within ${limitMs} ms`));
      });
      const sink: ResponseSink = {
        informational() {},
        writable() {},
        head: (head) => {
          status = head.status;
        },
        data: (body, start, end) => {
          size += end - start;
          if (size <= limits.controlBodyBytesMax) chunks.push(body.slice(start, end));
          else {
            timer.cancel();
            connection.cancel();
            reject(
              this.#unreachable(
                "other",
                `the answer to ${method} ${path} is larger than ${limits.controlBodyBytesMax} bytes`,
              ),
            );
          }
        },
        end: () => {
          timer.cancel();
          resolve({ status, bytes: concatenated(chunks, size) });
        },
        failed: (outcome) => {
          timer.cancel();
          const reported = this.#unreachable("reset", outcome.detail);
          reject(outcome.repeat === "no" ? reported : new LostRequest(reported));
        },
      };
      const stream = connection.start(
        requestOf(method, path, this.options.serverName, bytes?.length ?? 0),
        bytes === null ? noEdits : jsonEdits,
        sink,
      );
      if (bytes !== null) stream.write(bytes);
      stream.end(null);
    });
  }

  /** The kept connection, unless what it showed or trusted was replaced since: that may have ended. */
  #takeIdle(): Http1Client | null {
    const idle = this.#idle;
    this.#idle = null;
    if (idle === null) return null;
    const used = this.#identities.get(idle);
    if (used !== undefined && isSameIdentity(used, this.options.identity())) return idle;
    idle.retire();
    return null;
  }

  #dial(): Promise<Http1Client> {
    const { net, host, port, shard, identity } = this.options;
    const used = identity();
    return new Promise((resolve, reject) => {
      net.connect(
        { host, port, timeoutMs: limits.controlConnectMs, tls: this.#tls(used) },
        {
          opened: (socket): SocketHandler => {
            const connection: Http1Client = new Http1Client(socket, {
              shard,
              peer: this.#address,
              onIdle: (idle) => this.#keep(idle),
              onRetired: (gone) => {
                if (this.#idle === gone) this.#idle = null;
              },
            });
            this.#identities.set(connection, used);
            resolve(connection);
            return connection.handler;
          },
          failed: (error) => reject(new ControlUnreachable(this.#address, error)),
        },
      );
    });
  }

  #keep(connection: Http1Client): void {
    if (this.#closed || (this.#idle !== null && this.#idle !== connection)) connection.retire();
    else this.#idle = connection;
  }

  #tls({ credential, rootsPem }: ControlIdentity): TlsClientOptions {
    return {
      ...(credential === null ? {} : { credential }),
      trustPem: rootsPem,
      alpn: ["http/1.1"],
      serverName: this.options.serverName,
      verify: this.options.unverified === true ? "unverified" : "chain",
      handshakeTimeoutMs: limits.tlsHandshakeMs,
      accept: (session) => {
        const [id, second] = session.peer?.uris ?? [];
        if (id === undefined || second !== undefined) return "its certificate has not exactly one URI name";
        return this.options.expect(id) ? null : `it is ${id}`;
      },
    };
  }

  #unreachable(kind: SocketError["kind"], message: string): ControlUnreachable {
    return new ControlUnreachable(this.#address, { kind, code: kind, message });
  }

  #refusal(status: number, parsed: unknown, bytes: Uint8Array): ControlRefusal {
    const problem = parsed as { error?: unknown } | null;
    const said =
      typeof problem?.error === "string"
        ? (problem as { error: string })
        : { error: `${status} ${new TextDecoder().decode(bytes.subarray(0, 200))}` };
    return new ControlRefusal(status, said, this.#address);
  }
}

/** The request may not have been seen. */
class LostRequest extends Error {
  constructor(readonly reported: ControlUnreachable) {
    super("lost");
  }
}

/** Follows one NDJSON answer, line by line. */
class Follower implements ControlStream, ResponseSink {
  #connection: Http1Client | null = null;
  #closed = false;
  #status = 0;
  /** Of an answer that is a refusal. */
  #refused: Uint8Array = new Uint8Array(0);
  readonly #lines = new LineReader(limits.streamLineBytesMax, (text) => {
    if (!this.#closed) this.handler.line(JSON.parse(text));
  });
  #lastMs = 0;

  constructor(
    readonly options: ControlClientOptions,
    readonly handler: StreamHandler,
    readonly refusal: (status: number, bytes: Uint8Array) => ControlRefusal,
  ) {}

  begin(connection: Http1Client, path: string, body: unknown): void {
    if (this.#closed) return connection.destroy();
    this.#connection = connection;
    this.#lastMs = this.options.clock.now();
    const bytes = body === undefined ? null : new TextEncoder().encode(JSON.stringify(body));
    const method = bytes === null ? "GET" : "POST";
    const stream = connection.start(
      requestOf(method, path, this.options.serverName, bytes?.length ?? 0),
      bytes === null ? noEdits : jsonEdits,
      this,
    );
    if (bytes !== null) stream.write(bytes);
    stream.end(null);
    this.#watch();
  }

  close(): void {
    this.#closed = true;
    this.#connection?.destroy();
  }

  ended(error: ControlRefusal | ControlUnreachable | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.handler.ended(error);
  }

  informational(): void {}
  writable(): void {}

  head(head: ResponseHead): void {
    this.#status = head.status;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#lastMs = this.options.clock.now();
    const chunk = bytes.subarray(start, end);
    if (this.#status >= 300) this.#refused = joined(this.#refused, chunk);
    else if (!this.#lines.take(chunk))
      return this.#tooLong(`a line of the stream has more than ${limits.streamLineBytesMax} bytes`);
    if (this.#refused.length > limits.controlBodyBytesMax)
      this.#tooLong(`the refusal has more than ${limits.controlBodyBytesMax} bytes`);
  }

  #tooLong(problem: string): void {
    this.#connection?.cancel();
    this.ended(this.#lost(problem));
  }

  end(): void {
    this.ended(this.#status >= 300 ? this.refusal(this.#status, this.#refused) : null);
  }

  failed(outcome: { readonly detail: string }): void {
    this.ended(this.#lost(outcome.detail));
  }

  #lost(message: string): ControlUnreachable {
    return new ControlUnreachable(socketAddress(this.options.host, this.options.port), {
      kind: "reset",
      code: "ECONNRESET",
      message,
    });
  }

  /** Three heartbeats of silence: the peer is gone without saying so. */
  #watch(): void {
    if (this.#closed) return;
    const silentMs = this.options.clock.now() - this.#lastMs;
    const leftMs = limits.streamHeartbeatMs * 3 - silentMs;
    if (leftMs > 0) {
      this.options.clock.after(leftMs, () => this.#watch(), true);
      return;
    }
    this.#connection?.cancel();
    this.ended(this.#lost(`nothing came for ${Math.round(silentMs / 1000)} s`));
  }
}

function isSameIdentity(one: ControlIdentity, other: ControlIdentity): boolean {
  const [roots, others] = [one.rootsPem, other.rootsPem];
  return (
    one.credential === other.credential &&
    roots.length === others.length &&
    roots.every((root, at) => root === others[at])
  );
}

const jsonEdits: FieldEdits = { remove: [], set: ["content-type", "application/json"], add: [] };

function requestOf(method: Method, target: string, authority: string, contentLength: number) {
  return {
    method,
    target,
    authority,
    fields: null,
    nominated: null,
    contentLength,
    upgrade: null,
    expectContinue: false,
  };
}

function parseJson(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

function concatenated(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

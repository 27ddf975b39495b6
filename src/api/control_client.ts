/**
 * Calls a control API over mTLS: JSON, bytes, and NDJSON streams that are watched for silence. Keeps one connection for
 * calls; a stream has one of its own.
 */
import type { Clock, Net, SocketError, SocketHandler, TlsClientOptions } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { noEdits } from "../wire/fields.ts";
import {
  ControlRefusal,
  ControlUnreachable,
  type ControlClient,
  type ControlIdentity,
  type ControlStream,
  type StreamHandler,
  type StreamOptions,
} from "./control.ts";
import type { ResponseSink } from "../http/exchange.ts";
import { Http1Client } from "../http/h1_client.ts";
import { jsonEdits, parseJson, refusalOf, requestOf, type Answer } from "./control_messages.ts";
import { Follower } from "./control_stream.ts";
import { ServerList, type Server, type ServerAddresses, type Trial } from "./server_list.ts";
import type { Shard } from "../http/shard.ts";

export interface ControlClientOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly shard: Shard;
  /** Where the server may be: tried in this order, each when those before it cannot be reached. At least one. */
  readonly servers: ServerAddresses;
  /** Read at each new connection. */
  readonly identity: () => ControlIdentity;
  /** Whether a server with this SPIFFE ID is the one that is meant. */
  readonly expect: (spiffeId: string) => boolean;
  readonly serverName: string;
  /** Any certificate will do: only for reading a root whose pin is known. */
  readonly unverified?: boolean;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

export function createControlClient(options: ControlClientOptions): ControlClient {
  return new Client(options);
}

class Client implements ControlClient {
  readonly #servers: ServerList;
  #idle: Http1Client | null = null;
  /** What each connection was made with, and to whom. */
  readonly #made = new WeakMap<Http1Client, Made>();
  #closed = false;

  constructor(readonly options: ControlClientOptions) {
    this.#servers = new ServerList(options.servers, options.clock);
  }

  async call(
    method: Method,
    path: string,
    body?: unknown,
    limitMs: number = limits.controlCallMs,
  ): Promise<{ status: number; body: unknown }> {
    const answer = await this.#exchange(method, path, body, limitMs);
    if (answer.status >= 300) throw refusalOf(answer);
    return { status: answer.status, body: parseJson(answer.bytes) };
  }

  async fetchBytes(path: string): Promise<Uint8Array> {
    const answer = await this.#exchange("GET", path, undefined, limits.controlCallMs);
    if (answer.status >= 300) throw refusalOf(answer);
    return answer.bytes;
  }

  stream(path: string, handler: StreamHandler, body?: unknown, options: StreamOptions = {}): ControlStream {
    const watching: StreamHandler = {
      line: (message) => handler.line(message),
      ended: (error) => {
        if (made !== null && error instanceof ControlRefusal && error.status === 503) this.#unable(made);
        handler.ended(error);
      },
    };
    let made: Http1Client | null = null;
    const stream = new Follower(this.options, watching);
    this.#dial().then(
      (connection) => {
        made = connection;
        const server = this.#made.get(connection)?.server;
        if (server !== undefined) handler.reached?.(server);
        stream.begin(connection, { address: this.#addressOf(connection), path, body, ...options });
      },
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
    let unable = 0;
    for (;;) {
      const kept = this.#takeIdle();
      const reused = kept !== null;
      const connection = kept ?? (await this.#dial());
      try {
        const answer = await this.#send(connection, method, path, body, limitMs);
        if (answer.status !== 503) return answer;
        this.#unable(connection);
        const isLast = ++unable >= this.#servers.count;
        if (isLast || method !== "GET") return answer;
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
    const address = this.#addressOf(connection);
    return new Promise((resolve, reject) => {
      const chunks: Uint8Array[] = [];
      let size = 0;
      let status = 0;
      const timer = this.options.clock.after(limitMs, () => {
        connection.cancel();
        reject(unreachable(address, "timeout", `no answer to ${method} ${path} within ${limitMs} ms`));
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
              unreachable(
                address,
                "other",
                `the answer to ${method} ${path} is larger than ${limits.controlBodyBytesMax} bytes`,
              ),
            );
          }
        },
        end: () => {
          timer.cancel();
          resolve({ address, status, bytes: concatenated(chunks, size) });
        },
        failed: (outcome) => {
          timer.cancel();
          const reported = unreachable(address, "reset", outcome.detail);
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
    const made = this.#made.get(idle);
    if (made !== undefined && isSameIdentity(made.identity, this.options.identity())) return idle;
    idle.retire();
    return null;
  }

  /** It answers, and cannot do what it is for: another one may. What changed nothing is asked there at once. */
  #unable(connection: Http1Client): void {
    const server = this.#made.get(connection)?.server;
    if (server === undefined || this.#servers.count < 2) return;
    this.#servers.failed(server);
    connection.retire();
  }

  #addressOf(connection: Http1Client): string {
    return this.#made.get(connection)?.server.text ?? this.#servers.text;
  }

  /** To the first server that can be reached. */
  async #dial(): Promise<Http1Client> {
    const failures: ControlUnreachable[] = [];
    for (const trial of this.#servers.trials()) {
      try {
        const connection = await this.#dialOne(trial);
        this.#servers.reached(trial.server);
        return connection;
      } catch (error) {
        if (!(error instanceof ControlUnreachable)) throw error;
        this.#servers.failed(trial.server);
        failures.push(error);
      }
    }
    const [only, second] = failures;
    if (only === undefined || second === undefined)
      throw only ?? unreachable(this.#servers.text, "other", "");
    const message = failures.map(({ address, reason }) => `${address}: ${reason.message}`).join("; ");
    throw new ControlUnreachable(this.#servers.text, { ...second.reason, message });
  }

  #dialOne({ server, timeoutMs }: Trial): Promise<Http1Client> {
    const { net, shard, identity } = this.options;
    const { host, port, text } = server;
    const made: Made = { server, identity: identity() };
    return new Promise((resolve, reject) => {
      net.connect(
        { host, port, timeoutMs, tls: this.#tls(made.identity) },
        {
          opened: (socket): SocketHandler => {
            const connection: Http1Client = new Http1Client(socket, {
              shard,
              peer: text,
              onIdle: (idle) => this.#keep(idle),
              onRetired: (gone) => {
                if (this.#idle === gone) this.#idle = null;
              },
            });
            this.#made.set(connection, made);
            resolve(connection);
            return connection.handler;
          },
          failed: (error) => reject(new ControlUnreachable(text, error)),
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
}

/** What a connection was made with, and to whom. */
interface Made {
  readonly server: Server;
  readonly identity: ControlIdentity;
}

function unreachable(address: string, kind: SocketError["kind"], message: string): ControlUnreachable {
  return new ControlUnreachable(address, { kind, code: kind, message });
}

/** The request may not have been seen. */
class LostRequest extends Error {
  constructor(readonly reported: ControlUnreachable) {
    super("lost");
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

function concatenated(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

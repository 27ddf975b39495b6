/**
 * etcd's JSON gateway over HTTP/1.1, on a few kept connections to one member of the cluster; after a failure to the next one.
 * It speaks no HTTP/2 for JSON, and every call is a POST.
 */
import type { Clock, Net, TlsClientOptions, TlsCredential } from "../../../runtime/contract.ts";
import { jsonEdits, parseJson, requestOf } from "../../api/control_messages.ts";
import { LineReader } from "../../api/line_reader.ts";
import { joined } from "../../base/bytes.ts";
import { problemOf } from "../../base/result.ts";
import { addressText, type Address } from "../../base/socket_address.ts";
import { namedFor } from "../../http/certificate_name.ts";
import type { ResponseHead, ResponseSink } from "../../http/exchange.ts";
import { Http1Client } from "../../http/h1_client.ts";
import { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";

export interface GatewayOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly members: readonly [Address, ...Address[]];
  /** null: clear text. */
  readonly tls: { readonly rootsPem: readonly string[]; readonly credential: TlsCredential | null } | null;
}

/** etcd answered that it does not: nothing was done. `code` is that of gRPC. */
export class EtcdRefusal extends Error {
  override readonly name = "EtcdRefusal";
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** There is no answer: what was asked may have been done, or may be done later. */
export class EtcdLost extends Error {
  override readonly name = "EtcdLost";
}

export const grpcNotFound = 5;
export const grpcFailedPrecondition = 9;
/** With these etcd may have done what was asked: cancelled, unknown, deadline exceeded, aborted, internal, unavailable. */
const unsure: ReadonlySet<number> = new Set([1, 2, 4, 10, 13, 14]);

export interface GatewayStream {
  close(): void;
}

export interface GatewayLines {
  line(message: unknown): void;
  /** Called once, unless it was closed. */
  ended(problem: string): void;
}

export class Gateway {
  readonly #shard: Shard;
  #member = 0;
  readonly #idle = new Map<Http1Client, number>();
  #open = 0;
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  constructor(readonly options: GatewayOptions) {
    this.#shard = new Shard(options.clock);
  }

  /** Where calls go now. */
  get member(): Address {
    return this.options.members[this.#member] as Address;
  }

  /** Calls go to the next member from now on, unless another failure led there already. */
  moveOn(from: Address): void {
    if (from !== this.member) return;
    this.#member = (this.#member + 1) % this.options.members.length;
    for (const connection of [...this.#idle.keys()]) connection.retire();
    this.#idle.clear();
  }

  async call(path: string, body: unknown, limitMs: number = limits.etcdCallMs): Promise<unknown> {
    await this.#room();
    // Others may have moved on while it waited.
    const { member } = this;
    try {
      const answer = await this.#exchange(member, path, body, limitMs);
      const message = parseJson(answer.bytes) as { readonly code?: number; readonly error?: unknown } | null;
      if (answer.status < 300 && message !== null) return message;
      const said = `etcd at ${addressText(member)}: ${saidBy(message?.error) ?? `HTTP ${answer.status}`}`;
      if (message?.code !== undefined && !unsure.has(message.code)) throw new EtcdRefusal(message.code, said);
      throw new EtcdLost(said);
    } catch (error) {
      if (!(error instanceof EtcdRefusal)) this.moveOn(member);
      throw error;
    } finally {
      this.#open--;
      this.#waiting.shift()?.();
    }
  }

  /** Lines of an answer that goes on, on a connection of its own. */
  stream(path: string, body: unknown, lines: GatewayLines): GatewayStream {
    const stream = new LineStream(lines);
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    this.#dial(this.member).then(
      (connection) => stream.begin(connection, path, bytes),
      (error: unknown) => stream.over(problemOf(error)),
    );
    return stream;
  }

  close(): void {
    this.#closed = true;
    for (const connection of [...this.#idle.keys()]) connection.retire();
    this.#idle.clear();
  }

  async #room(): Promise<void> {
    if (this.#open++ >= limits.etcdConnectionsMax)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #exchange(
    member: Address,
    path: string,
    body: unknown,
    limitMs: number,
  ): Promise<{ status: number; bytes: Uint8Array }> {
    const kept = this.#takeIdle();
    const connection = kept ?? (await this.#dial(member));
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const timer = this.options.clock.after(limitMs, () => {
        connection.cancel();
        reject(new EtcdLost(`etcd at ${addressText(member)}: no answer within ${limitMs} ms`));
      });
      const sink = new WholeAnswer((answer) => {
        timer.cancel();
        if (typeof answer === "string") reject(new EtcdLost(`etcd at ${addressText(member)}: ${answer}`));
        else resolve(answer);
      });
      const stream = connection.start(
        requestOf("POST", path, addressText(member), bytes.length),
        jsonEdits,
        sink,
      );
      stream.write(bytes);
      stream.end(null);
    });
  }

  #takeIdle(): Http1Client | null {
    for (const [connection, member] of this.#idle) {
      this.#idle.delete(connection);
      if (member === this.#member) return connection;
      connection.retire();
    }
    return null;
  }

  #dial(member: Address): Promise<Http1Client> {
    const { net } = this.options;
    const { host, port } = member;
    const at = this.#member;
    const tls = this.#tls(host);
    const where = { host, port, timeoutMs: limits.etcdConnectMs, ...(tls === null ? {} : { tls }) };
    return new Promise((resolve, reject) => {
      net.connect(where, {
        opened: (socket) => {
          const connection: Http1Client = new Http1Client(socket, {
            shard: this.#shard,
            peer: `etcd at ${addressText(member)}`,
            onIdle: (idle) => {
              if (this.#closed || at !== this.#member) idle.retire();
              else this.#idle.set(idle, at);
            },
            onRetired: (gone) => this.#idle.delete(gone),
          });
          resolve(connection);
          return connection.handler;
        },
        failed: (error) =>
          reject(new EtcdLost(`cannot reach etcd at ${addressText(member)}: ${error.message}`)),
      });
    });
  }

  #tls(host: string): TlsClientOptions | null {
    const { tls } = this.options;
    if (tls === null) return null;
    return {
      ...(tls.credential === null ? {} : { credential: tls.credential }),
      trustPem: tls.rootsPem,
      alpn: ["http/1.1"],
      serverName: host,
      verify: "chain",
      handshakeTimeoutMs: limits.tlsHandshakeMs,
      accept: (session) => namedFor(session, host),
    };
  }
}

/** Of a call it is a text, of a stream an object. */
function saidBy(error: unknown): string | null {
  if (typeof error === "string") return error;
  const message = (error as { readonly message?: unknown } | null | undefined)?.message;
  return typeof message === "string" ? message : null;
}

class WholeAnswer implements ResponseSink {
  #status = 0;
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  constructor(readonly done: (answer: { status: number; bytes: Uint8Array } | string) => void) {}

  informational(): void {}
  writable(): void {}

  head(head: ResponseHead): void {
    this.#status = head.status;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#size += end - start;
    if (this.#size <= limits.etcdAnswerBytesMax) this.#parts.push(bytes.slice(start, end));
  }

  end(): void {
    if (this.#size > limits.etcdAnswerBytesMax)
      this.done(`its answer has ${this.#size} bytes, at most ${limits.etcdAnswerBytesMax} are read`);
    else this.done({ status: this.#status, bytes: joinedAll(this.#parts, this.#size) });
  }

  failed(outcome: { readonly detail: string }): void {
    this.done(outcome.detail);
  }
}

function joinedAll(parts: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

class LineStream implements GatewayStream, ResponseSink {
  #connection: Http1Client | null = null;
  #over = false;
  #status = 0;
  #refused: Uint8Array = new Uint8Array(0);
  readonly #reader = new LineReader(limits.etcdAnswerBytesMax, (text) => {
    if (!this.#over) this.lines.line(JSON.parse(text));
  });

  constructor(readonly lines: GatewayLines) {}

  begin(connection: Http1Client, path: string, bytes: Uint8Array): void {
    if (this.#over) return connection.destroy();
    this.#connection = connection;
    const request = requestOf("POST", path, connection.options.peer.replace(/^etcd at /, ""), bytes.length);
    // A member without a leader would keep a watch open and say nothing.
    const edits = { ...jsonEdits, set: [...jsonEdits.set, "grpc-metadata-hasleader", "true"] };
    const stream = connection.start(request, edits, this);
    stream.write(bytes);
    stream.end(null);
  }

  close(): void {
    this.#over = true;
    this.#connection?.destroy();
  }

  over(problem: string): void {
    if (this.#over) return;
    this.close();
    this.lines.ended(problem);
  }

  informational(): void {}
  writable(): void {}

  head(head: ResponseHead): void {
    this.#status = head.status;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const part = bytes.subarray(start, end);
    if (this.#status >= 300) this.#refused = joined(this.#refused, part.slice(0, 1_000));
    else if (!this.#reader.take(part)) this.over("a line of its watch is too long");
  }

  end(): void {
    const message = parseJson(this.#refused) as { readonly error?: unknown } | null;
    this.over(
      saidBy(message?.error) ?? (this.#status >= 300 ? `HTTP ${this.#status}` : "it ended the watch"),
    );
  }

  failed(outcome: { readonly detail: string }): void {
    this.over(outcome.detail);
  }
}

/** The smallest proxy there is, for tests of drivers: passes exchanges on to a backend, in any version on either side. */
import type { Runtime } from "../../runtime/contract.ts";
import type {
  ClientConnection,
  ClientStream,
  OutgoingRequest,
  RequestSink,
  ResponseHead,
  ResponseSink,
  ServerExchange,
} from "../../src/http/exchange.ts";
import { Http1Client } from "../../src/http/h1_client.ts";
import { Http2Client } from "../../src/http/h2_client.ts";
import { serveHttp, type HttpServer } from "../../src/http/http_server.ts";
import { Shard } from "../../src/http/shard.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import { noEdits, type Fields } from "../../src/wire/fields.ts";
import type { HeadFields } from "../../src/wire/head_fields.ts";
import { profiles, type Profile } from "../../src/wire/h2/settings.ts";
import { hangMs } from "./patience.ts";

export type Version = "http/1.1" | "h2";

export interface ServeOptions {
  readonly version?: Version;
  readonly profile?: Profile;
  readonly shard?: Shard;
  readonly limits?: string[];
}

/** A server on the drivers: its port, and the connections that it has. */
export function serve(
  runtime: Runtime,
  handler: (exchange: ServerExchange) => void,
  options: ServeOptions = {},
): { port: number; open: Set<HttpServer>; close(): void } {
  const shard = options.shard ?? new Shard(runtime.clock);
  const open = new Set<HttpServer>();
  const listener = runtime.net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    const server = serveHttp(socket, options.version ?? "h2", {
      shard,
      profile: options.profile ?? profiles.local,
      connection: { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" },
      handler,
      onLimit: (limit) => options.limits?.push(limit),
      onClosed: () => open.delete(server),
    });
    open.add(server);
    return server;
  });
  return { port: listener.port, open, close: () => listener.close() };
}

export interface DialOptions {
  readonly profile?: Profile;
  readonly shard?: Shard;
  readonly identityAtStake?: boolean;
  readonly limits?: string[];
  /** Notes `room`, `retired` and `closed`. */
  readonly events?: string[];
}

export function dialHttp2(
  runtime: Pick<Runtime, "net" | "clock">,
  port: number,
  options: DialOptions = {},
): Promise<Http2Client> {
  const { events = [] } = options;
  return new Promise((resolve, reject) => {
    runtime.net.connect(
      { host: "127.0.0.1", port, timeoutMs: hangMs },
      {
        opened: (socket) => {
          const client = new Http2Client(socket, {
            shard: options.shard ?? new Shard(runtime.clock),
            profile: options.profile ?? profiles.mesh,
            peer: "backend",
            onRoom: () => events.push("room"),
            onRetired: () => events.push("retired"),
            onClosed: () => events.push("closed"),
            onLimit: (limit) => options.limits?.push(limit),
            ...(options.identityAtStake === true ? { identityAtStake: true } : {}),
          });
          resolve(client);
          return client.handler;
        },
        failed: (error) => reject(new Error(error.message)),
      },
    );
  });
}

/** Takes one connection per request in HTTP/1.1, and one for all in HTTP/2. */
export class Backend {
  #shared: Promise<Http2Client> | null = null;

  constructor(
    readonly runtime: Runtime,
    readonly port: number,
    readonly version: Version,
    readonly profile: Profile = profiles.mesh,
    readonly shard = new Shard(runtime.clock),
  ) {}

  take(): Promise<ClientConnection> {
    if (this.version === "http/1.1") return this.#dial();
    const { shard, profile } = this;
    return (this.#shared ??= dialHttp2(this.runtime, this.port, { profile, shard }));
  }

  #dial(): Promise<ClientConnection> {
    return new Promise((resolve, reject) => {
      this.runtime.net.connect(
        { host: "127.0.0.1", port: this.port, timeoutMs: hangMs },
        {
          opened: (socket) => {
            const options = { shard: this.shard, peer: "backend", onIdle: () => {}, onRetired: () => {} };
            const client = new Http1Client(socket, options);
            resolve(client);
            return client.handler;
          },
          failed: (error) => reject(new Error(error.message)),
        },
      );
    });
  }
}

/** Passes one exchange on. As the handler of a server: `(exchange) => relay(exchange, backend)`. */
export function relay(exchange: ServerExchange, backend: Backend): void {
  void backend.take().then((connection) => {
    backend.shard.enter();
    pass(exchange, connection);
    backend.shard.leave();
  });
}

function pass(exchange: ServerExchange, connection: ClientConnection): void {
  let answered = false;
  const answer: ResponseSink = {
    informational: (status, fields) => exchange.inform(status, fields, noEdits),
    head(head) {
      answered = true;
      const edits = { ...noEdits, remove: head.nominated ?? [] };
      exchange.respond(head.status, head.fields, edits, head.contentLength);
    },
    data(bytes, start, end) {
      if (!exchange.write(bytes, start, end)) stream.pause();
    },
    end: (trailers) => exchange.end(trailers),
    failed(outcome) {
      if (answered) return exchange.abort();
      exchange.respond(outcome.status, null, noEdits, 0);
      exchange.end(null);
    },
    writable: () => exchange.resume(),
  };
  const stream: ClientStream = connection.start(exchange.request, noEdits, answer);
  const request: RequestSink = {
    data(bytes, start, end) {
      if (!stream.write(bytes, start, end)) exchange.pause();
    },
    end: (trailers) => stream.end(trailers),
    aborted: () => stream.cancel(),
    writable: () => stream.resume(),
  };
  exchange.accept(request);
}

/** A handler that gives back the body, its trailers and some fields of the request. */
export function echo(exchange: ServerExchange): void {
  const { request } = exchange;
  const { method, target, authority, upgrade } = request;
  const seen = ["x-method", method, "x-target", target, "x-authority", authority, "x-cookie", ""];
  seen[7] = request.fields.get("cookie") ?? "";
  const status = upgrade === null ? 200 : upgrade === "connect" ? 200 : 101;
  exchange.respond(status, null, { ...noEdits, set: seen }, request.contentLength);
  exchange.accept({
    data(bytes, start, end) {
      if (!exchange.write(bytes, start, end)) exchange.pause();
    },
    end: (trailers) => exchange.end(trailers),
    aborted: () => {},
    writable: () => exchange.resume(),
  });
}

/** What came of one request, as it came. */
export class Heard implements ResponseSink {
  readonly interim: number[] = [];
  answer: ResponseHead | null = null;
  body = "";
  bytes = 0;
  trailers: [string, string][] | null = null;
  ended = false;
  failure: Outcome | null = null;
  room = 0;

  informational(status: number): void {
    this.interim.push(status);
  }

  head(head: ResponseHead): void {
    const { status, contentLength, tunnel, nominated, whole } = head;
    this.answer = {
      status,
      contentLength,
      tunnel,
      nominated,
      whole,
      fields: (head.fields as HeadFields).copy(),
    };
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.bytes += end - start;
    if (this.body.length < 100_000) this.body += Buffer.from(bytes.subarray(start, end)).toString("latin1");
  }

  end(trailers: Fields | null): void {
    this.ended = true;
    const count = trailers?.count ?? 0;
    this.trailers = Array.from({ length: count }, (_, at) => [
      trailers?.nameAt(at) ?? "",
      trailers?.valueAt(at) ?? "",
    ]);
  }

  failed(outcome: Outcome): void {
    this.failure = outcome;
  }

  writable(): void {
    this.room++;
  }

  get over(): boolean {
    return this.ended || this.failure !== null;
  }
}

export function request(changes: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: "GET",
    target: "/",
    authority: "a.mesh",
    fields: null,
    nominated: null,
    contentLength: 0,
    upgrade: null,
    expectContinue: false,
    ...changes,
  };
}

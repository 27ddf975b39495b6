import { afterEach, expect, test } from "bun:test";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import type { Listener, Socket } from "../../../runtime/contract.ts";
import type { ClientStream, ServerExchange } from "../../../src/http/exchange.ts";
import { Http1Client } from "../../../src/http/h1_client.ts";
import { Http1Server } from "../../../src/http/h1_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import type { Outcome } from "../../../src/model/outcome.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { hangMs } from "../../support/patience.ts";

const runtime = createRuntime();
const listeners: Listener[] = [];

afterEach(() => {
  for (const listener of listeners.splice(0)) listener.close();
});

/** Passes each exchange on to the backend over pooled connections: the smallest proxy there is. */
class Relay {
  stream: ClientStream | null = null;
  started = false;

  constructor(
    readonly exchange: ServerExchange,
    pool: Http1Client[],
    backendPort: number,
    shard: Shard,
  ) {
    const idle = pool.pop();
    if (idle !== undefined) this.begin(idle);
    else this.dial(pool, backendPort, shard);
  }

  dial(pool: Http1Client[], port: number, shard: Shard): void {
    const options = {
      shard,
      peer: "backend",
      onIdle: (each: Http1Client) => void pool.push(each),
      onRetired: (each: Http1Client) => drop(pool, each),
    };
    runtime.net.connect(
      { host: "127.0.0.1", port, timeoutMs: hangMs },
      {
        opened: (socket) => {
          const client = new Http1Client(socket, options);
          this.begin(client);
          return client.handler;
        },
        failed: (error) =>
          this.fail({ flag: "UF", side: "upstream", repeat: "yes", status: 503, detail: error.message }),
      },
    );
  }

  begin(client: Http1Client): void {
    const { exchange } = this;
    const { method, target, authority, fields, nominated, contentLength, upgrade, expectContinue } =
      exchange.request;
    const request = {
      method,
      target,
      authority,
      fields,
      nominated,
      contentLength,
      upgrade,
      expectContinue,
    };
    const stream = client.start(request, noEdits, {
      informational: (status, each) => exchange.inform(status, each, noEdits),
      head: (head) => {
        this.started = true;
        exchange.respond(head.status, head.fields, noEdits, head.contentLength);
      },
      data: (bytes, start, end) => {
        if (!exchange.write(bytes, start, end)) stream.pause();
      },
      end: (trailers) => exchange.end(trailers),
      failed: (outcome) => this.fail(outcome),
      writable: () => exchange.resume(),
    });
    exchange.accept({
      data: (bytes, start, end) => {
        if (!stream.write(bytes, start, end)) exchange.pause();
      },
      end: (trailers) => stream.end(trailers),
      aborted: () => stream.cancel(),
      writable: () => stream.resume(),
    });
  }

  fail(outcome: Outcome): void {
    if (this.started) return this.exchange.abort();
    this.exchange.respond(outcome.status, null, noEdits, 0);
    this.exchange.end(null);
  }
}

function drop(pool: Http1Client[], client: Http1Client): void {
  const at = pool.indexOf(client);
  if (at >= 0) pool.splice(at, 1);
}

function startProxy(backendPort: number): number {
  const shard = new Shard(runtime.clock);
  const pool: Http1Client[] = [];
  const listener = runtime.net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    const connection = { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" };
    return new Http1Server(socket, {
      shard,
      connection,
      handler: (exchange) => void new Relay(exchange, pool, backendPort, shard),
    });
  });
  listeners.push(listener);
  return listener.port;
}

/** A backend that answers raw bytes per request it sees, and keeps what it got. */
function startBackend(answer: (request: string, socket: Socket) => string | null): {
  port: number;
  got: () => string;
} {
  let got = "";
  const listener = runtime.net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    return {
      data(chunk) {
        const text = new TextDecoder("latin1").decode(chunk);
        got += text;
        const said = answer(text, socket);
        if (said !== null) socket.write(new TextEncoder().encode(said));
      },
      drain() {},
      end: () => socket.shutdown(),
      close() {},
    };
  });
  listeners.push(listener);
  return { port: listener.port, got: () => got };
}

/** Sends the pieces one after the other and returns everything that came back until the connection closed or `enough`. */
function talk(port: number, pieces: readonly string[], enough: (text: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const finish = (): void => resolve(text);
    runtime.net.connect(
      { host: "127.0.0.1", port, timeoutMs: hangMs },
      {
        opened: (socket) => {
          const send = (at: number): void => {
            if (at >= pieces.length) return;
            socket.write(Uint8Array.from(pieces[at] as string, (letter) => letter.charCodeAt(0)));
            runtime.clock.soon(() => send(at + 1));
          };
          send(0);
          return {
            data(chunk) {
              text += new TextDecoder("latin1").decode(chunk);
              if (enough(text)) {
                socket.destroy();
                finish();
              }
            },
            drain() {},
            end: () => socket.shutdown(),
            close: finish,
          };
        },
        failed: (error) => reject(new Error(error.message)),
      },
    );
  });
}

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

test("a request passes and the answer comes back, on one connection as often as wanted", async () => {
  const backend = startBackend(() => ok);
  const port = startProxy(backend.port);
  const twice =
    "GET /a/../b?x=1 HTTP/1.1\r\nHost: One.mesh\r\nX-Keep: Yes\r\nConnection: x-drop\r\nX-Drop: 1\r\n\r\n".repeat(
      2,
    );
  const text = await talk(port, [twice], (each) => each.split("ok").length === 3);
  expect(text.match(/HTTP\/1\.1 200 OK/g)?.length).toBe(2);
  expect(backend.got()).toContain("GET /b?x=1 HTTP/1.1\r\nhost: one.mesh\r\nX-Keep: Yes\r\n\r\n");
  expect(backend.got().toLowerCase()).not.toContain("x-drop");
});

test("a chunked request body reaches the backend re-chunked, from any split of the bytes", async () => {
  const request =
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n";
  for (const pieces of [[request], [...request], [request.slice(0, 60), request.slice(60)]]) {
    const backend = startBackend((text) => (text.includes("0\r\n") && text.endsWith("\r\n\r\n") ? ok : null));
    const port = startProxy(backend.port);
    await talk(port, pieces, (text) => text.endsWith("ok"));
    const body = backend.got().slice(backend.got().indexOf("\r\n\r\n") + 4);
    expect(body.replaceAll(/[0-9a-f]+\r\n([^\r]*)\r\n/g, "$1")).toContain("hello world");
    expect(backend.got()).toContain("x-t: 1\r\n");
  }
});

test("a chunked answer streams through, and one that is cut never ends cleanly", async () => {
  const whole = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
  const complete = startProxy(startBackend(() => `${whole}0\r\n\r\n`).port);
  expect(
    await talk(complete, ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"], (text) => text.endsWith("0\r\n\r\n")),
  ).toContain("abc");
  const cut = startBackend((_text, socket) => {
    socket.write(new TextEncoder().encode(whole));
    socket.shutdown();
    return null;
  });
  const text = await talk(startProxy(cut.port), ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"], () => false);
  expect(text).not.toContain("\r\n0\r\n\r\n");
});

test("20 MiB reach a slow reader whole, in bounded memory", async () => {
  const total = 20 * 1024 * 1024;
  const chunk = new Uint8Array(65536).fill(120);
  const backend = runtime.net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    let sent = 0;
    const pump = (): void => {
      while (sent < total) {
        const taken = socket.write(chunk, 0, Math.min(chunk.length, total - sent));
        if (taken <= 0) return;
        sent += taken;
      }
    };
    return {
      data() {
        socket.write(new TextEncoder().encode(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`));
        pump();
      },
      drain: pump,
      end() {},
      close() {},
    };
  });
  listeners.push(backend);
  const port = startProxy(backend.port);
  let received = 0;
  const before = runtime.process.usage().residentBytes;
  await new Promise<void>((resolve, reject) => {
    runtime.net.connect(
      { host: "127.0.0.1", port, timeoutMs: hangMs },
      {
        opened: (socket) => {
          socket.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
          return {
            data(each) {
              received += each.length;
              if (received > total) {
                socket.destroy();
                resolve();
                return;
              }
              socket.pause();
              runtime.clock.after(1, () => socket.resume());
            },
            drain() {},
            end() {},
            close: () => resolve(),
          };
        },
        failed: (error) => reject(new Error(error.message)),
      },
    );
  });
  expect(received).toBeGreaterThan(total);
  expect(runtime.process.usage().residentBytes - before).toBeLessThan(60 * 1024 * 1024);
});

test("a WebSocket upgrade becomes a raw stream both ways", async () => {
  const backend = startBackend((text) =>
    text.includes("upgrade: websocket")
      ? "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhi"
      : `echo:${text}`,
  );
  const port = startProxy(backend.port);
  const head =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const text = await talk(port, [head, "ping"], (each) => each.includes("echo:ping"));
  expect(text).toContain("101 Switching Protocols");
  // The backend said nothing of the key, as one of HTTP/2 would (RFC 6455 section 1.3 has this pair).
  expect(text).toContain("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
  expect(text).toContain("hi");
});

test("malformed requests are refused with their status and reach no backend", async () => {
  const backend = startBackend(() => ok);
  const port = startProxy(backend.port);
  const cases: readonly (readonly [string, number])[] = [
    ["GET / HTTP/1.1\nHost: a\n\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\n X: folded\r\n\r\n", 400],
    ["GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505],
    ["\u0016\u0003\u0001\u0000", 400],
    ["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501],
    ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", 400],
    [`GET /${"a".repeat(17_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    [`GET / HTTP/1.1\r\nHost: a\r\n${"a: b\r\n".repeat(101)}\r\n`, 431],
    ["GET /%2e%2e/etc HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ];
  for (const [request, status] of cases) {
    const text = await talk(port, [request], () => false);
    expect([request.slice(0, 60), text.slice(0, 12)]).toEqual([request.slice(0, 60), `HTTP/1.1 ${status}`]);
  }
  expect(backend.got()).toBe("");
});

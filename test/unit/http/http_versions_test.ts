/** Both drivers of both versions against each other and against peers of other makes. */
import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import http2 from "node:http2";
import { fieldsOf } from "../../support/wire.ts";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import {
  Backend,
  dialHttp2,
  echo,
  Heard,
  relay,
  request,
  serve,
  type Version,
} from "../../support/http_relay.ts";
import { until } from "../../support/sockets.ts";
import { patterned } from "../../support/streams.ts";
import { bytesOf } from "../../support/h2_frames.ts";

const runtime = createRuntime();
const ends: (() => void)[] = [];
const versions: readonly Version[] = ["http/1.1", "h2"];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A chain of proxies before a server, each speaking the next version. Returns the port of the first. */
function chain(hops: readonly Version[], handler: (exchange: ServerExchange) => void): number {
  let { port } = started(hops.at(-1) as Version, handler);
  for (let at = hops.length - 2; at >= 0; at--) {
    const backend = new Backend(runtime, port, hops[at + 1] as Version);
    ({ port } = started(hops[at] as Version, (exchange) => relay(exchange, backend)));
  }
  return port;
}

function started(version: Version, handler: (exchange: ServerExchange) => void): { port: number } {
  // Between proxies, but with frames so short that heads need several.
  const profile = { ...profiles.mesh, frameBytesMax: 16_384 };
  const server = serve(runtime, handler, { version, profile });
  ends.push(() => {
    server.close();
    for (const each of server.open) each.destroy();
  });
  return server;
}

async function call(port: number, version: Version, body: Uint8Array | null): Promise<Heard> {
  const connection = await new Backend(runtime, port, version).take();
  const heard = new Heard();
  const changes = body === null ? {} : { method: "POST", contentLength: -1 };
  const stream = connection.start(request({ target: "/a?b=1", ...changes }), noEdits, heard);
  if (body !== null) {
    let at = 0;
    heard.writable = () => {
      while (at < body.length) {
        const piece = Math.min(body.length, at + 50_000);
        const goOn = stream.write(body, at, piece);
        at = piece;
        if (!goOn) return;
      }
      stream.end(null);
    };
    heard.writable();
  }
  await until(() => heard.over, "the answer ends");
  ends.push(() => connection.destroy());
  return heard;
}

describe("a request and its answer cross whole", () => {
  for (const front of versions)
    for (const middle of versions)
      for (const back of versions)
        test(`over ${front}, ${middle}, ${back}`, async () => {
          const port = chain([front, middle, back], echo);
          const short = await call(port, front, null);
          expect([short.failure, short.answer?.status, short.body]).toEqual([null, 200, ""]);
          expect(short.answer?.fields.get("x-target")).toBe("/a?b=1");
          expect(short.answer?.fields.get("x-authority")).toBe("a.mesh");
          const long = await call(port, front, patterned(3_000_000));
          expect([long.failure, long.bytes]).toEqual([null, 3_000_000]);
          expect(bytesOf(long.body)).toEqual(patterned(3_000_000).subarray(0, long.body.length));
        });
});

test("heads that are longer than a frame cross both ways", async () => {
  const large = "a".repeat(20_000);
  const port = chain(["h2", "h2"], (exchange) => {
    const seen = ["x-seen", String(exchange.request.fields.get("x-large")?.length)];
    exchange.respond(200, exchange.request.fields, { ...noEdits, set: seen }, 0);
    exchange.end(null);
  });
  const client = await dialHttp2(runtime, port, { profile: { ...profiles.app, frameBytesMax: 16_384 } });
  ends.push(() => client.destroy());
  for (let round = 0; round < 3; round++) {
    const heard = new Heard();
    client.start(
      request(),
      { ...noEdits, set: ["x-large", large, "x-other", large.slice(0, 10_000)] },
      heard,
    );
    await until(() => heard.over, "the answer ends");
    expect([heard.failure, heard.answer?.fields.get("x-seen")]).toEqual([null, "20000"]);
    expect(heard.answer?.fields.get("x-large")).toBe(large);
  }
});

describe("an upgrade becomes a raw stream both ways", () => {
  for (const front of versions)
    for (const back of versions)
      test(`from ${front} to ${back}`, async () => {
        const port = chain([front, back], (exchange) => {
          if (exchange.request.upgrade === null) return exchange.abort();
          echo(exchange);
        });
        const connection = await new Backend(runtime, port, front).take();
        const heard = new Heard();
        const stream = connection.start(request({ upgrade: "other" }), noEdits, heard);
        await until(() => heard.answer !== null || heard.over, "the answer comes");
        expect([heard.answer?.status, heard.answer?.tunnel]).toEqual([101, true]);
        stream.write(bytesOf("ping"));
        await until(() => heard.body === "ping", "bytes come back");
        stream.end(null);
        await until(() => heard.ended, "the end comes back");
        connection.destroy();
      });
});

describe("a WebSocket", () => {
  const version = { ...request(), upgrade: "websocket", fields: fieldsOf("sec-websocket-version: 13") };

  test("from HTTP/2 reaches a server of HTTP/1.1, which wants a key", async () => {
    const webSockets = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (call, server) => (server.upgrade(call) ? undefined : new Response(null, { status: 400 })),
      websocket: { open: (socket) => void socket.send("hello"), message() {} },
    });
    const backend = new Backend(runtime, webSockets.port ?? 0, "http/1.1");
    const front = started("h2", (exchange) => relay(exchange, backend));
    const client = await dialHttp2(runtime, front.port);
    ends.push(() => {
      client.destroy();
      void webSockets.stop(true);
    });
    const heard = new Heard();
    client.start(version, noEdits, heard);
    await until(() => heard.body.length > 0 || heard.over, "the server says something");
    expect([heard.answer?.status, heard.answer?.tunnel]).toEqual([101, true]);
    expect(heard.answer?.fields.has("sec-websocket-accept")).toBe(false);
    expect(heard.body).toBe("\x81\x05hello");
  });

  test("from HTTP/1.1 reaches a server of HTTP/2, which knows of no key", async () => {
    const port = chain(["http/1.1", "h2"], echo);
    const client = new WebSocket(`ws://127.0.0.1:${port}/`);
    const opened = await new Promise((resolve, reject) => {
      client.addEventListener("open", () => resolve(true));
      client.addEventListener("error", () => reject(new Error("The handshake failed")));
    });
    expect(opened).toBe(true);
    client.terminate();
  });
});

test("of many streams on one connection none sees bytes of another, however they are cut and paused", async () => {
  const port = chain(["h2", "h2"], echo);
  const client = await dialHttp2(runtime, port);
  ends.push(() => client.destroy());
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat(40_000), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 40 }),
      async (bodies) => {
        const calls = bodies.map((pieces, tag) => {
          const heard = new Heard();
          const letter = 97 + (tag % 26);
          const stream = client.start(request({ method: "POST", contentLength: -1 }), noEdits, heard);
          heard.data = (bytes, start, end) => {
            for (let at = start; at < end; at++)
              if (bytes[at] !== letter) throw new Error("A byte of another stream");
            heard.bytes += end - start;
            if (heard.bytes % 3 === 0) {
              stream.pause();
              runtime.clock.soon(() => stream.resume());
            }
          };
          for (const size of pieces) stream.write(new Uint8Array(size).fill(letter));
          stream.end(null);
          return { heard, total: pieces.reduce((sum, each) => sum + each, 0) };
        });
        await until(() => calls.every(({ heard }) => heard.over), "all answers end");
        for (const { heard, total } of calls) expect([heard.failure, heard.bytes]).toEqual([null, total]);
      },
    ),
    { numRuns: 20 },
  );
  expect(client.streams.size).toBe(0);
});

test("20 MiB reach a slow reader whole, in bounded memory, while other streams go on", async () => {
  const total = 20 * 1024 * 1024;
  const port = chain(["h2", "h2"], (exchange) => {
    if (exchange.request.path !== "/large") return echo(exchange);
    let sent = 0;
    const piece = new Uint8Array(65_536);
    const pump = (): void => {
      while (sent < total) {
        sent += piece.length;
        if (!exchange.write(piece)) return;
      }
      exchange.end(null);
    };
    exchange.respond(200, null, noEdits, total);
    exchange.accept({ data() {}, end() {}, aborted() {}, writable: pump });
    pump();
  });
  const client = await dialHttp2(runtime, port);
  ends.push(() => client.destroy());
  const before = runtime.process.usage().residentBytes;
  const slow = new Heard();
  const stream = client.start(request({ target: "/large" }), noEdits, slow);
  slow.data = (_bytes, start, end) => {
    slow.bytes += end - start;
    stream.pause();
    runtime.clock.after(1, () => stream.resume());
  };
  for (let round = 0; round < 20; round++) {
    const quick = new Heard();
    client.start(request(), noEdits, quick);
    await until(() => quick.over, "another stream is answered");
    expect(quick.failure).toBeNull();
  }
  await until(() => slow.over, "the large answer ends");
  expect([slow.bytes, slow.failure]).toEqual([total, null]);
  expect(runtime.process.usage().residentBytes - before).toBeLessThan(60 * 1024 * 1024);
});

describe("the client of node:http2", () => {
  function session(port: number): http2.ClientHttp2Session {
    const client = http2.connect(`http://127.0.0.1:${port}`);
    ends.push(() => client.destroy());
    return client;
  }

  function fetchText(client: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders, body?: string) {
    return new Promise<{ status: number; text: string; headers: http2.IncomingHttpHeaders }>(
      (resolve, reject) => {
        const stream = client.request(headers);
        let head: http2.IncomingHttpHeaders = {};
        let text = "";
        stream.on("response", (each) => (head = each));
        stream.on("data", (chunk) => (text += String(chunk)));
        stream.on("end", () => resolve({ status: Number(head[":status"]), text, headers: head }));
        stream.on("error", reject);
        if (body === undefined) stream.end();
        else stream.end(body);
      },
    );
  }

  test("gets its answers through two proxies, a hundred at a time", async () => {
    const client = session(chain(["h2", "h2", "http/1.1"], echo));
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        fetchText(client, { ":method": "POST", ":path": `/n/${at}`, cookie: "a=1; b=2" }, `body ${at}`),
      ),
    );
    answers.forEach(({ status, text, headers }, at) => {
      expect([status, text, headers["x-target"], headers["x-cookie"]]).toEqual([
        200,
        `body ${at}`,
        `/n/${at}`,
        "a=1; b=2",
      ]);
    });
  });
});

test("the server of node:http2 answers, with trailers", async () => {
  const server = http2.createServer();
  server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
    stream.respond({ ":status": 200, "x-path": headers[":path"] }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.pipe(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  const address = server.address();
  const client = await dialHttp2(runtime, typeof address === "object" ? (address?.port ?? 0) : 0, {
    profile: profiles.app,
  });
  ends.push(() => client.destroy());
  const calls = Array.from({ length: 20 }, (_, at) => {
    const heard = new Heard();
    const stream = client.start(
      request({ method: "POST", target: `/${at}`, contentLength: -1 }),
      noEdits,
      heard,
    );
    stream.write(bytesOf(`hello ${at}`));
    stream.end(null);
    return heard;
  });
  await until(() => calls.every((each) => each.over), "all answers end");
  calls.forEach((heard, at) => {
    expect([heard.failure, heard.body, heard.answer?.fields.get("x-path")]).toEqual([
      null,
      `hello ${at}`,
      `/${at}`,
    ]);
    expect(heard.trailers).toEqual([["grpc-status", "0"]]);
  });
});

/** What an undeclared connection turns out to speak, by which of its ways of beginning; it is said in the record and counted. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ExchangeRecord } from "../../../../src/telemetry/record.ts";
import { limits } from "../../../../src/model/limits.ts";
import { HeldClock } from "../../../support/clock.ts";
import { captureHello } from "../../../support/hello.ts";
import { frameTypes } from "../../../../src/wire/h2/frames.ts";
import { data, headers, opening } from "../../../support/h2_frames.ts";
import { dialPeer } from "../../../support/h2_peer.ts";
import {
  connectByName,
  connectLocal,
  expectEnd,
  expectHeard,
  expectReset,
  nextAccepted,
  send,
} from "../../../support/opaque.ts";
import { Planes, runtime, type TestMachine } from "../../../support/planes.ts";
import { listen, turns, until, type End } from "../../../support/sockets.ts";
import { testMs } from "../../../support/patience.ts";

const app = listen(runtime);
const clock = new HeldClock();
let planes: Planes;
let a: TestMachine;

beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", clock, services: { caller: { app: 9, upstreams: ["guess", "greets", "db", "web"] } } },
    {
      name: "b",
      services: {
        guess: { app: app.port },
        greets: { app: app.port },
        db: { app: app.port },
        other: { app: app.port },
        web: { app: app.port },
      },
    },
  );
  const backends = [
    { service: { name: "other", namespace: "default" }, subset: null, weight: 1, invalid: null },
  ];
  planes.apply({
    guess: { protocol: "detect" },
    greets: { protocol: "detect", serverFirst: true },
    db: { protocol: "tls", tlsRoutes: [{ name: "eu", hostname: "*.eu.example", backends }] },
    other: { protocol: "tls" },
    web: { protocol: "http" },
  });
  a = planes.machine("a");
});
afterAll(async () => {
  await until(() => a.records.openTcp === 0, "every connection has finished its record");
  await planes.close();
  app.listener.close();
});

const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const request = "GET /x HTTP/1.1\r\nhost: guess\r\n\r\n";
const hello = Buffer.from(await captureHello("db.eu.example", [])).toString("latin1");

const strange = Buffer.from(await captureHello("db.us.example", [])).toString("latin1");

/** Sends the parts one after the other; returns both ends. */
async function begin(service: string, ...parts: readonly string[]): Promise<{ client: End; app: End }> {
  const since = app.accepted.length;
  const client = await connectLocal(a.port("caller", service));
  for (const part of parts) {
    send(client, part);
    await turns();
  }
  return { client, app: await nextAccepted(app, since) };
}

/** Ends both; returns the record of the caller's side and the detection that was counted last. */
async function finished({ client, app }: { client: End; app: End }): Promise<ExchangeRecord> {
  const before = a.records.of("outbound").length;
  client.socket.shutdown();
  app.socket.shutdown();
  await until(() => a.records.of("outbound").length > before, "the record is finished");
  return a.records.of("outbound").at(-1) as ExchangeRecord;
}

describe("an undeclared connection", () => {
  const opaque: readonly (readonly [string, string, "tcp" | "tls"])[] = [
    ["a TLS hello", hello, "tls"],
    ["an inline command of Redis", "PING\r\n", "tcp"],
    ["binary", "\x00\x00\x00\x08\x04\xd2\x16\x2f", "tcp"],
  ];
  for (const [what, text, protocol] of opaque) {
    test(`of ${what} is known at once and reaches the app as it came`, async () => {
      const both = await begin("guess", text);
      await expectHeard(both.app, text);
      expect(a.records.detections.at(-1)).toBe(`guess.default ${protocol} bytes`);
      expect(await finished(both)).toMatchObject({ kind: "tcp", protocol, detected: "bytes", outcome: null });
    });

    test(`of ${what} arrives whole from every split`, async () => {
      const step = Math.max(1, Math.floor(text.length / 16));
      for (let at = 1; at < text.length; at += step) {
        const both = await begin("guess", text.slice(0, at), text.slice(at));
        await expectHeard(both.app, text);
        await finished(both);
      }
    });
  }

  test("of HTTP/1 is a request, from every split", async () => {
    for (let at = 1; at < request.length; at += 3) {
      const since = a.records.of("outbound").length;
      const client = await connectLocal(a.port("caller", "guess"));
      send(client, request.slice(0, at));
      await turns();
      const reached = app.accepted.reduce((sum, each) => sum + each.heard.received, 0);
      send(client, request.slice(at));
      await until(
        () => app.accepted.reduce((sum, each) => sum + each.heard.received, 0) > reached,
        "it arrives",
      );
      const served = app.accepted.findLast(
        (each) => each.heard.text().endsWith("\r\n\r\n") && !each.heard.closed,
      );
      send(served as End, answer);
      await until(() => client.heard.text().endsWith("ok"), "it is answered");
      await until(() => a.records.of("outbound").length > since, "the record is finished");
      expect(a.records.of("outbound").at(-1)).toMatchObject({
        kind: "http",
        path: "/x",
        detected: "bytes",
        status: 200,
      });
      client.socket.destroy();
    }
    expect(a.records.detections.at(-1)).toBe("guess.default http/1.1 bytes");
  });

  test("of HTTP/2 is answered in HTTP/2", async () => {
    const client = await connectLocal(a.port("caller", "guess"));
    send(client, "PRI * HTTP/2.0\r\n\r\n");
    send(client, "SM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    await until(() => client.heard.received >= 9, "SETTINGS arrive");
    expect(client.heard.text().charCodeAt(3)).toBe(4);
    expect(a.records.detections.at(-1)).toBe("guess.default h2 bytes");
    client.socket.destroy();
  });

  test("that says nothing is opaque after a second", async () => {
    const since = app.accepted.length;
    const client = await connectLocal(a.port("caller", "guess"));
    await turns();
    await clock.advance(limits.detectMs - limits.timerTickMs);
    await turns();
    expect(app.accepted.length).toBe(since);
    await clock.advance(2 * limits.timerTickMs);
    const both = { client, app: await nextAccepted(app, since) };
    send(both.app, "220 ready\r\n");
    await expectHeard(both.client, "220 ready\r\n");
    expect(a.records.detections.at(-1)).toBe("guess.default tcp time");
    expect(await finished(both)).toMatchObject({ detected: "time", protocol: "tcp" });
  });

  test("to a port whose server speaks first does not wait", async () => {
    const both = await begin("greets");
    send(both.app, "220 ready\r\n");
    await expectHeard(both.client, "220 ready\r\n");
    expect(await finished(both)).toMatchObject({ detected: "port" });
  });

  test("that ends at once is opaque, and its end reaches the app", async () => {
    const since = app.accepted.length;
    const client = await connectLocal(a.port("caller", "guess"));
    client.socket.shutdown();
    const far = await nextAccepted(app, since);
    await expectEnd(far);
    send(far, "late");
    await expectHeard(client, "late");
    expect(await finished({ client, app: far })).toMatchObject({ detected: "end", outcome: null });
  });
});

describe("a connection to an HTTP listener", () => {
  test("that ends at once is closed", async () => {
    const client = await connectLocal(a.port("caller"));
    client.socket.shutdown();
    await until(() => client.heard.closed, "it is closed");
    const one = await connectLocal(a.port("caller", "web"));
    one.socket.shutdown();
    await until(() => one.heard.closed, "it is closed");
  });
});

describe("a connection of TLS", () => {
  test("goes where the route of its server name leads, byte by byte as it came", async () => {
    const both = await begin("db", hello.slice(0, 50), hello.slice(50));
    await expectHeard(both.app, hello);
    expect(await finished(both)).toMatchObject({
      route: "eu",
      protocol: "tls",
      detected: "",
      service: "db.default",
      endpoint: `b/other.default/${app.port}`,
    });
  });

  for (const [what, text, asked] of [
    ["a server name that no route fits", strange, '"db.us.example"'],
    ["no TLS at all", "PING\r\n", "no server name"],
  ] as const) {
    test(`with ${what} is reset, and the record says so`, async () => {
      const before = a.records.of("outbound").length;
      const client = await connectLocal(a.port("caller", "db"));
      send(client, text);
      await expectReset(client);
      await until(() => a.records.of("outbound").length > before, "it is recorded");
      const { outcome } = a.records.of("outbound").at(-1) as ExchangeRecord;
      expect(outcome).toMatchObject({ flag: "NR", detail: `no TLS route of db.default fits ${asked}` });
    });
  }
});

describe("CONNECT to a service of TLS", () => {
  const authority = "db.mesh:443";

  test("goes where the route of the server name leads that comes behind it", async () => {
    const since = app.accepted.length;
    const client = await connectByName(a.port("caller"), authority);
    for (const part of [hello.slice(0, 50), hello.slice(50)]) {
      send(client, part);
      await turns();
    }
    const far = await nextAccepted(app, since);
    await expectHeard(far, hello);
    send(far, "server hello");
    await expectHeard(client, "server hello");
    send(client, "more");
    await expectHeard(far, `${hello}more`);
    expect(await finished({ client, app: far })).toMatchObject({
      route: "eu",
      protocol: "tls",
      service: "db.default",
      endpoint: `b/other.default/${app.port}`,
      bytesIn: hello.length + 4,
      bytesOut: 12,
      outcome: null,
    });
  });

  test("hears of it when what follows came together with it, and of the end behind that", async () => {
    const since = app.accepted.length;
    const client = await connectLocal(a.port("caller"));
    send(client, `CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n${hello}early`);
    client.socket.shutdown();
    const far = await nextAccepted(app, since);
    await expectHeard(far, `${hello}early`);
    await expectEnd(far);
    expect(await finished({ client, app: far })).toMatchObject({ route: "eu", outcome: null });
  });

  test("over HTTP/2 is routed alike", async () => {
    const since = app.accepted.length;
    const peer = await dialPeer(runtime, a.port("caller"));
    const fields = [
      [":method", "CONNECT"],
      [":authority", authority],
    ] as const;
    peer.send(opening, headers(1, fields, false));
    await peer.until((each) => each.of(frameTypes.headers, 1).length > 0, "CONNECT is answered");
    expect(peer.of(frameTypes.headers, 1)[0]?.payload[0]).toBe(0x88);
    peer.send(data(1, hello.slice(0, 50)));
    peer.send(data(1, hello.slice(50)));
    const far = await nextAccepted(app, since);
    await expectHeard(far, hello);
    send(far, "server hello");
    await peer.until((each) => each.of(frameTypes.data, 1).length > 0, "the answer comes");
    const before = a.records.of("outbound").length;
    peer.send(data(1, "", true));
    await expectEnd(far);
    far.socket.shutdown();
    await until(() => a.records.of("outbound").length > before, "the record is finished");
    expect(a.records.of("outbound").at(-1)).toMatchObject({ route: "eu", protocol: "tls", outcome: null });
    peer.socket.destroy();
  });

  for (const [what, text, asked] of [
    ["a server name that no route fits", strange, '"db.us.example"'],
    ["no TLS at all", "PING\r\n", "no server name"],
  ] as const)
    test(`with ${what} behind it is cut, and the record says so`, async () => {
      const before = a.records.of("outbound").length;
      const client = await connectByName(a.port("caller"), authority);
      send(client, text);
      await until(() => client.heard.closed, "the connection is cut");
      expect(client.heard.text()).toBe("");
      await until(() => a.records.of("outbound").length > before, "it is recorded");
      const { outcome, service } = a.records.of("outbound").at(-1) as ExchangeRecord;
      expect([service, outcome]).toMatchObject([
        "db.default",
        { flag: "NR", detail: `no TLS route of db.default fits ${asked}` },
      ]);
    });

  test(
    "with nothing behind it is cut once its time is over",
    async () => {
      const before = a.records.of("outbound").length;
      const client = await connectByName(a.port("caller"), authority);
      await clock.advance(limits.clientHelloMs + 2 * limits.timerTickMs);
      await until(() => client.heard.closed, "the connection is cut");
      await until(() => a.records.of("outbound").length > before, "it is recorded");
      expect(a.records.of("outbound").at(-1)?.outcome).toMatchObject({ flag: "NR" });
    },
    testMs,
  );

  test("whose client leaves before it says what it wants is recorded as its fault", async () => {
    const before = a.records.of("outbound").length;
    const client = await connectByName(a.port("caller"), authority);
    send(client, hello.slice(0, 50));
    client.socket.reset();
    await until(() => a.records.of("outbound").length > before, "it is recorded");
    expect(a.records.of("outbound").at(-1)?.outcome).toMatchObject({ flag: "DC", side: "downstream" });
  });
});

/** The PROXY protocol: the address of a client from whoever stands before the first machine to the app of the last. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { proxyHeader, readProxyHeader } from "../../../../src/wire/proxy_protocol.ts";
import {
  connectByName,
  connectLocal,
  expectHeard,
  expectReset,
  nextAccepted,
  send,
} from "../../../support/opaque.ts";
import { Planes, runtime, type TestMachine } from "../../../support/planes.ts";
import { listen, turns, until, type End } from "../../../support/sockets.ts";

const app = listen(runtime);
let planes: Planes;
let a: TestMachine;
const names = ["v1", "v2", "own", "plain", "guess", "here", "web"];
const destinations = {
  v1: { protocol: "tcp" },
  v2: { protocol: "tcp" },
  own: { protocol: "tcp", transport: "own" },
  plain: { protocol: "tcp" },
  guess: { protocol: "detect" },
  here: { protocol: "tcp" },
  web: { protocol: "http" },
} as const;

beforeAll(async () => {
  const { port } = app;
  planes = await Planes.start(
    {
      name: "a",
      services: {
        caller: { app: 9, upstreams: names, proxied: names },
        direct: { app: 9, upstreams: ["v1", "v2", "own", "here"] },
        here: { app: port, proxyProtocol: 1 },
      },
    },
    {
      name: "b",
      services: {
        v1: { app: port, proxyProtocol: 1 },
        v2: { app: port, proxyProtocol: 2 },
        own: { app: port, proxyProtocol: 1 },
        plain: { app: port },
        guess: { app: port, proxyProtocol: 1 },
        web: { app: port, proxyProtocol: 2 },
      },
    },
  );
  planes.apply(destinations);
  a = planes.machine("a");
});
afterAll(async () => {
  await until(() => planes.machines.every((each) => each.records.openTcp === 0), "all records are finished");
  await planes.close();
  app.listener.close();
});

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** Sends the parts; returns what the app heard up to `text`, without it. */
async function before(service: string, text: string, parts: readonly string[]): Promise<string> {
  const since = app.accepted.length;
  const client = await connectLocal(a.port("caller", service));
  for (const part of parts) {
    send(client, part);
    await turns();
  }
  const far = await nextAccepted(app, since);
  return untilText(client, far, text);
}

async function untilText(client: End, far: End, text: string): Promise<string> {
  await until(() => far.heard.text().endsWith(text), "the bytes arrive");
  const heard = far.heard.text();
  send(far, "answer");
  await expectHeard(client, "answer");
  client.socket.shutdown();
  far.socket.shutdown();
  return heard.slice(0, heard.length - text.length);
}

const v1 = "PROXY TCP4 203.0.113.7 10.0.0.1 51230 443\r\n";
const v6 = "PROXY TCP6 2001:db8::7 2001:db8::1 51230 443\r\n";
const v2 = latin1(proxyHeader(2, "203.0.113.7:51230", "10.0.0.1:443"));

describe("the client that a PROXY header names", () => {
  for (const [what, header] of [
    ["version 1", v1],
    ["version 2", v2],
  ] as const) {
    for (const service of ["v1", "v2", "own", "here", "guess"]) {
      test(`in ${what} reaches the app of ${service}, which hears every byte behind it`, async () => {
        const text = "\x00first";
        const heard = await before(service, text, [header + text]);
        const read = readProxyHeader(Buffer.from(heard, "latin1"));
        expect(read).toEqual({ kind: "header", client: "203.0.113.7:51230", length: heard.length });
        expect(heard.startsWith("PROXY ")).toBe(service !== "v2");
      });
    }

    test(`in ${what} is taken off for an app that wants none, from every split`, async () => {
      const all = `${header}text`;
      for (let at = 1; at < all.length; at += 5)
        expect(await before("plain", "text", [all.slice(0, at), all.slice(at)])).toBe("");
    });
  }

  test("of another family than the app's address is told beside that address inside IPv6", async () => {
    expect(await before("v1", "text", [`${v6}text`])).toMatch(
      /^PROXY TCP6 2001:db8::7 ::ffff:127\.0\.0\.1 51230 \d+\r\n$/,
    );
  });

  test("as unknown stays unknown", async () => {
    expect(await before("v1", "text", ["PROXY UNKNOWN\r\ntext"])).toBe("PROXY UNKNOWN\r\n");
    expect(await before("own", "text", ["PROXY UNKNOWN\r\ntext"])).toBe("PROXY UNKNOWN\r\n");
  });

  for (const [what, text] of [
    ["is missing", "GET / HTTP/1.1\r\n\r\n"],
    ["is malformed", "PROXY TCP4 nowhere 10.0.0.1 1 2\r\n"],
    ["is cut short", "PROXY TCP4 203.0"],
  ] as const) {
    test(`ends the connection when it ${what}`, async () => {
      const since = app.accepted.length;
      const client = await connectLocal(a.port("caller", "plain"));
      send(client, text);
      if (what === "is cut short") client.socket.shutdown();
      await expectReset(client);
      expect(app.accepted.length).toBe(since);
      if (what !== "is cut short") expect(a.logs.join("\n")).toContain("without a proper PROXY header");
    });
  }
});

describe("without a PROXY header the client is whoever connects", () => {
  for (const service of ["v1", "own", "here"]) {
    test(`to a port of its own that leads to ${service}`, async () => {
      const since = app.accepted.length;
      const client = await connectLocal(a.port("direct", service));
      const from = client.socket.localPort;
      const far = await nextAccepted(app, since);
      send(client, "text");
      expect(await untilText(client, far, "text")).toBe(
        `PROXY TCP4 127.0.0.1 127.0.0.1 ${from} ${app.port}\r\n`,
      );
    });
  }

  test("with CONNECT", async () => {
    const since = app.accepted.length;
    const client = await connectByName(a.port("direct"), "v1.mesh:1");
    const far = await nextAccepted(app, since);
    send(client, "text");
    const heard = await untilText(client, far, "text");
    expect(heard).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${app.port}\r\n`);
  });
});

test("where the address cannot be passed on, the log says so once", () => {
  planes.apply(destinations);
  const far = planes.machine("b").logs.filter((line) => line.includes("PROXY"));
  expect(far).toEqual([
    "guess.default: connections that turn out to speak HTTP reach the app without a PROXY header; declare protocol tcp or tls",
    "web.default: proxyProtocol has no effect, the app gets no PROXY header: it speaks http, whose requests share connections",
  ]);
  expect(a.logs.filter((line) => line.includes("not passed on")).length).toBe(2);
});

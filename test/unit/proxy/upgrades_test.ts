/**
 * What an upgrade may open: `websocket`, what the called service names, and never h2c. Inside of it no rule sees anything, so it is
 * judged at every door: HTTP/1.1 and HTTP/2 of local apps, both kinds of connections between proxies, and in process.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { Http2Client } from "../../../src/http/h2_client.ts";
import { Shard } from "../../../src/http/shard.ts";
import { outboundTls } from "../../../src/identity/tls_options.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { dialHttp2, echo, Heard, request, serve } from "../../support/http_relay.ts";
import { connectLocal } from "../../support/opaque.ts";
import {
  idOf,
  Planes,
  runtime,
  trustDomain,
  type DestinationPlan,
  type TestMachine,
} from "../../support/planes.ts";
import { dialled, until, type End } from "../../support/sockets.ts";
import { startSwitchingApp } from "../../support/switching_app.ts";
import { hangMs } from "../../support/patience.ts";

const app = startSwitchingApp();
/** Speaks HTTP/2 and takes any protocol. */
const app2 = serve(runtime, echo);

const rules = {
  otherwise: "deny",
  deny: [],
  allow: [
    { id: "public", mode: "enforce", source: { kind: "any" }, methods: ["GET"], paths: ["/public"] },
    { id: "attach", mode: "enforce", source: { kind: "any" }, methods: ["POST"], paths: ["/attach"] },
  ],
} as const satisfies DestinationPlan["access"];

const names = ["plain", "named", "alone", "two"] as const;
const plans: Record<string, DestinationPlan> = {
  caller: {},
  ...Object.fromEntries(
    ["here", "far"].flatMap((place) => [
      [`${place}-plain`, { access: rules }],
      [`${place}-named`, { access: rules, upgrades: ["chat", "spdy/3.1", "h2c"] }],
      [`${place}-alone`, { access: rules, upgrades: ["chat"], transport: "http/1.1" as const }],
      [`${place}-two`, { access: rules, protocol: "http2" as const, upgrades: ["chat"] }],
      [
        `${place}-leads`,
        {
          access: rules,
          upgrades: ["chat"],
          routes: [
            {
              name: "to-plain",
              match: { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] },
              backends: [
                {
                  service: { name: `${place}-plain`, namespace: "default" },
                  subset: null,
                  weight: 1,
                  invalid: null,
                },
              ],
              requestTimeoutMs: null,
              idempotent: false,
              policies: [],
            },
          ],
        } satisfies DestinationPlan,
      ],
    ]),
  ),
};
let planes: Planes;
let a: TestMachine;
let b: TestMachine;

beforeAll(async () => {
  const services = (place: string) =>
    Object.fromEntries(
      [...names, "leads"].map((name) => [`${place}-${name}`, { app: name === "two" ? app2.port : app.port }]),
    );
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 }, ...services("here") } },
    { name: "b", services: services("far") },
  );
  planes.apply(plans);
  a = planes.machine("a");
  b = planes.machine("b");
});
afterAll(async () => {
  await planes.close();
  app.close();
  app2.close();
});
beforeEach(() => {
  app.heads.length = 0;
  app.always = null;
  for (const { records } of planes.machines) records.all.length = 0;
});

interface Said {
  readonly method?: string;
  readonly path?: string;
  readonly upgrade: string | readonly string[];
  readonly more?: readonly string[];
  readonly body?: string;
}

function headOf(service: string, said: Said): string {
  const { method = "GET", path = "/public", upgrade, more = [], body = "" } = said;
  const offers = (typeof upgrade === "string" ? [upgrade] : upgrade).map((each) => `Upgrade: ${each}`);
  const length = body === "" ? [] : [`Content-Length: ${body.length}`];
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${service}.mesh`, ...offers, ...more, ...length];
  return [...lines, "Connection: Upgrade, HTTP2-Settings", "", body].join("\r\n");
}

function say(end: End, text: string): void {
  end.socket.write(Buffer.from(text, "latin1"));
}

const answers = (end: End): number =>
  end.heard.text().match(/HTTP\/1\.1 [2-5]\d\d |HTTP\/1\.1 101 /g)?.length ?? 0;

async function ask(end: End, text: string): Promise<string> {
  const before = end.heard.text().length;
  const count = answers(end);
  say(end, text);
  await until(() => answers(end) > count || end.heard.closed, "the request is answered");
  return end.heard.text().slice(before);
}

const callHttp1 = async (
  service: string,
  said: Said,
): Promise<{ end: End; answer: string; status: number }> => {
  const end = await connectLocal(a.port("caller"));
  const answer = await ask(end, headOf(service, said));
  return { end, answer, status: Number(answer.slice(9, 12)) };
};

async function expectEcho(end: End, text: string): Promise<void> {
  say(end, text);
  await until(() => end.heard.text().endsWith(text), `${text} comes back`);
}

const webSocket = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
const settings = ["HTTP2-Settings: AAMAAABkAARAAAAA"];

for (const place of ["here", "far"])
  describe(`of a service that is ${place}`, () => {
    test.each([["h2c"], ["H2C"], ["h2c, foo"], ["foo,H2c"], ["\th2c ,"], [["foo", "h2c"]], [["h2c", "foo"]]])(
      "h2c is never passed on: %p",
      async (upgrade) => {
        for (const name of ["plain", "named", "alone"]) {
          app.heads.length = 0;
          const { end, status } = await callHttp1(`${place}-${name}`, { upgrade, more: settings });
          expect(status).toBe(200);
          expect(app.heads.length).toBe(1);
          expect(app.heads[0]).not.toMatch(/upgrade|http2-settings|h2c/);
          // What an attacker would send through it is one more request, and judged.
          expect(await ask(end, `DELETE /admin HTTP/1.1\r\nHost: ${place}-${name}.mesh\r\n\r\n`)).toStartWith(
            "HTTP/1.1 403",
          );
          expect(app.heads.length).toBe(1);
          end.socket.destroy();
        }
      },
    );

    test("a client that offers h2c with every request, bodies too, is answered on one connection", async () => {
      const service = `${place}-plain`;
      const { end } = await callHttp1(service, { upgrade: "h2c", more: settings });
      const posted = headOf(service, {
        ...{ method: "POST", path: "/attach", upgrade: "h2c" },
        ...{ more: settings, body: "seven!!" },
      });
      expect(await ask(end, posted)).toEndWith("\r\n\r\nseven!!");
      const two = headOf(service, { upgrade: "h2c", more: settings }).repeat(2);
      const count = answers(end);
      say(end, two);
      await until(() => answers(end) === count + 2, "both are answered");
      expect(app.heads.length).toBe(4);
      expect(end.heard.closed).toBe(false);
      end.socket.destroy();
    });

    test("a protocol that the service does not name is left out, and the request goes on", async () => {
      for (const [name, upgrade] of [
        ["plain", "chat"],
        ["named", "chatx"],
        ["named", "spdy"],
        ["alone", "tls/1.0"],
        ["leads", "chat"],
        ["two", "other"],
      ] as const) {
        const { end, status } = await callHttp1(`${place}-${name}`, { upgrade });
        expect([name, status]).toEqual([name, 200]);
        end.socket.destroy();
      }
      expect(app.heads.length).toBe(5);
      expect(app.heads.join()).not.toContain("upgrade");
    });

    test("a protocol that the service names passes, and both records say so", async () => {
      for (const [name, upgrade, passed] of [
        ["named", "CHAT", "chat"],
        ["named", "foo, SPDY/3.1", "spdy/3.1"],
        ["alone", "chat", "chat"],
        ["two", "foo, chat", "chat"],
      ] as const) {
        for (const { records } of planes.machines) records.all.length = 0;
        const { end, status, answer } = await callHttp1(`${place}-${name}`, { upgrade });
        expect([name, status]).toEqual([name, 101]);
        expect(answer.toLowerCase()).toContain(`\r\nupgrade: ${passed}\r\n`);
        await expectEcho(end, "ping");
        end.socket.destroy();
        const all = (): string[] =>
          planes.machines.flatMap(({ records }) => records.all.map((each) => each.upgrade));
        await until(() => all().length === 2, "both sides have recorded it");
        expect(all()).toEqual([passed, passed]);
      }
    });

    test("websocket passes everywhere, also from a list that begins with h2c", async () => {
      for (const name of ["plain", "named", "alone", "two"]) {
        const { end, status } = await callHttp1(`${place}-${name}`, {
          ...{ upgrade: "h2c, WebSocket", more: [...webSocket, ...settings] },
        });
        expect([name, status]).toEqual([name, 101]);
        await expectEcho(end, "ping");
        end.socket.destroy();
      }
      expect(app.heads.join()).not.toMatch(/h2c|http2-settings/);
    });

    test("the rules see the method and the path that the app gets with an upgrade", async () => {
      const denied = await callHttp1(`${place}-named`, { method: "POST", upgrade: "chat" });
      expect([denied.status, app.heads.length]).toEqual([403, 0]);
      denied.end.socket.destroy();
      for (const name of ["named", "alone"]) {
        const post = { method: "POST", path: "/attach", upgrade: "chat" } as const;
        for (const body of ["", "tell me"]) {
          const { end, status } = await callHttp1(`${place}-${name}`, { ...post, body });
          expect([name, body, status]).toEqual([name, body, 101]);
          expect(app.heads.at(-1)).toStartWith("post /attach http/1.1");
          await expectEcho(end, "ping");
          end.socket.destroy();
        }
      }
      // HTTP/2 could not tell the app that it was a POST.
      const two = await callHttp1(`${place}-two`, { method: "POST", path: "/attach", upgrade: "chat" });
      expect(two.status).toBe(200);
      expect(two.answer.toLowerCase()).toContain("x-method: post");
      two.end.socket.destroy();
    });

    test("what an app switches to without being asked is 502", async () => {
      app.always = "h2c";
      for (const [name, upgrade] of [
        ["plain", "h2c"],
        ["named", "chat"],
        ["alone", "foo"],
        ["plain", "websocket"],
      ] as const) {
        const { end, answer, status } = await callHttp1(`${place}-${name}`, { upgrade, more: webSocket });
        expect([name, status]).toEqual([name, 502]);
        expect(answer).toContain("a protocol that was not asked for");
        end.socket.destroy();
      }
    });

    test("Extended CONNECT for h2c, or for a protocol that is not named, is 501", async () => {
      const client = await dialHttp2(runtime, a.port("caller"), { profile: profiles.app });
      for (const [name, upgrade, status] of [
        ["plain", "h2c", 501],
        ["named", "h2c", 501],
        ["plain", "chat", 501],
        ["leads", "chat", 501],
        ["named", "chat", 101],
        ["alone", "chat", 101],
        ["two", "chat", 101],
        ["two", "other", 501],
        ["plain", "websocket", 101],
      ] as const) {
        const heard = new Heard();
        const authority = `${place}-${name}.mesh`;
        const stream = client.start(request({ authority, target: "/public", upgrade }), noEdits, heard);
        await until(() => heard.answer !== null || heard.over, "the call is answered");
        expect([name, upgrade, heard.answer?.status]).toEqual([name, upgrade, status]);
        stream.cancel();
      }
      client.destroy();
    });

    test("CONNECT opens nothing to a service of requests", async () => {
      const end = await connectLocal(a.port("caller"));
      for (const name of ["plain", "named", "two"]) {
        const authority = `${place}-${name}.mesh:80`;
        const answer = await ask(end, `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
        expect(answer).toStartWith("HTTP/1.1 405");
      }
      expect(app.heads.length).toBe(0);
      end.socket.destroy();
    });
  });

describe("a holder of a service certificate that speaks to the inbound port by itself", () => {
  const dial = async (service: string, alpn: string): Promise<End> => {
    const credential = await planes.authority.issue({ uri: idOf("caller") });
    const trust = { trustDomain, rootsPem: planes.roots, denied: new Set<string>() };
    const peer = { spiffeId: idOf(service), serverName: `${service}.default.mesh`, alpn };
    const tls = outboundTls(credential, trust, peer);
    return dialled(runtime, { host: "127.0.0.1", port: b.plane.inboundPort, timeoutMs: hangMs, tls });
  };
  const http2 = (socket: Socket): Http2Client => {
    const client = new Http2Client(socket, {
      ...{ shard: new Shard(runtime.clock), profile: profiles.mesh, peer: "b" },
      ...{ onRoom: () => {}, onRetired: () => {} },
    });
    socket.handler = client.handler;
    return client;
  };

  test("is judged the same over HTTP/1.1", async () => {
    for (const [name, upgrade, status] of [
      ["plain", "h2c", 200],
      ["plain", "chat", 200],
      ["named", "h2c, foo", 200],
      ["named", "chat", 101],
      ["plain", "websocket", 101],
    ] as const) {
      const end = await dial(`far-${name}`, "http/1.1");
      const more = [...webSocket, ...settings];
      const answer = await ask(end, headOf(`far-${name}.default`, { upgrade, more }));
      expect([name, upgrade, Number(answer.slice(9, 12))]).toEqual([name, upgrade, status]);
      end.socket.destroy();
    }
    expect(app.heads.join()).not.toMatch(/h2c|http2-settings/);
  });

  test("is judged the same over HTTP/2", async () => {
    for (const [name, upgrade, status] of [
      ["plain", "h2c", 501],
      ["plain", "chat", 501],
      ["named", "h2c", 501],
      ["named", "chat", 101],
      ["plain", "websocket", 101],
      ["plain", "connect", 421],
    ] as const) {
      const end = await dial(`far-${name}`, "h2");
      const client = http2(end.socket);
      const heard = new Heard();
      const authority = `far-${name}.default.mesh:80`;
      const connect = upgrade === "connect";
      const target = connect ? "" : "/public";
      const method = connect ? "CONNECT" : "GET";
      client.start(request({ method, authority, target, upgrade }), noEdits, heard);
      await until(() => heard.answer !== null || heard.over, "the call is answered");
      expect([name, upgrade, heard.answer?.status]).toEqual([name, upgrade, status]);
      client.destroy();
    }
  });
});

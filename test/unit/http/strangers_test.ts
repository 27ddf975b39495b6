/** Who has shown no certificate: how many of them there are, for how long, and that they keep nobody out. */
import { afterAll, describe, expect, test } from "bun:test";
import { BodyRoom } from "../../../src/api/body_room.ts";
import { createControlClient } from "../../../src/api/control_client.ts";
import { serveControl, type ControlServer } from "../../../src/api/control_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { strangerBounds, Strangers } from "../../../src/http/strangers.ts";
import { limits } from "../../../src/model/limits.ts";
import { makeTestAuthority } from "../../support/certificates.ts";
import { ManualClock } from "../../support/clock.ts";
import { runtime } from "../../support/planes.ts";
import { dial, dialled, until, type End } from "../../support/sockets.ts";
import { hangMs } from "../../support/patience.ts";

const { strangersMax, strangersPerSourceMax, strangerGraceMs } = limits;

describe("of connections without a certificate", () => {
  function counted(loops = 1) {
    const ended: string[] = [];
    const trips: string[] = [];
    const clock = new ManualClock();
    const onLimit = (limit: string): void => void trips.push(limit);
    const strangers = new Strangers({ clock, bounds: strangerBounds.control, loops, onLimit });
    const come = (source: string, name = source) => strangers.admit(source, () => ended.push(name));
    return { ended, trips, clock, come };
  }

  test("one source has so many, and for each further one the oldest of it goes", async () => {
    const { ended, trips, clock, come } = counted();
    come("b");
    for (let each = 0; each < strangersPerSourceMax; each++) come("a", `a${each}`);
    await clock.advance(strangerGraceMs);
    expect([come("a"), come("a")]).not.toContain(null);
    expect(ended).toEqual(["a0", "a1"]);
    expect(trips).toEqual(["strangersPerSourceMax", "strangersPerSourceMax"]);
  });

  test.each([2, 4])("each of %i event loops that have the port takes an even part of them", async (loops) => {
    const { ended, clock, come } = counted(loops);
    for (let each = 0; each < strangersPerSourceMax / loops; each++) come("a", `a${each}`);
    await clock.advance(strangerGraceMs);
    expect(ended).toEqual([]);
    come("a");
    expect(ended).toEqual(["a0"]);
  });

  test("a network of IPv6 is one source", async () => {
    const { ended, clock, come } = counted();
    for (let each = 0; each < strangersPerSourceMax; each++) come(`fd00::${each.toString(16)}`, `a${each}`);
    await clock.advance(strangerGraceMs);
    expect(come("fd00:0:0:0:1::")).not.toBeNull();
    expect(come("fd00:0:0:1::1")).not.toBeNull();
    expect(ended).toEqual(["a0"]);
  });

  test("all sources have so many together, and who has most of them gives way", async () => {
    const { ended, trips, clock, come } = counted();
    come("old");
    for (let each = 0; each < strangersPerSourceMax; each++) come("greedy", `greedy${each}`);
    for (let each = 0; each < strangersMax - strangersPerSourceMax - 1; each++) come(`other${each}`);
    await clock.advance(strangerGraceMs);
    expect(ended).toEqual([]);
    come("new");
    come("newer");
    expect(ended).toEqual(["greedy0", "greedy1"]);
    expect(trips).toEqual(["strangersMax", "strangersMax"]);
  });

  test("those that came a moment ago are left to finish: a crowd comes in one after the other", async () => {
    const { ended, clock, come } = counted();
    const crowd = Array.from({ length: strangersPerSourceMax }, () => come("a"));
    expect(come("a")).toBeNull();
    crowd[7]?.leave();
    expect(come("a")).not.toBeNull();
    expect(come("a")).toBeNull();
    expect(ended).toEqual([]);
    await clock.advance(strangerGraceMs);
    expect(come("a")).not.toBeNull();
    expect(ended.length).toBe(1);
  });

  test("whoever is known, or gone, counts no more, whatever is called twice", () => {
    const { trips, come } = counted();
    for (let each = 0; each < 3 * strangersPerSourceMax; each++) {
      const stranger = come("a");
      stranger?.leave();
      stranger?.leave();
    }
    const all = Array.from({ length: strangersPerSourceMax }, () => come("a"));
    expect([come("a"), trips.length]).toEqual([null, 1]);
    for (const stranger of all) stranger?.leave();
    for (let each = 0; each < strangersPerSourceMax; each++) expect(come("a")).not.toBeNull();
    expect([come("a"), trips.length]).toEqual([null, 2]);
  });
});

const authority = await makeTestAuthority();
const shown = await authority.issue({ uri: "spiffe://mesh.test/controller/one", dns: ["controller.heddle"] });
const member = await authority.issue({ uri: "spiffe://mesh.test/node/vm-1" });
const rootsPem = [authority.rootPem];
const open: (ControlServer | End)[] = [];
afterAll(async () => {
  for (const each of open) {
    if ("socket" in each) each.socket.destroy();
    else await each.close(0);
  }
});

function serve(peer: "required" | "optional" | null, clock = new ManualClock()) {
  const asked: string[] = [];
  const trips: string[] = [];
  const server = serveControl({
    net: runtime.net,
    clock,
    shard: new Shard(clock),
    listen: { host: "127.0.0.1", port: 0 },
    identity: peer === null ? null : () => ({ credential: shown, rootsPem }),
    peer: peer ?? "optional",
    strangers: new Strangers({
      clock,
      bounds: strangerBounds.control,
      onLimit: (limit) => void trips.push(limit),
    }),
    bodies: new BodyRoom(),
    handler: (request, { caller }) => {
      asked.push(`${request.method} ${new URL(request.url).pathname}`);
      return Response.json({ caller: caller.spiffeId });
    },
  });
  open.push(server);
  return { asked, trips, port: server.port, clock };
}

const end = (port: number, tls: "tls" | "mtls" | null, localAddress?: string): Promise<End> =>
  dialled(runtime, {
    host: "127.0.0.1",
    port,
    timeoutMs: hangMs,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(tls === null
      ? {}
      : {
          tls: {
            ...(tls === "mtls" ? { credential: member } : {}),
            trustPem: rootsPem,
            alpn: ["http/1.1"],
            serverName: "controller.heddle",
            verify: "chain",
            handshakeTimeoutMs: hangMs,
            accept: () => null,
          },
        }),
  }).then((found) => {
    open.push(found);
    return found;
  });

const say = ({ socket }: End, text: string): void => void socket.write(Buffer.from(text));
const gone = ({ heard }: End): boolean => heard.ended || heard.closed;

describe("a control port", () => {
  for (const [what, peer, tls] of [
    ["without a certificate", "optional", "tls"],
    ["with a certificate", "required", "mtls"],
    ["in clear text", null, null],
  ] as const) {
    test(`answers CONNECT ${what} with 405, and ends it`, async () => {
      const { port, asked } = serve(peer);
      const client = await end(port, tls);
      say(client, "CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: 10.0.0.1:22\r\n\r\nSSH-2.0-x\r\n");
      await until(() => gone(client), "it is ended");
      expect(client.heard.text()).toStartWith("HTTP/1.1 405 ");
      expect(client.heard.text()).toContain("connection: close");
      expect(client.heard.text()).not.toContain("HTTP/1.1 400");
      expect(asked).toEqual([]);
    });

    test(`answers who asks for an upgrade ${what} as if it had not been asked for`, async () => {
      const { port, asked } = serve(peer);
      const client = await end(port, tls);
      for (const [at, upgrade] of ["h2c", "websocket", "chat, tls/1.2"].entries()) {
        const socket = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        say(
          client,
          `GET /x HTTP/1.1\r\nHost: a\r\n${socket}Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`,
        );
        const count = (): number => client.heard.text().split("HTTP/1.1 200 OK").length - 1;
        await until(() => count() === at + 1, `${upgrade} is answered`);
      }
      expect(asked).toEqual(["GET /x", "GET /x", "GET /x"]);
      expect(client.heard.text()).not.toContain("101");
    });
  }

  test("ends whoever has shown no certificate after a while, whatever it does, and nobody else", async () => {
    const { port, clock } = serve("optional");
    const [stranger, known] = [await end(port, "tls"), await end(port, "mtls")];
    const request = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    const lookMs = limits.strangerMs / 10;
    for (let look = 0; look < 9; look++) {
      for (const client of [stranger, known]) {
        say(client, request);
        await until(() => client.heard.text().split("200 OK").length === look + 2, "it is answered");
      }
      await clock.advance(lookMs);
    }
    expect([gone(stranger), gone(known)]).toEqual([false, false]);
    await clock.advance(2 * lookMs);
    await until(() => gone(stranger), "the stranger is ended");
    say(known, request);
    await until(() => known.heard.text().split("200 OK").length === 11, "the other is answered");
  });

  test("is open to those who can show a certificate while strangers fill it, in the handshake or before", async () => {
    const { port, trips, clock } = serve("required");
    const known = await end(port, "mtls");
    // Each begins a handshake that it never ends.
    const hello = Buffer.from("160301020001", "hex");
    const strangers: End[] = [];
    for (let each = 0; each < strangersPerSourceMax; each++) {
      const stranger = await end(port, null);
      if (each % 2 === 0) stranger.socket.write(hello);
      strangers.push(stranger);
    }
    await clock.advance(strangerGraceMs);
    const late = [await end(port, "mtls"), await end(port, "mtls"), await end(port, "mtls")];
    for (const client of [known, ...late]) {
      say(client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
      await until(() => client.heard.text().includes("200 OK"), "who has a certificate is answered");
    }
    // Two of them took the place of the oldest, and the third found the place of the second, which was known by then.
    expect(gone(strangers[0] as End)).toBe(true);
    expect(strangers.slice(3).filter(gone)).toEqual([]);
    expect(new Set(trips)).toEqual(new Set(["strangersPerSourceMax"]));
  });

  test("in clear text has room for so many connections", async () => {
    const { port, clock } = serve(null);
    const clients: End[] = [];
    for (let each = 0; each < strangersPerSourceMax; each++) clients.push(await end(port, null));
    const refused = await end(port, null);
    await until(() => gone(refused), "there is no room for it");
    await clock.advance(strangerGraceMs);
    const taken = await end(port, null);
    await until(() => gone(clients[0] as End), "the oldest is ended");
    expect([...clients, taken].filter(gone).length).toBe(1);
  });

  test("takes a client of ours through all that", async () => {
    const { port } = serve("required");
    const client = createControlClient({
      ...{ net: runtime.net, clock: runtime.clock, shard: new Shard(runtime.clock) },
      ...{ serverName: "controller.heddle", expect: () => true },
      servers: [{ host: "127.0.0.1", port }],
      identity: () => ({ credential: member, rootsPem }),
    });
    expect((await client.call("GET", "/x")).body).toEqual({ caller: "spiffe://mesh.test/node/vm-1" });
    client.close();
    const refused = await dial(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs });
    expect("kind" in refused).toBe(false);
    if (!("kind" in refused)) refused.socket.destroy();
  });
});

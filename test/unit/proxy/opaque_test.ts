/** Opaque connections on every way there is: how bytes, ends and breaks pass, what is recorded, and what is left behind. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import {
  expectEnd,
  expectHeard,
  expectReset,
  openByName,
  openTo,
  send,
  type Both,
} from "../../support/opaque.ts";
import { Planes, runtime, type TestMachine } from "../../support/planes.ts";
import { listen, until, type End } from "../../support/sockets.ts";
import { patterned } from "../../support/streams.ts";
import { testMs } from "../../support/patience.ts";
import { sampleOf } from "../../support/quick.ts";

const destinations = {
  shared: { protocol: "tcp" },
  own: { protocol: "tcp", transport: "own" },
  here: { protocol: "tcp" },
} as const;
const app = listen(runtime);
let planes: Planes;
let a: TestMachine;
let b: TestMachine;

beforeAll(async () => {
  const services = { shared: { app: app.port }, own: { app: app.port } };
  planes = await Planes.start(
    {
      name: "a",
      services: { caller: { app: 9, upstreams: ["shared", "own", "here"] }, here: { app: app.port } },
    },
    { name: "b", services },
  );
  planes.apply(destinations);
  a = planes.machine("a");
  b = planes.machine("b");
});
afterAll(async () => {
  await until(() => a.records.openTcp + b.records.openTcp === 0, "every connection has finished its record");
  // Nothing is open: they need none of that time.
  await Promise.all([a.plane.close(2 * testMs), b.plane.close(2 * testMs)]);
  app.listener.close();
}, testMs);

interface Way {
  readonly name: string;
  readonly service: "shared" | "own" | "here";
  readonly open: () => Promise<Both>;
}

const ways: readonly Way[] = [
  { name: "a stream of a shared connection", service: "shared", open: () => openTo(a, "shared", app) },
  { name: "a connection of its own", service: "own", open: () => openTo(a, "own", app) },
  { name: "this machine", service: "here", open: () => openTo(a, "here", app) },
  {
    name: "CONNECT and a shared connection",
    service: "shared",
    open: () => openByName(a, "shared.mesh:1", app),
  },
  {
    name: "CONNECT and a connection of its own",
    service: "own",
    open: () => openByName(a, "own.mesh:1", app),
  },
  { name: "CONNECT on this machine", service: "here", open: () => openByName(a, "here.mesh:1", app) },
];

/** Both records of the connection that `act` opens and ends. */
async function recordsOf(
  way: Way,
  act: () => Promise<void>,
): Promise<{ out: ExchangeRecord; into: ExchangeRecord }> {
  const far = way.service === "here" ? a : b;
  const [outs, ins] = [a.records.of("outbound").length, far.records.of("inbound").length];
  await act();
  await until(
    () => a.records.of("outbound").length > outs && far.records.of("inbound").length > ins,
    "both records",
  );
  expect([a.records.of("outbound").length, far.records.of("inbound").length]).toEqual([outs + 1, ins + 1]);
  const [out, into] = [a.records.of("outbound").at(-1), far.records.of("inbound").at(-1)];
  if (out === undefined || into === undefined) throw new Error("There is no record");
  return { out, into };
}

const longWays = sampleOf(ways, 1);

for (const way of ways) {
  describe(`over ${way.name}`, () => {
    test("bytes pass both ways, and both records say what passed", async () => {
      const { out, into } = await recordsOf(way, async () => {
        const { client, app } = await way.open();
        send(client, "question");
        await expectHeard(app, "question");
        send(app, "an answer");
        await expectHeard(client, "an answer");
        client.socket.shutdown();
        await expectEnd(app);
        app.socket.shutdown();
        await expectEnd(client);
        await until(() => client.heard.closed && app.heard.closed, "both are closed");
        expect([client.heard.error, app.heard.error]).toEqual([null, null]);
      });
      const told = {
        service: `${way.service}.default`,
        source: "caller.default",
        protocol: "tcp",
        outcome: null,
      };
      expect(out).toMatchObject({ ...told, bytesIn: 8, bytesOut: 9, tls: way.service !== "here" });
      expect(into).toMatchObject({ ...told, bytesIn: 8, bytesOut: 9, access: { verdict: "allow" } });
      expect([out.firstByteMs > 0, into.firstByteMs > 0, into.requestId !== ""]).toEqual([true, true, true]);
      if (way.service !== "own") expect(into.requestId).toBe(out.requestId);
    });

    test("the app hears that its client has ended, and answers after it", async () => {
      const { client, app } = await way.open();
      send(client, "all of it");
      client.socket.shutdown();
      await expectEnd(app);
      await expectHeard(app, "all of it");
      send(app, "late");
      await expectHeard(client, "late");
      expect(client.heard.ended).toBe(false);
      app.socket.shutdown();
      await expectEnd(client);
    });

    test("the client hears that the app has ended, and goes on after it", async () => {
      const { client, app } = await way.open();
      send(app, "bye");
      app.socket.shutdown();
      await expectEnd(client);
      await expectHeard(client, "bye");
      send(client, "late");
      await expectHeard(app, "late");
      expect(app.heard.ended).toBe(false);
      client.socket.shutdown();
      await expectEnd(app);
    });

    test("a client that breaks off is at fault, and the app sees no orderly end", async () => {
      const { out, into } = await recordsOf(way, async () => {
        const { client, app } = await way.open();
        send(client, "half");
        await expectHeard(app, "half");
        client.socket.reset();
        await expectReset(app);
      });
      expect(out.outcome).toMatchObject({ flag: "DC", side: "downstream" });
      expect(into.outcome).toMatchObject({ flag: "DC", side: "downstream" });
    });

    test("an app that breaks off is at fault, and the client sees no orderly end", async () => {
      const { out, into } = await recordsOf(way, async () => {
        const { client, app } = await way.open();
        send(app, "half");
        await expectHeard(client, "half");
        app.socket.reset();
        await expectReset(client);
      });
      expect(out.outcome).toMatchObject({ side: "upstream" });
      expect(into.outcome).toMatchObject({ flag: "UR", side: "upstream" });
    });

    test("a client that breaks off after the app has ended leaves nothing open", async () => {
      await recordsOf(way, async () => {
        const { client, app } = await way.open();
        app.socket.shutdown();
        await expectEnd(client);
        send(client, "more");
        await expectHeard(app, "more");
        client.socket.reset();
        await expectReset(app);
      });
    });

    test("an app that breaks off after its client has ended leaves nothing open", async () => {
      await recordsOf(way, async () => {
        const { client, app } = await way.open();
        client.socket.shutdown();
        await expectEnd(app);
        send(app, "part of it");
        await expectHeard(client, "part of it");
        app.socket.reset();
        await expectReset(client);
      });
    });

    test("an app that breaks off after it has ended is noticed by a client that still sends", async () => {
      await recordsOf(way, async () => {
        const { client, app } = await way.open();
        app.socket.shutdown();
        await expectEnd(client);
        app.socket.reset();
        client.heard.drain = () => {};
        await until(
          () => client.socket.write(new Uint8Array(1024)) < 0 || client.heard.closed,
          "the client notices",
        );
      });
    });

    for (const [who, towards] of [
      ["an app that does not read", "in"],
      ["a client that does not read", "out"],
    ] as const) {
      if (!longWays.includes(way)) continue;
      test(`${who} stops the other side, and gets every byte once it reads`, async () => {
        const both = await way.open();
        const [from, to]: [End, End] = towards === "in" ? [both.client, both.app] : [both.app, both.client];
        to.socket.pause();
        const bulk = new Bulk(from, bytes);
        await bulk.standsStill();
        expect(bulk.taken).toBeLessThan(bytes.length);
        to.heard.data = checker(bytes, to);
        to.socket.resume();
        await until(() => to.heard.ended, "all of it arrives");
        expect(to.heard.received).toBe(bytes.length);
        to.socket.shutdown();
        await expectEnd(from);
      });
    }
  });
}

/** Writes as fast as it may, then ends. */
class Bulk {
  taken = 0;

  constructor(
    readonly end: End,
    readonly bytes: Uint8Array,
  ) {
    end.heard.drain = () => this.#push();
    this.#push();
  }

  /** Until nothing was taken for a while. */
  async standsStill(): Promise<void> {
    let last = -1;
    let sinceMs = performance.now();
    await until(() => {
      if (this.taken !== last) sinceMs = performance.now();
      last = this.taken;
      return performance.now() - sinceMs > 200;
    }, "the sender is stopped");
  }

  #push(): void {
    while (this.taken < this.bytes.length) {
      const until = Math.min(this.bytes.length, this.taken + 1024 * 1024);
      const taken = this.end.socket.write(this.bytes, this.taken, until);
      this.taken += Math.max(0, taken);
      if (this.taken < until) return;
    }
    this.end.socket.shutdown();
  }
}

const bytes = patterned(64 * 1024 * 1024);

/** Compares instead of keeping. */
function checker(bytes: Uint8Array, to: End): (chunk: Uint8Array) => void {
  return (chunk) => {
    const at = to.heard.received;
    if (Buffer.compare(chunk, bytes.subarray(at, at + chunk.length)) !== 0)
      throw new Error(`Other bytes from ${at} on`);
    to.heard.received += chunk.length;
  };
}

/**
 * One client that takes all it can get and never lets go, beside one that behaves: of whatever a proxy has only so much, the
 * second one gets its share. Two data planes with real sockets; the app keeps some requests for ever.
 */
import { afterEach, describe, expect, test } from "bun:test";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Transport } from "../../../src/model/service.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { dialHttp2, Heard, request, serve, type Version } from "../../support/http_relay.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { connectByName } from "../../support/opaque.ts";
import { listen, until } from "../../support/sockets.ts";
import { testMs } from "../../support/patience.ts";
import { sampleOf } from "../../support/quick.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Answers `/` and keeps everything else. */
function app(version: Version) {
  const held: ServerExchange[] = [];
  const made = serve(
    runtime,
    (exchange) => {
      if (exchange.request.path !== "/") return void held.push(exchange);
      exchange.respond(200, null, noEdits, 0);
      exchange.end(null);
    },
    { version },
  );
  ends.push(() => made.close());
  return { held, port: made.port };
}

interface Plan {
  readonly version?: Version;
  readonly transport?: Transport;
  /** The service runs where it is called. */
  readonly near?: boolean;
}

async function mesh({ version = "http/1.1", transport = "shared", near = false }: Plan = {}) {
  const { held, port } = app(version);
  const planes = await Planes.start(
    {
      name: "a",
      services: { caller: { app: 9 }, other: { app: 9 }, ...(near ? { orders: { app: port } } : {}) },
    },
    { name: "b", services: { orders: { app: port }, far: { app: 9 } } },
  );
  planes.apply({
    orders: {
      transport,
      protocol: version === "h2" ? "http2" : "http",
      ...(near ? { unready: ["b"] } : {}),
    },
  });
  ends.push(() => void planes.close());
  return { held, a: planes.machine("a"), b: planes.machine("b") };
}

async function client(port: number) {
  const connection = await dialHttp2(runtime, port);
  ends.push(() => connection.destroy());
  const call = (target: string): Heard => {
    const heard = new Heard();
    connection.start(request({ target, authority: "orders.mesh" }), noEdits, heard);
    return heard;
  };
  return { connection, call };
}

/** Opens so many requests that are never answered. */
async function greedy(port: number, connections: number, streams: number): Promise<Heard[]> {
  const all: Heard[] = [];
  for (let each = 0; each < connections; each++) {
    const { connection, call } = await client(port);
    await until(() => connection.peer.known, "SETTINGS came");
    for (let stream = 0; stream < streams; stream++) all.push(call("/never"));
  }
  return all;
}

/** The statuses of so many requests in turn, from a client of its own. */
async function goodStatuses(port: number, count: number): Promise<Set<number | undefined>> {
  const { call } = await client(port);
  const statuses = new Set<number | undefined>();
  for (let each = 0; each < count; each++) {
    const heard = call("/");
    await until(() => heard.over, "the good client has its answer");
    statuses.add(heard.answer?.status);
  }
  return statuses;
}

const connectionsOf: readonly (readonly [string, Plan])[] = [
  ["to an app that speaks HTTP/1.1", {}],
  ["to an app of the same machine", { near: true }],
  ["to another proxy, one for each call", { transport: "http/1.1" }],
];
const silence: readonly (readonly [string, Plan, connections: number, streams: number])[] = [
  ...connectionsOf.flatMap(([where, plan]) => [
    [`all connections ${where}`, plan, 1, 1_100] as const,
    [`all connections ${where}`, plan, 8, 140] as const,
  ]),
  ["all requests to a service", { version: "h2" }, 3, 1_500],
  ["all requests to a service of the same machine", { version: "h2", near: true }, 3, 1_500],
];

describe.each([...sampleOf(silence, 1)])("what would fill %s", (_what, plan, connections, streams) => {
  test(
    `${connections} times ${streams} requests that are never answered, leaves enough for others`,
    async () => {
      const { a, b, held } = await mesh(plan);
      const port = a.port("caller");
      const silent = await greedy(port, connections, streams);
      const dealtWith = (): number => held.length + a.records.limits.length + b.records.limits.length;
      const holds = connections === 1 ? 500 : 700;
      /** Where a machine is slow, those that wait have waited in vain before there are as many connections as there may be. */
      const waitedInVain = (): boolean =>
        held.length > 0 && [a, b].some(({ records }) => records.limits.includes("pendingMs"));
      const allOver = (): boolean =>
        waitedInVain() && silent.filter((each) => each.over).length + held.length >= silent.length;
      const settled = (): boolean => (dealtWith() >= silent.length && held.length >= holds) || allOver();
      await until(settled, "each of them waits or is there");
      expect(await goodStatuses(port, 30)).toEqual(new Set([200]));
      expect(await goodStatuses(a.port("other"), 30)).toEqual(new Set([200]));
      expect(silent.some((each) => each.answer?.status === 200)).toBe(false);
    },
    testMs,
  );
});

test(
  "a client beyond its share waits, and hears in the end which share of what it has",
  async () => {
    const { a, b } = await mesh();
    const silent = await greedy(a.port("caller"), 1, 1_100);
    await until(
      () => silent.every((each) => !each.over || each.answer !== null),
      "whoever is over was answered",
    );
    await until(() => silent.some((each) => each.over), "one has waited long enough");
    const refused = silent.find((each) => each.over) as Heard;
    expect([refused.answer?.status, refused.answer?.fields.get("x-heddle-error")]).toEqual([
      503,
      expect.stringMatching(
        /^(?:UO|URX)\/its client has \d+ of the 1024 requests that may be under way to .*\(connectionsMax\), its share, and waited 3000 ms/,
      ),
    ]);
    expect(new Set(b.records.limits)).toEqual(new Set(["connectionsMax", "pendingMs"]));
  },
  testMs,
);

test("what waits for a client that has left never reaches the app", async () => {
  const { a, held } = await mesh({ near: true });
  const { connection, call } = await client(a.port("caller"));
  await until(() => connection.peer.known, "SETTINGS came");
  for (let stream = 0; stream < 1_100; stream++) call("/never");
  await until(() => a.records.limits.length + held.length === 1_100, "each of them waits or is there");
  const before = held.length;
  connection.destroy();
  await until(() => a.records.of("outbound").length === 1_100, "all of them are over");
  expect(held.length).toBe(before);
  expect(new Set(a.records.all.map(({ outcome }) => outcome?.flag))).toEqual(new Set(["DC"]));
});

test(
  "tunnels that fill a service for one client leave some for another, of its own service or not",
  async () => {
    const db = listen(runtime);
    const planes = await Planes.start(
      { name: "a", services: { caller: { app: 9 }, other: { app: 9 } } },
      { name: "b", services: { pipe: { app: db.port } } },
    );
    planes.apply({ pipe: { protocol: "tcp" } });
    ends.push(() => {
      db.listener.close();
      for (const { socket } of db.accepted) socket.destroy();
      void planes.close();
    });
    const a = planes.machine("a");
    const tunnel = request({ method: "CONNECT", target: "", authority: "pipe.mesh:80", upgrade: "connect" });
    for (let each = 0; each < 3; each++) {
      const { connection } = await client(a.port("caller"));
      await until(() => connection.peer.known, "SETTINGS came");
      for (let stream = 0; stream < 1_500; stream++) connection.start(tunnel, noEdits, new Heard());
    }
    await until(() => db.accepted.length + a.records.limits.length >= 4_500, "each waits or is there");
    expect(db.accepted.length).toBeLessThan(limits.requestsMax);
    for (const service of ["caller", "other"]) {
      const good = await connectByName(a.port(service), "pipe.mesh:80");
      good.socket.destroy();
    }
  },
  testMs,
);

test("a client that is alone has as many streams at once as it may open, also on connections that were never full", async () => {
  const { a, b, held } = await mesh({ version: "h2" });
  const { connection, call } = await client(a.port("caller"));
  await until(() => connection.peer.known, "SETTINGS came");
  const first = call("/");
  await until(() => first.over, "connections stand all the way");
  for (let stream = 0; stream < limits.h2LocalStreamsMax; stream++) call("/never");
  await until(() => held.length === limits.h2LocalStreamsMax, "all of them are there");
  expect([...a.records.limits, ...b.records.limits]).not.toContain("pendingMs");
});

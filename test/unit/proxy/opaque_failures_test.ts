/** Opaque connections that lead nowhere, leave early or are cut: what client and record hear, and where else they are tried. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { DialHandler, Net } from "../../../runtime/contract.ts";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import {
  connectByName,
  connectLocal,
  expectEnd,
  expectHeard,
  expectReset,
  openTo,
  send,
} from "../../support/opaque.ts";
import { idOf, Planes, runtime, type TestMachine } from "../../support/planes.ts";
import { listen, turns, until, type End } from "../../support/sockets.ts";
import { testMs } from "../../support/patience.ts";

const app = listen(runtime);
const gone = listen(runtime);
const nobody = gone.port;
gone.listener.close();

const denied = { otherwise: "deny", deny: [], allow: [] } as const;
const destinations = {
  pipe: { protocol: "tcp" },
  own: { protocol: "tcp", transport: "own" },
  near: { protocol: "tcp" },
  dead: { protocol: "tcp" },
  pair: { protocol: "tcp", balance: "round-robin" },
  sealed: { protocol: "tcp", access: denied },
  "sealed-own": { protocol: "tcp", transport: "own", access: denied },
  "sealed-here": { protocol: "tcp", access: denied },
  slow: { protocol: "tcp" },
  web: { protocol: "http" },
} as const;
const upstreams = [...Object.keys(destinations), "later"];
/** Dials to the slow app: they hang until they are given up. */
const held = new Set<DialHandler>();
const slowPort = nobody + 1;
const holding: Net = {
  listen: (options, accept) => runtime.net.listen(options, accept),
  adopt: (descriptor, accept) => runtime.net.adopt(descriptor, accept),
  secureServer: (socket, options, received, dial) =>
    runtime.net.secureServer(socket, options, received, dial),
  originalDestination: () => null,
  udp: (options, receive) => runtime.net.udp(options, receive),
  adoptUdp: (descriptor, receive) => runtime.net.adoptUdp(descriptor, receive),
  connect(options, dial) {
    if (!("port" in options) || options.port !== slowPort) return runtime.net.connect(options, dial);
    held.add(dial);
    return { cancel: () => void held.delete(dial) };
  },
};

async function mesh(): Promise<Planes> {
  const made = await Planes.start(
    {
      name: "a",
      services: {
        caller: { app: 9, upstreams },
        near: { app: app.port },
        "sealed-here": { app: app.port },
      },
    },
    {
      name: "b",
      net: holding,
      services: {
        pipe: { app: app.port },
        own: { app: app.port },
        dead: { app: nobody },
        pair: { app: nobody },
        sealed: { app: app.port },
        "sealed-own": { app: app.port },
        slow: { app: slowPort },
        web: { app: app.port },
      },
    },
    { name: "c", services: { pair: { app: app.port }, later: { app: app.port } } },
  );
  made.apply(destinations);
  return made;
}

let planes: Planes;
let a: TestMachine;

beforeAll(async () => {
  planes = await mesh();
  a = planes.machine("a");
});
afterAll(async () => {
  await until(() => planes.machines.every((each) => each.records.openTcp === 0), "all records are finished");
  await planes.close();
  app.listener.close();
});

async function recordOf(machine: TestMachine, act: () => Promise<unknown>): Promise<ExchangeRecord> {
  const before = machine.records.of("outbound").length;
  await act();
  await until(() => machine.records.of("outbound").length > before, "it is recorded");
  expect(machine.records.of("outbound").length).toBe(before + 1);
  return machine.records.of("outbound").at(-1) as ExchangeRecord;
}

const refused = (service: string) => async () => expectReset(await connectLocal(a.port("caller", service)));

async function talks({ client, app }: { client: End; app: End }): Promise<void> {
  send(client, "ping");
  await until(() => app.heard.text().endsWith("ping"), "the app hears it");
  send(app, "pong");
  await until(() => client.heard.text().endsWith("pong"), "the client hears it");
}

describe("an opaque connection", () => {
  test("to an app that refuses is reset, and the record tells why", async () => {
    const record = await recordOf(a, refused("dead"));
    expect(record.outcome).toMatchObject({ flag: "UF", side: "upstream" });
    expect(record.outcome?.detail).toContain("nothing listens at");
    expect(planes.machine("b").records.of("inbound").at(-1)?.outcome).toMatchObject({ flag: "UF" });
  });

  test("goes to another endpoint while no byte has passed, and the record lists both", async () => {
    const tried: number[] = [];
    for (let round = 0; round < 4; round++) {
      const record = await recordOf(a, async () => {
        const both = await openTo(a, "pair", app);
        await talks(both);
        both.client.socket.shutdown();
        both.app.socket.shutdown();
      });
      expect(record).toMatchObject({ outcome: null, endpoint: `c/pair.default/${app.port}` });
      tried.push(record.attempts.length);
    }
    expect(Math.max(...tried)).toBe(2);
  });

  for (const service of ["sealed", "sealed-own", "sealed-here"]) {
    test(`to ${service} is reset when access rules deny it`, async () => {
      const record = await recordOf(a, refused(service));
      const far = service === "sealed-here" ? a : planes.machine("b");
      expect(far.records.of("inbound").at(-1)).toMatchObject({
        access: { verdict: "deny" },
        outcome: { flag: "AD" },
      });
      if (service !== "sealed-own") expect(record.outcome).toMatchObject({ flag: "AD", side: "downstream" });
      else expect(record.outcome).not.toBeNull();
    });
  }

  test("whose client leaves before it leads anywhere takes nothing with it", async () => {
    const far = planes.machine("b").records;
    const before = far.all.length;
    const record = await recordOf(a, async () => {
      const client = await connectLocal(a.port("caller", "slow"));
      await until(() => held.size === 1, "the far proxy dials the app");
      client.socket.reset();
    });
    expect(record.outcome).toMatchObject({ flag: "DC", side: "downstream" });
    await until(() => far.all.length > before, "the far side is done with it too");
    expect(held.size).toBe(0);
  });

  test("to a service that appears later waits for it, with what it has said", async () => {
    const client = await connectLocal(a.port("caller", "later"));
    send(client, "early");
    await turns();
    client.socket.shutdown();
    const since = app.accepted.length;
    planes.apply({ ...destinations, later: { protocol: "tcp" } });
    await until(() => app.accepted.length > since, "it reaches the app");
    const far = app.accepted[since] as End;
    await expectHeard(far, "early");
    await expectEnd(far);
    far.socket.shutdown();
    await expectEnd(client);
    planes.apply(destinations);
  });

  test(
    "to a service that never appears is reset and recorded",
    async () => {
      const record = await recordOf(a, refused("later"));
      expect(record).toMatchObject({ service: "later.default", outcome: { flag: "NC" } });
    },
    testMs,
  );
});

describe("CONNECT", () => {
  const connect = (authority: string) => connectByName(a.port("caller"), authority);
  const refusals = [
    ["a name of no service", "example.org:443", 404, "NC"],
    ["a service of HTTP", "web.mesh:80", 405, "DPE"],
    ["an app that refuses", "dead.mesh:1", 503, "UF"],
    ["a service that denies it", "sealed.mesh:1", 403, "AD"],
  ] as const;
  for (const [what, authority, status, flag] of refusals) {
    test(`to ${what} is answered ${status} with the id of its record`, async () => {
      let answer = "";
      const record = await recordOf(a, () =>
        connect(authority).catch((error: Error) => (answer = error.message)),
      );
      expect(answer).toStartWith(`HTTP/1.1 ${status} `);
      expect(answer.toLowerCase()).toContain(`x-request-id: ${record.requestId}`);
      expect(record.outcome).toMatchObject({ flag });
    });
  }
});

describe("a proxy that ends", () => {
  for (const service of ["pipe", "own", "near"]) {
    test(`lets a connection to ${service} finish`, async () => {
      const other = await mesh();
      const machine = other.machine("a");
      const both = await openTo(machine, service, app);
      await talks(both);
      let closed = false;
      const closing = machine.plane.close(20_000).then(() => (closed = true));
      await talks(both);
      expect(closed).toBe(false);
      both.client.socket.shutdown();
      both.app.socket.shutdown();
      await closing;
      expect(machine.records.of("outbound").at(-1)).toMatchObject({ outcome: null });
      await other.close();
    });

    test(`cuts a connection to ${service} at its deadline, and says so`, async () => {
      const other = await mesh();
      const machine = other.machine("a");
      const both = await openTo(machine, service, app);
      await talks(both);
      const closing = machine.plane.close(100);
      await expectReset(both.client);
      await expectReset(both.app);
      await closing;
      await until(() => machine.records.openTcp === 0, "the record is finished");
      expect(machine.records.of("outbound").at(-1)?.outcome).toMatchObject({ flag: "DT", side: "mesh" });
      await other.close();
    });
  }
});

test("a revoked caller is cut with a record that says so, also while its connection is being made", async () => {
  const other = await mesh();
  const [machine, far] = [other.machine("a"), other.machine("b")];
  const both = await openTo(machine, "own", app);
  await talks(both);
  const client = await connectLocal(machine.port("caller", "pipe"));
  other.deniedIds = [idOf("caller")];
  other.apply(destinations);
  await expectReset(both.client);
  await expectReset(both.app);
  await expectReset(client);
  await until(() => far.records.openTcp === 0, "the records are finished");
  const cut = far.records.of("inbound").find((each) => each.service === "own.default");
  expect(cut?.outcome).toMatchObject({ flag: "ID" });
  await other.close();
});

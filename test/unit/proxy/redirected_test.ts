/** Connections that rules of the machine redirected: to the service whose virtual address they were going to, or on to where they were going. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Connecting, Told } from "../../../src/proxy/listen/caller_gate.ts";
import type { Destination } from "../../../src/model/snapshot.ts";
import { outcomes } from "../../../src/proxy/failure/outcomes.ts";
import { limits } from "../../../src/model/limits.ts";
import { testMs } from "../../support/patience.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { idOf, named, Planes, type TestMachine } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const redirectedPort = 7450;
const get = "GET /x HTTP/1.1\r\nhost: whatever.example\r\n\r\n";
const web: Told = { service: named("web"), refusal: null };

let net: MemoryNet;
let planes: Planes;
let a: TestMachine;
let app: MemoryApp;
let asked: Connecting[];
let said: Told;

beforeEach(async () => {
  net = new MemoryNet();
  [asked, said] = [[], web];
  app = new MemoryApp(net, {
    at: (step, socket) =>
      void (step === "whole" && socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))),
  });
  planes = await Planes.inMemory(
    net,
    {
      name: "a",
      services: { web: { app: 9 } },
      redirected: redirectedPort,
      names: ["orders.default 127.100.3.4:80 http"],
      callerOf: (connecting, told) => {
        asked.push(connecting);
        told(said);
      },
    },
    { name: "b", services: { orders: { app: app.port } } },
  );
  planes.apply({ orders: { protocol: "http" }, web: {} });
  a = planes.machine("a");
});
afterEach(async () => await planes.close());

async function call(host: string, port: number): Promise<MemoryCall> {
  net.originalDestination = () => ({ host, port });
  const made = new MemoryCall(net, redirectedPort, [get]);
  await net.settle();
  return made;
}

test("one to a virtual address calls its service, as the unit that made it", async () => {
  expect((await call("127.100.3.4", 80)).answer.status).toBe(200);
  expect(a.records.of("outbound")).toMatchObject([
    { source: "web.default", service: "orders.default", status: 200, tls: true },
  ]);
  expect(asked).toMatchObject([{ owner: null, called: { host: "127.100.3.4", port: 80 } }]);
});

test("one to another port of a virtual address leads nowhere, and says so in the log", async () => {
  expect((await call("127.100.3.4", 81)).answer.reset).toBe(true);
  expect(a.records.of("outbound")[0]?.outcome).toMatchObject({ flag: "NC" });
  expect(a.records.of("outbound")[0]?.outcome?.detail).toContain("127.100.3.4");
});

test("one to what is not in the mesh goes on as it is, whoever made it, and is recorded with where it went", async () => {
  const first = await call("192.0.2.1", app.port);
  said = { service: null, refusal: outcomes.refusedCaller("several") };
  const second = await call("192.0.2.2", app.port);
  for (const each of [first, second]) {
    expect(each.answer.status).toBe(200);
    each.leave();
  }
  await net.settle();
  expect(a.records.of("outbound")).toMatchObject([
    {
      service: "external",
      source: "web.default",
      endpoint: `192.0.2.1:${app.port}`,
      tls: false,
      outcome: { flag: "DC" },
    },
    { service: "external", source: "", endpoint: `192.0.2.2:${app.port}` },
  ]);
});

test("one to where nobody listens is reset, and recorded as such", async () => {
  expect((await call("192.0.2.1", 9)).answer.reset).toBe(true);
  expect(a.records.of("outbound")).toMatchObject([{ service: "external", outcome: { flag: "UF" } }]);
});

test("one that nobody redirected is reset: it would go round and round", async () => {
  expect((await call("127.0.0.1", redirectedPort)).answer.reset).toBe(true);
  net.originalDestination = () => null;
  const direct = new MemoryCall(net, redirectedPort, [get]);
  await net.settle();
  expect(direct.answer.reset).toBe(true);
  expect(a.records.all).toEqual([]);
});

test("one whose caller has no identity is answered so at a virtual address", async () => {
  said = { service: null, refusal: outcomes.refusedCaller("cron.service is not attached") };
  expect((await call("127.100.3.4", 80)).answer.status).toBe(403);
});

test("where another snapshot has the address of another service, the next connection goes there", async () => {
  await call("127.100.3.4", 80);
  const next = planes.snapshot(a, { orders: { protocol: "http" }, web: {} });
  a.plane.apply({ ...next, version: "other", names: [] });
  expect((await call("127.100.3.4", 80)).answer.reset).toBe(true);
});

test("what is not in the mesh is refused where the mesh says that only what is declared may be called, and counted either way", async () => {
  await call("192.0.2.1", app.port);
  const closed = { ...planes.snapshot(a, { orders: { protocol: "http" }, web: {} }), version: "closed" };
  a.plane.apply({ ...closed, egress: "declared" });
  const refused = await call("192.0.2.1", app.port);
  expect(refused.answer.reset).toBe(true);
  expect(a.records.outsides).toEqual([
    `web.default 192.0.2.1:${app.port} passed`,
    `web.default 192.0.2.1:${app.port} refused`,
  ]);
  expect(a.records.of("outbound").at(-1)?.outcome?.detail).toContain("egress: declared");
  expect((await call("127.100.3.4", 80)).answer.status).toBe(200);
});

for (const [whose, strict, caller, passes] of [
  ["strict unit", true, web, false],
  ["unit that is not strict", undefined, web, true],
  [
    "caller that nobody can tell, where a unit is strict,",
    true,
    { service: null, refusal: outcomes.refusedCaller("?") },
    false,
  ],
] as const)
  test(`before there is a snapshot what a ${whose} calls outside of the mesh ${passes ? "passes" : "is refused"}`, async () => {
    await planes.close();
    planes = await Planes.inMemory(net, {
      ...{ name: "a", services: { web: { app: 9 } }, redirected: redirectedPort },
      callerOf: (_connecting, told) => told(caller),
      ...(strict === undefined ? {} : { strict: { strict } }),
    });
    a = planes.machine("a");
    const { answer } = await call("192.0.2.1", app.port);
    expect([answer.status === 200, answer.reset]).toEqual([passes, !passes]);
    const [record] = a.records.of("outbound");
    if (!passes) expect(record?.outcome?.detail).toContain("no snapshot yet");
    expect(a.records.outsides.map((line) => line.split(" ").at(-1))).toEqual([passes ? "passed" : "refused"]);
  });

test(
  "connections of one service to what is not in the mesh are bounded, those of others apart, and room comes back",
  async () => {
    const calls: MemoryCall[] = [];
    for (let count = 0; count < limits.passedThroughMax; count++)
      calls.push(await call("192.0.2.1", app.port));
    expect(calls.at(-1)?.answer.status).toBe(200);
    expect((await call("192.0.2.1", app.port)).answer.reset).toBe(true);
    expect(a.records.of("outbound").at(-1)?.outcome).toMatchObject({ flag: "UO" });
    said = { service: null, refusal: outcomes.refusedCaller("several") };
    expect((await call("192.0.2.1", app.port)).answer.status).toBe(200);
    said = web;
    calls[0]?.leave();
    await net.settle();
    expect((await call("192.0.2.1", app.port)).answer.status).toBe(200);
  },
  testMs,
);

test("what a document declares outside of the mesh passes there, at its address and port, for whom its rules let", async () => {
  const next = planes.snapshot(a, { orders: { protocol: "http" }, web: {}, outside: {} });
  const declaredFor = (from: string): Destination[] =>
    next.destinations.map((each): Destination => {
      if (each.service.name !== "outside") return each;
      const source = { kind: "exact", value: idOf(from) } as const;
      const rule = { id: "r", mode: "enforce", source, methods: [], paths: [] } as const;
      const place = { node: "", address: "192.0.2.1", port: app.port, labels: {}, ready: true };
      return {
        ...each,
        external: { endpoints: [], host: "" },
        externalAccess: { otherwise: "deny", deny: [], allow: [rule] },
        endpoints: [{ id: "x", ...place }],
      };
    });
  const apply = (from: string, version: string): void =>
    a.plane.apply({ ...next, destinations: declaredFor(from), version, egress: "declared" });
  apply("web", "one");
  await call("192.0.2.1", app.port);
  await call("192.0.2.1", app.port + 1);
  apply("orders", "two");
  await call("192.0.2.1", app.port);
  expect(a.records.outsides.map((each) => each.split(" ").at(-1))).toEqual(["passed", "refused", "refused"]);
});

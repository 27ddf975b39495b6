/** Who calls is told for each connection, at once or after a look; who is nobody is refused, in words where it speaks HTTP. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { outcomes } from "../../../src/proxy/failure/outcomes.ts";
import type { Connecting, Told } from "../../../src/proxy/listen/caller_gate.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { bytesOf } from "../../support/wire.ts";
import { named, Planes, type TestMachine } from "../../support/planes.ts";

const why = "cron.service is not attached";
const nobody: Told = { service: null, refusal: outcomes.refusedCaller(why) };
const report: Told = { service: named("report"), refusal: null };

let net: MemoryNet;
let planes: Planes;
let a: TestMachine;
let asked: { readonly connecting: Connecting; readonly told: (who: Told) => void }[];
/** What is told at once; null: nothing yet. */
let said: Told | null;

beforeEach(async () => {
  net = new MemoryNet();
  [asked, said] = [[], null];
  const app = new MemoryApp(net, {
    at: (step, socket) =>
      void (step === "whole" && socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"))),
  });
  planes = await Planes.inMemory(
    net,
    {
      name: "a",
      services: { web: { app: 9, upstreams: ["orders", "db"] }, report: { app: 10 } },
      callerOf: (connecting, told) => {
        asked.push({ connecting, told });
        if (said !== null) told(said);
      },
    },
    { name: "b", services: { orders: { app: app.port }, db: { app: app.port } } },
  );
  planes.apply({ orders: {}, db: { protocol: "tcp" }, web: {}, report: {} });
  a = planes.machine("a");
});
afterEach(async () => await planes.close());

async function call(upstream: string | undefined, ...pieces: string[]): Promise<MemoryCall> {
  const made = new MemoryCall(net, a.port("web", upstream), pieces);
  await net.settle();
  return made;
}
const get = "GET /x HTTP/1.1\r\nhost: orders.mesh\r\n\r\n";

test("a caller that is told at once acts as itself, whosever listener it uses", async () => {
  said = report;
  for (const upstream of [undefined, "orders"]) expect((await call(upstream, get)).answer.status).toBe(200);
  expect(a.records.of("outbound").map(({ source }) => source)).toEqual(["report.default", "report.default"]);
  expect(
    planes
      .machine("b")
      .records.of("inbound")
      .map(({ source }) => source),
  ).toEqual(["report.default", "report.default"]);
  expect(asked.map(({ connecting }) => connecting.owner?.name)).toEqual(["web", "web"]);
});

test("what came before it is known who calls is read once that is told", async () => {
  const waiting = await call("orders", get);
  expect(waiting.answer.status).toBe(0);
  asked[0]?.told(report);
  await net.settle();
  expect(waiting.answer.status).toBe(200);
  expect(a.records.of("outbound")[0]?.source).toBe("report.default");
});

test("who left before that is forgotten", async () => {
  const left = await call("orders", get);
  left.leave();
  await net.settle();
  asked[0]?.told(report);
  await net.settle();
  expect(a.records.all).toEqual([]);
  expect(a.records.open.size).toBe(0);
});

test("nobody is answered 403 with the reason, by every way in, and recorded without an identity", async () => {
  said = nobody;
  for (const upstream of [undefined, "orders"]) {
    const { status, body } = (await call(upstream, get)).answer;
    expect([status, body]).toEqual([403, expect.stringContaining(why)]);
  }
  for (const { source, sourceId, outcome } of a.records.of("outbound"))
    expect([source, sourceId, outcome?.flag, outcome?.side]).toEqual(["", "", "ID", "downstream"]);
  expect(planes.machine("b").records.all).toEqual([]);
});

test("an opaque connection of nobody is reset, and recorded with the reason", async () => {
  said = nobody;
  expect((await call("db", "hello")).answer.reset).toBe(true);
  const [record] = a.records.of("outbound");
  expect([record?.kind, record?.outcome?.flag, record?.outcome?.detail]).toEqual(["tcp", "ID", why]);
  expect(a.records.open.size).toBe(0);
});

test("nobody has the controller asked for no service that is not known yet", async () => {
  said = nobody;
  const unknown = "GET /x HTTP/1.1\r\nhost: unheard.mesh\r\n\r\n";
  expect((await call(undefined, unknown)).answer.status).toBe(403);
  expect(a.plane.wanted()).toEqual([]);
});

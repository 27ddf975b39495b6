/** Where opaque connections go by a route of their service: shares by weight, whatever they carry, and what has no route stays as it was. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { CompiledTlsRoute } from "../../../../src/model/snapshot.ts";
import { expectHeard, openTo, send } from "../../../support/opaque.ts";
import { testMs } from "../../../support/patience.ts";
import { named, Planes, runtime, type TestMachine } from "../../../support/planes.ts";
import { listen, until } from "../../../support/sockets.ts";

const app = listen(runtime);
let planes: Planes;
let a: TestMachine;

function share(service: string, weight: number): CompiledTlsRoute["backends"][number] {
  return { service: named(service), subset: null, weight, invalid: null };
}

beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9, upstreams: ["db", "other"] } } },
    { name: "b", services: { old: { app: app.port }, next: { app: app.port }, other: { app: app.port } } },
  );
  a = planes.machine("a");
});
afterAll(async () => {
  await until(() => a.records.openTcp === 0, "every connection has finished its record");
  await Promise.all(planes.machines.map(({ plane }) => plane.close(2 * testMs)));
  app.listener.close();
}, testMs);

function route(backends: CompiledTlsRoute["backends"]): void {
  const opaque = { protocol: "tcp" } as const;
  planes.apply({
    ...{ old: opaque, next: opaque, other: opaque },
    db: { ...opaque, tlsRoutes: [{ name: "db", hostname: "*", backends }] },
  });
}

async function call(service: string): Promise<string> {
  const before = a.records.of("outbound").length;
  const both = await openTo(a, service, app);
  await send(both.client, "ping");
  await expectHeard(both.app, "ping");
  both.client.socket.shutdown();
  both.app.socket.shutdown();
  await until(() => a.records.of("outbound").length > before, "the connection was recorded");
  const { route: by, endpoint } = a.records.of("outbound")[before] ?? { route: "", endpoint: "" };
  return `${by} ${endpoint}`;
}

test("connections go where the route of their service says, by weight, and those of others go on as they did", async () => {
  route([share("old", 1), share("next", 0)]);
  expect(await call("db")).toStartWith("db b/old.default/");
  route([share("old", 0), share("next", 1)]);
  expect(await call("db")).toStartWith("db b/next.default/");
  expect(await call("other")).toStartWith(" b/other.default/");
});

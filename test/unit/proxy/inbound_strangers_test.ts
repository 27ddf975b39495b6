/** Whoever fills the inbound port without a certificate takes nothing from the machines that have one. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { serve } from "../../support/http_relay.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { dialled, until, type End } from "../../support/sockets.ts";

const app = serve(
  runtime,
  (exchange) => {
    exchange.respond(200, null, noEdits, 0);
    exchange.end(null);
  },
  { version: "http/1.1" },
);
let planes: Planes;

beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } } },
    { name: "b", services: { web: { app: app.port } } },
  );
  planes.apply({ web: {} });
});
afterAll(async () => {
  await planes.close();
  app.close();
});

test("of those that say nothing, or never end their handshake, the oldest go, and a machine comes in", async () => {
  const b = planes.machine("b");
  // The beginning of a ClientHello, and a whole one would be longer.
  const begun = Buffer.from("16030100c8010000c40303", "hex");
  const strangers: End[] = [];
  for (let each = 0; each < limits.strangersPerSourceMax + 8; each++) {
    const stranger = await dialled(runtime, {
      ...{ host: "127.0.0.1", port: b.plane.inboundPort, timeoutMs: 5_000 },
    });
    if (each % 2 === 0) stranger.socket.write(begun);
    strangers.push(stranger);
  }
  const gone = (): boolean[] => strangers.map(({ heard }) => heard.ended || heard.closed);
  await until(() => gone().filter(Boolean).length === 8, "the oldest are ended");
  expect(gone().indexOf(false)).toBe(8);
  expect(b.records.limits).toEqual(new Array<string>(8).fill("strangersPerSourceMax"));
  const answer = await fetch(`http://127.0.0.1:${planes.machine("a").port("caller")}/`, {
    headers: { host: "web.mesh" },
  });
  expect(answer.status).toBe(200);
  for (const { socket } of strangers) socket.destroy();
});

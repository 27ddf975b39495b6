/** A route's timeout is for getting an answer: a WebSocket that stands is not cut by it, one that never comes to stand is. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import type { Http2Client } from "../../../src/http/h2_client.ts";
import { limits } from "../../../src/model/limits.ts";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { ManualClock } from "../../support/clock.ts";
import { dialHttp2, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { comes, pass } from "../../support/passing.ts";

const timeoutMs = 5_000;
const clock = new ManualClock(Date.now());
const exchanges: ServerExchange[] = [];
const app = serve(runtime, (exchange) => void exchanges.push(exchange));
let planes: Planes;
let client: Http2Client;

function planOf(name: string) {
  const backends = [{ service: { name, namespace: "default" }, subset: null, weight: 1, invalid: null }];
  const match = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] } as const;
  const route: CompiledRoute = {
    name: "all",
    match,
    backends,
    requestTimeoutMs: timeoutMs,
    idempotent: false,
    policies: [],
  };
  return { protocol: "http2", routes: [route] } as const;
}

beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 }, here: { app: app.port } }, clock },
    { name: "b", services: { far: { app: app.port } } },
  );
  planes.apply({ here: planOf("here"), far: planOf("far") });
  client = await dialHttp2(runtime, planes.machine("a").port("caller"));
});
afterAll(async () => {
  client.destroy();
  app.close();
  await planes.close();
});

async function begin(service: string, upgrade: string | null) {
  const since = exchanges.length;
  const heard = new Heard();
  const stream = client.start(request({ authority: `${service}.mesh`, upgrade }), noEdits, heard);
  await comes(clock, () => exchanges.length > since, "the app has the call");
  return { heard, stream, asked: exchanges[since] as ServerExchange };
}

for (const service of ["here", "far"]) {
  test(`a WebSocket that stands outlives it and may be silent, to a service that is ${service}`, async () => {
    const { heard, stream, asked } = await begin(service, "websocket");
    const got: string[] = [];
    asked.accept({
      data: (bytes, start, end) => void got.push(Buffer.from(bytes.subarray(start, end)).toString()),
      end() {},
      aborted() {},
      writable() {},
    });
    asked.respond(101, null, noEdits, -1);
    await comes(clock, () => heard.answer !== null, "it stands");
    await pass(clock, limits.answerIdleMs + timeoutMs);
    expect([heard.over, heard.answer?.status]).toEqual([false, 101]);
    asked.write(Buffer.from("down"));
    stream.write(Buffer.from("up"));
    await comes(clock, () => heard.body === "down" && got.join("") === "up", "both directions work");
    const { records } = planes.machine("a");
    const before = records.of("outbound").length;
    stream.end(null);
    asked.end(null);
    await comes(clock, () => records.of("outbound").length > before, "it is recorded");
    expect(records.of("outbound").at(-1)?.outcome).toBeNull();
  });

  test(`one that never comes to stand is ended by it, to a service that is ${service}`, async () => {
    const { heard } = await begin(service, "websocket");
    await pass(clock, timeoutMs + 1_000);
    await comes(clock, () => heard.over, "it is over");
    expect(heard.answer?.status).toBe(504);
    expect(planes.machine("a").records.of("outbound").at(-1)?.outcome?.flag).toBe("UT");
  });

  test(`an answer that is no tunnel is ended by it as before, to a service that is ${service}`, async () => {
    const { records } = planes.machine("a");
    const before = records.of("outbound").length;
    const { heard, asked } = await begin(service, null);
    asked.respond(200, null, noEdits, -1);
    await comes(clock, () => heard.answer !== null, "the head comes");
    await pass(clock, timeoutMs + 1_000);
    await comes(clock, () => records.of("outbound").length > before, "it is recorded");
    expect(records.of("outbound").at(-1)?.outcome?.flag).toBe("UT");
  });
}

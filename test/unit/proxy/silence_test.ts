/** How long a call may be silent or slow: two data planes whose clock the test moves, and an app that says nothing. */
import { afterEach, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { ClientStream, ServerExchange } from "../../../src/http/exchange.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { ManualClock } from "../../support/clock.ts";
import { dialHttp2, Heard, request, serve } from "../../support/http_relay.ts";
import { comes, pass } from "../../support/passing.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const stepMs = 1_000;

interface SilentCall {
  readonly clock: ManualClock;
  readonly heard: Heard;
  readonly app: ServerExchange;
  readonly planes: Planes;
  readonly call: ClientStream;
}

/** A call whose request has not ended. */
async function openCall(type: string, stream = false): Promise<SilentCall> {
  const exchanges: ServerExchange[] = [];
  const app = serve(runtime, (exchange) => void exchanges.push(exchange));
  const clock = new ManualClock(Date.now());
  const planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } }, clock },
    { name: "b", services: { quiet: { app: app.port } } },
  );
  planes.apply({ quiet: { protocol: "http2", stream } });
  const client = await dialHttp2(runtime, planes.machine("a").port("caller"));
  ends.push(() => {
    client.destroy();
    app.close();
    void planes.close();
  });
  const heard = new Heard();
  const fields = { remove: [], set: ["content-type", type], add: [] };
  const call = client.start(
    request({ method: "POST", authority: "quiet.mesh", contentLength: -1 }),
    fields,
    heard,
  );
  await comes(clock, () => exchanges.length === 1, "the app has the call");
  return { clock, heard, app: exchanges[0] as ServerExchange, planes, call };
}

async function silentCall(type: string): Promise<SilentCall> {
  const open = await openCall(type);
  open.call.end(null);
  return open;
}

test("an app that answers nothing is not waited for without end", async () => {
  const { clock, heard } = await silentCall("text/plain");
  await pass(clock, limits.answerIdleMs + 2 * stepMs);
  await comes(clock, () => heard.over, "the call is over");
  expect(heard.answer?.status).toBe(504);
});

test("a gRPC call without a deadline may wait for its first message as long as it likes", async () => {
  const { clock, heard, app } = await silentCall("application/grpc");
  await pass(clock, 2 * limits.answerIdleMs);
  expect([heard.over, heard.answer === null]).toEqual([false, true]);
  app.respond(200, null, noEdits, -1);
  await comes(clock, () => heard.answer !== null, "the answer comes");
  expect(heard.answer?.status).toBe(200);
});

for (const [type, silentFor] of [
  ["Text/Event-Stream; charset=utf-8", "as long as it likes"],
  ["text/event-streaming", "no longer than any other"],
] as const)
  test(`an answer of ${type} may be silent ${silentFor}`, async () => {
    const net = new MemoryNet();
    const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\n\r\n`;
    const app = new MemoryApp(net, {
      at: (step, socket) => {
        if (step === "whole") socket.write(bytesOf(head));
      },
    });
    const caller = { caller: { app: 9, upstreams: ["web"] } };
    const planes = await Planes.inMemory(
      net,
      { name: "a", services: caller },
      { name: "b", services: { web: { app: app.port } } },
    );
    planes.apply({ caller: {}, web: {} });
    const port = planes.machine("a").port("caller", "web");
    const call = new MemoryCall(net, port, ["GET / HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
    await net.pass(2 * limits.answerIdleMs + stepMs);
    expect(call.answer.status).toBe(200);
    expect(call.answer.reset).toBe(silentFor !== "as long as it likes");
  });

test("a body that drips below the floor is ended at the first proxy, which counts it", async () => {
  const { clock, heard, planes, call } = await openCall("text/plain");
  const drip = new Uint8Array(limits.bodyBytesPerSecondMin / 2);
  for (let second = 0; second < 9; second++) {
    call.write(drip);
    await pass(clock, stepMs);
  }
  expect([heard.over, planes.machine("a").records.limits]).toEqual([false, []]);
  await pass(clock, 3 * stepMs);
  await comes(clock, () => heard.over, "the call is over");
  expect([heard.answer?.status, planes.machine("a").records.limits]).toEqual([
    408,
    ["bodyBytesPerSecondMin"],
  ]);
});

test("a body to a service that declares streams may drip as slowly as it likes, through both proxies", async () => {
  const { clock, heard, app, planes, call } = await openCall("text/plain", true);
  let bytes = 0;
  app.accept({
    data: (_bytes, start, end) => void (bytes += end - start),
    end: () => {
      app.respond(200, null, noEdits, 0);
      app.end(null);
    },
    aborted() {},
    writable() {},
  });
  app.liftTimeouts();
  for (let round = 0; round < 4; round++) {
    call.write(new Uint8Array(1));
    await pass(clock, limits.bodyProgressMs + stepMs);
  }
  call.end(null);
  await comes(clock, () => heard.over, "the call is over");
  expect([heard.answer?.status, bytes]).toEqual([200, 4]);
  expect([...planes.machine("a").records.limits, ...planes.machine("b").records.limits]).toEqual([]);
});

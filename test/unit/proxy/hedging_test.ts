/** A slow request that is sent to a second instance, too: when, which answer counts, what it costs, and what is never sent so. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { limits } from "../../../src/model/limits.ts";
import type { TrafficTraits } from "../../../src/model/traffic.ts";
import { MemoryApp, MemoryCall, type Step } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type TestMachine } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const answer = (status: number, body: string): Uint8Array =>
  bytesOf(`HTTP/1.1 ${status} X\r\ncontent-length: ${body.length}\r\n\r\n${body}`);

/** What an app does with the n-th request that any of them gets. */
type Act = (socket: Socket, net: MemoryNet) => void;
const says =
  (status: number, body: string, afterMs = 0): Act =>
  (socket, net) => {
    if (afterMs === 0) return void socket.write(answer(status, body));
    net.clock.after(afterMs, () => socket.write(answer(status, body)));
  };
const silent: Act = () => {};
const resets =
  (afterMs: number): Act =>
  (socket, net) =>
    void net.clock.after(afterMs, () => socket.reset());

class Mesh {
  readonly net = new MemoryNet();
  sent = 0;
  apps: readonly MemoryApp[] = [];
  planes!: Planes;

  /** `acts`: of the first request, the second, and so on; the last one of all that follow. */
  static async start(acts: readonly Act[], traffic: TrafficTraits, instances = 2): Promise<Mesh> {
    const mesh = new Mesh();
    const { net } = mesh;
    const at = (step: Step, socket: Socket): void => {
      if (step !== "whole") return;
      acts[Math.min(mesh.sent, acts.length - 1)]?.(socket, net);
      mesh.sent++;
    };
    const apps = Array.from({ length: instances }, () => new MemoryApp(net, { at }));
    mesh.apps = apps;
    mesh.planes = await Planes.inMemory(
      net,
      { name: "a", services: { caller: { app: 9, upstreams: ["web"] } } },
      ...apps.map(({ port }, index) => ({ name: `web-${index}`, services: { web: { app: port } } })),
    );
    mesh.planes.apply({ caller: {}, web: { traffic } });
    return mesh;
  }

  /** Requests that came to any app, whole or in part. */
  get begun(): number {
    return this.apps.reduce((sum, { requests }) => sum + requests.length, 0);
  }

  get caller(): TestMachine {
    return this.planes.machine("a");
  }

  async call(passMs: number, head = "GET /x", more = ""): Promise<MemoryCall> {
    const request = `${head} HTTP/1.1\r\nhost: web.mesh\r\n${more}\r\n`;
    const call = new MemoryCall(this.net, this.caller.port("caller", "web"), [request]);
    await this.net.settle();
    await this.net.pass(passMs);
    return call;
  }

  get attempts(): (string | undefined)[] {
    const [record] = this.caller.records.of("outbound");
    return record?.attempts.map(({ result }) => result) ?? [];
  }

  get inboundFlags(): (string | undefined)[] {
    const machines = this.planes.machines.slice(1);
    return machines.flatMap(({ records }) => records.of("inbound").map(({ outcome }) => outcome?.flag));
  }
}

const hedging: TrafficTraits = { hedging: { delay: "50ms" } };

describe("a request that is not answered within the delay", () => {
  test("is sent to a second instance, whose answer counts when it comes first, and the first is cancelled", async () => {
    const mesh = await Mesh.start([silent, says(200, "two")], hedging);
    const call = await mesh.call(100);
    expect([call.answer.status, call.answer.body, mesh.sent]).toEqual([200, "two", 2]);
    expect(mesh.attempts).toEqual(["lost", "ok"]);
    expect(mesh.inboundFlags.toSorted()).toEqual(["DC", undefined]);
    expect(mesh.caller.records.attempts).toEqual(["web.default first lost", "web.default hedge ok"]);
    const [record] = mesh.caller.records.of("outbound");
    expect(record?.attempts.map(({ endpoint }) => endpoint).at(-1)).toBe(record?.endpoint as string);
  });

  test("has the answer of the first where that comes first, and the second is cancelled", async () => {
    const mesh = await Mesh.start([says(200, "one", 80), silent], hedging);
    const call = await mesh.call(200);
    expect([call.answer.body, mesh.sent, mesh.attempts]).toEqual(["one", 2, ["lost", "ok"]]);
    expect(mesh.inboundFlags.toSorted()).toEqual(["DC", undefined]);
  });

  test("is sent to one instance where its answer comes in time, or nobody asks for more", async () => {
    for (const [acts, traffic] of [
      [[says(200, "one", 40)], hedging],
      [[says(200, "one", 500)], {}],
      [[says(200, "one", 500)], { hedging: { delay: "off" } }],
    ] as const) {
      const mesh = await Mesh.start(acts, traffic);
      const call = await mesh.call(600);
      expect([call.answer.body, mesh.sent]).toEqual(["one", 1]);
    }
  });

  test("is sent to no third instance, however long both take", async () => {
    const mesh = await Mesh.start([silent], hedging, 3);
    await mesh.call(5_000);
    expect(mesh.sent).toBe(2);
  });
});

describe("of two attempts under way", () => {
  test("one that fails leaves the answer to the other, in either order", async () => {
    const first = await Mesh.start([resets(80), says(200, "two", 80)], hedging);
    expect((await first.call(300)).answer.body).toBe("two");
    expect(first.attempts).toEqual(["UR", "ok"]);
    const second = await Mesh.start([says(200, "one", 150), resets(20)], hedging);
    expect((await second.call(300)).answer.body).toBe("one");
    expect(second.attempts).toEqual(["UR", "ok"]);
  });

  test("one that answers that it failed is not taken while the other may do better", async () => {
    const mesh = await Mesh.start([says(200, "one", 150), says(503, "no")], hedging);
    const call = await mesh.call(300);
    expect([call.answer.status, call.answer.body, mesh.sent]).toEqual([200, "one", 2]);
  });

  test("the last one that failed is what the caller hears of, and there is no further one", async () => {
    const mesh = await Mesh.start([resets(80), resets(80)], hedging);
    const call = await mesh.call(2_000);
    expect([call.answer.status, mesh.sent]).toEqual([502, 2]);
  });

  test("both end when the client leaves, and none is reckoned under way any more", async () => {
    const mesh = await Mesh.start([silent], hedging);
    const call = await mesh.call(100);
    call.leave();
    await mesh.net.settle();
    expect(mesh.inboundFlags).toEqual(["DC", "DC"]);
    const web = mesh.caller.plane.state?.destinations.get("web.default");
    expect([...(web?.endpoints.values() ?? [])].map(({ load }) => load.pending)).toEqual([0, 0]);
  });

  test("both end at the deadline of the caller", async () => {
    const mesh = await Mesh.start([silent], hedging);
    const call = await mesh.call(600, "GET /x", "x-request-deadline: 300ms\r\n");
    expect([call.answer.status, mesh.sent]).toEqual([504, 2]);
    expect(mesh.inboundFlags).toEqual(["DC", "DC"]);
  });

  test("each has the time of one attempt", async () => {
    const traffic = { ...hedging, timeouts: { perTryMs: 300 } };
    const late = await Mesh.start([silent, says(200, "two", 280)], traffic);
    expect((await late.call(1_000)).answer.body).toBe("two");
    const both = await Mesh.start([silent], traffic);
    expect((await both.call(1_000)).answer.status).toBe(504);
    expect(both.sent).toBe(2);
  });
});

describe("there is no second attempt", () => {
  const sentOf = async (traffic: TrafficTraits, head: string, more = "", instances = 2): Promise<number> => {
    const mesh = await Mesh.start([silent], traffic, instances);
    await mesh.call(500, head, more);
    return mesh.sent;
  };

  test("of what must not happen twice, unless the app tells repeats", async () => {
    const body = "content-length: 0\r\n";
    expect(await sentOf(hedging, "POST /x", body)).toBe(1);
    expect(await sentOf({ ...hedging, retries: { idempotent: true } }, "POST /x", body)).toBe(2);
  });

  test("of a request whose body has not come whole", async () => {
    const mesh = await Mesh.start([silent], hedging);
    await mesh.call(500, "PUT /x", "content-length: 5\r\n");
    expect(mesh.begun).toBe(1);
  });

  test("of one that another layer has sent again, of an upgrade, and where there is one instance", async () => {
    expect(await sentOf(hedging, "GET /x", "x-heddle-attempt: 1\r\n")).toBe(1);
    const upgrade =
      "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    expect(await sentOf(hedging, "GET /x", `${upgrade}sec-websocket-version: 13\r\n`)).toBe(1);
    expect(await sentOf(hedging, "GET /x", "", 1)).toBe(1);
  });

  test("once the retries are used up", async () => {
    const mesh = await Mesh.start([silent], { ...hedging, retryBudget: { percent: 0, min: 2 } });
    const port = mesh.caller.port("caller", "web");
    for (let count = 0; count < 5; count++)
      new MemoryCall(mesh.net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
    await mesh.net.settle();
    await mesh.net.pass(500);
    expect(mesh.sent).toBe(5 + 2);
  });
});

test("by p95 a request is sent to a second instance when it takes longer than nearly all did, once enough are known", async () => {
  const mesh = await Mesh.start([says(200, "ok", 30), silent], { hedging: { delay: "p95" } });
  const latencies = mesh.caller.plane.state?.destinations.get("web.default")?.latencies;
  await mesh.call(100);
  await mesh.call(500);
  expect([mesh.sent, latencies?.p95]).toEqual([2, null]);
  for (let count = 0; count < limits.hedgeSamplesMin + limits.hedgeSampleEvery; count++) latencies?.add(200);
  await mesh.call(190);
  expect([mesh.sent, latencies?.p95]).toEqual([3, 200]);
  await mesh.net.pass(100);
  expect(mesh.sent).toBe(4);
});

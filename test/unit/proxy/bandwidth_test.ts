/** Bytes a second of a service: who is over the rate is read later, both ways, and nothing is cut. Whole planes in memory. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import type { Bandwidth } from "../../../src/model/traffic.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type DestinationPlan, type TestMachine } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const kb = 1_000;
const bodyBytes = 400 * kb;
const body = "b".repeat(bodyBytes);

class Mesh {
  readonly net = new MemoryNet();
  readonly app: MemoryApp;
  planes!: Planes;

  private constructor(answer: (socket: Socket) => void) {
    this.app = new MemoryApp(this.net, {
      at: (step, socket) => {
        if (step === "whole") answer(socket);
      },
    });
  }

  static async start(
    bandwidth: Bandwidth,
    answered: string,
    near: boolean,
    web: DestinationPlan = {},
  ): Promise<Mesh> {
    const mesh = new Mesh((socket) => {
      const head = `HTTP/1.1 200 OK\r\ncontent-length: ${answered.length}\r\n\r\n`;
      send(socket, bytesOf(head + answered));
    });
    const callers = { caller: { app: 9, upstreams: ["web"] }, other: { app: 9, upstreams: ["web"] } };
    const service = { web: { app: mesh.app.port } };
    mesh.planes = near
      ? await Planes.inMemory(mesh.net, { name: "a", services: { ...callers, ...service } })
      : await Planes.inMemory(mesh.net, { name: "a", services: callers }, { name: "b", services: service });
    mesh.planes.apply({ caller: {}, web: { ...web, traffic: { bandwidth } } });
    return mesh;
  }

  get machine(): TestMachine {
    return this.planes.machine("a");
  }

  async call(service: string, sent: string): Promise<MemoryCall> {
    const head = `POST /x HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: ${sent.length}\r\n\r\n`;
    const call = new MemoryCall(this.net, this.machine.port(service, "web"), [head + sent]);
    await this.net.settle();
    return call;
  }

  /** How many seconds pass until it holds. */
  async seconds(condition: () => boolean): Promise<number> {
    let tenths = 0;
    while (!condition()) {
      if (++tenths > 300) throw new Error("it never holds");
      await this.net.pass(100);
    }
    return tenths / 10;
  }
}

/** All of it, however little the network takes at a time. */
function send(socket: Socket, bytes: Uint8Array): void {
  const taken = socket.write(bytes);
  if (taken >= bytes.length || taken < 0) return;
  const { handler } = socket;
  const rest = bytes.slice(taken);
  const drained = handler.drain.bind(handler);
  handler.drain = () => {
    handler.drain = drained;
    send(socket, rest);
  };
}

describe.each([
  ["of another machine", false],
  ["of the same machine", true],
])("a service %s whose callers have 100 kB/s each", (_where, near) => {
  const limit = { identity: 100 * kb };

  test("sends them an answer of 400 kB in 3 s or more, and all of it", async () => {
    const mesh = await Mesh.start(limit, body, near);
    const call = await mesh.call("caller", "");
    const seconds = await mesh.seconds(() => call.answer.body.length === bodyBytes);
    expect(seconds).toBeGreaterThanOrEqual(2.5);
    expect(seconds).toBeLessThan(6);
    expect(call.answer).toMatchObject({ status: 200, whole: true });
  });

  test("takes a request of 400 kB in 3 s or more, and all of it", async () => {
    const mesh = await Mesh.start(limit, "ok", near);
    const call = await mesh.call("caller", body);
    const seconds = await mesh.seconds(() => call.answer.status === 200);
    expect(seconds).toBeGreaterThanOrEqual(2.5);
    expect(seconds).toBeLessThan(6);
    expect(mesh.app.requests[0]?.body.length).toBe(bodyBytes);
    const records = near ? mesh.machine.records : mesh.planes.machine("b").records;
    expect(records.limits.filter((name) => name === "bandwidth").length).toBe(1);
  });

  test("makes no caller wait for another, and none for what has passed long ago", async () => {
    const mesh = await Mesh.start(limit, "ok", near);
    const slow = await mesh.call("caller", body);
    const other = await mesh.call("other", "b".repeat(50 * kb));
    expect([slow.answer.status, other.answer.status]).toEqual([0, 200]);
    await mesh.seconds(() => slow.answer.status === 200);
    await mesh.net.pass(2_000);
    expect((await mesh.call("caller", "b".repeat(50 * kb))).answer.status).toBe(200);
  });

  test("carries opaque connections no faster, both ways, and to their end", async () => {
    const mesh = await Mesh.start(limit, body, near, { protocol: "tcp" });
    const call = await mesh.call("caller", body);
    const seconds = await mesh.seconds(() => call.answer.body.length === bodyBytes);
    expect(seconds).toBeGreaterThanOrEqual(5);
    expect(seconds).toBeLessThan(12);
    expect(mesh.app.requests[0]?.body.length).toBe(bodyBytes);
  });
});

test("callers of a service share its rate, and one with a rate of its own has that", async () => {
  const mesh = await Mesh.start({ total: 100 * kb, overrides: { "other.default": 10 * kb } }, "ok", false);
  const calls = [await mesh.call("caller", body), await mesh.call("caller", body)];
  const seconds = await mesh.seconds(() => calls.every(({ answer }) => answer.status === 200));
  expect(seconds).toBeGreaterThanOrEqual(6);
  const slow = await mesh.call("other", "b".repeat(40 * kb));
  expect(await mesh.seconds(() => slow.answer.status === 200)).toBeGreaterThanOrEqual(2);
});

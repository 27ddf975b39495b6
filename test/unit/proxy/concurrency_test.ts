/** How many requests an app serves at a time, and which are let in first: whole planes in memory, an app moved by hand. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { exposeConcurrency, exposeShared } from "../../../src/app/proxy_metrics.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Priority } from "../../../src/model/priority.ts";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import type { TrafficTraits } from "../../../src/model/traffic.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { named, Planes, type Records, type TestMachine } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const whole = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

interface Held {
  readonly target: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly socket: Socket;
}

/** Requests to /critical have that priority, and so on. */
function routeOf(priority: Priority): CompiledRoute {
  const path = { type: "PathPrefix", value: `/${priority}` } as const;
  return {
    name: priority,
    match: { path, method: null, headers: [] },
    backends: [{ service: named("web"), subset: null, weight: 1, invalid: null }],
    policies: [],
    requestTimeoutMs: null,
    idempotent: false,
    priority,
  };
}

class Mesh {
  readonly net = new MemoryNet();
  readonly held: Held[] = [];
  readonly app = new MemoryApp(this.net, {
    at: (step, socket, request) => {
      if (step === "whole" && request !== null)
        this.held.push({ target: request.target, fields: request.fields, socket });
    },
  });
  planes!: Planes;

  static async start(traffic: TrafficTraits, near = false): Promise<Mesh> {
    const mesh = new Mesh();
    const callers = { caller: { app: 9 }, batch: { app: 9 } };
    const web = { web: { app: mesh.app.port } };
    mesh.planes = near
      ? await Planes.inMemory(mesh.net, { name: "a", services: { ...callers, ...web } })
      : await Planes.inMemory(mesh.net, { name: "a", services: callers }, { name: "b", services: web });
    const routes = (["critical", "default", "sheddable", "background"] as const).map(routeOf);
    mesh.planes.apply({ caller: {}, web: { traffic, routes } });
    return mesh;
  }

  get machine(): TestMachine {
    return this.planes.machine("a");
  }

  get records(): Records {
    return (this.planes.machines.find(({ plan }) => plan.name === "b") ?? this.machine).records;
  }

  async call(path: string, service = "caller", ...lines: readonly string[]): Promise<MemoryCall> {
    const head = [`GET ${path} HTTP/1.1`, "host: web.mesh", ...lines].join("\r\n");
    const call = new MemoryCall(this.net, this.machine.port(service), [`${head}\r\n\r\n`]);
    await this.net.settle();
    return call;
  }

  /** What was refused is tried once more: its status after that. */
  async refusal(call: MemoryCall | undefined): Promise<MemoryCall["answer"] | undefined> {
    await this.net.pass(limits.retryBackoffMs * 2);
    return call?.answer;
  }

  /** The app answers the one that it got first. */
  async answer(text = whole): Promise<void> {
    this.held.shift()?.socket.write(bytesOf(text));
    await this.net.settle();
  }

  get targets(): string[] {
    return this.held.map(({ target }) => target);
  }
}

describe.each([
  ["of another machine", false],
  ["of the same machine", true],
])("an app %s that serves two requests at a time", (_where, near) => {
  const traffic = { concurrency: { max: 2, pending: 2, pendingWaitMs: 500 } };

  test("gets two; two wait for their turn, and one more is refused with the limit and its fields", async () => {
    const mesh = await Mesh.start(traffic, near);
    const calls: MemoryCall[] = [];
    for (const path of ["/1", "/2", "/3", "/4", "/5"]) calls.push(await mesh.call(`/default${path}`));
    expect(mesh.targets).toEqual(["/default/1", "/default/2"]);
    const answer = await mesh.refusal(calls[4]);
    expect(answer?.status).toBe(503);
    expect(answer?.body).toContain(
      "web.default serves 2 requests at a time here (concurrency.max), and up to 2 wait (concurrency.pending)",
    );
    expect(mesh.records.limits).toContain("concurrency");
    expect(mesh.records.of("inbound")[0]).toMatchObject({ status: 503, outcome: { flag: "UO" } });
    await mesh.answer();
    expect(mesh.targets).toEqual(["/default/2", "/default/3"]);
    for (let answered = 0; answered < 3; answered++) await mesh.answer();
    expect(calls.map((call) => call.answer.status)).toEqual([200, 200, 200, 200, 503]);
  });

  test("serves what matters most first, and what matters more takes the place of what matters less", async () => {
    const mesh = await Mesh.start(traffic, near);
    await mesh.call("/default/1");
    await mesh.call("/default/2");
    const background = await mesh.call("/background/3");
    await mesh.call("/sheddable/4");
    await mesh.call("/critical/5");
    expect((await mesh.refusal(background))?.status).toBe(503);
    await mesh.answer();
    await mesh.answer();
    expect(mesh.targets).toEqual(["/critical/5", "/sheddable/4"]);
  });

  test("leaves nobody waiting for longer than its document says", async () => {
    const mesh = await Mesh.start(traffic, near);
    await mesh.call("/default/1");
    await mesh.call("/default/2");
    const third = await mesh.call("/default/3");
    await mesh.net.pass(400);
    expect(third.answer.status).toBe(0);
    await mesh.net.pass(900);
    expect(third.answer.status).toBe(503);
    await mesh.answer();
    expect(mesh.targets).toEqual(["/default/2"]);
  });

  test("gets nothing of a caller that left while it waited, and the next one has its turn", async () => {
    const mesh = await Mesh.start(traffic, near);
    await mesh.call("/default/1");
    await mesh.call("/default/2");
    const third = await mesh.call("/default/3");
    await mesh.call("/default/4");
    third.leave();
    await mesh.net.settle();
    await mesh.answer();
    expect(mesh.targets).toEqual(["/default/2", "/default/4"]);
  });

  test("is not held by streams: an answer that lasts counts no longer once it began", async () => {
    const mesh = await Mesh.start(traffic, near);
    const stream = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    for (const path of ["/1", "/2", "/3"]) await mesh.call(`/default${path}`);
    await mesh.answer(stream);
    expect(mesh.targets).toEqual(["/default/2", "/default/3"]);
  });
});

describe("how much a request matters", () => {
  const traffic = {
    concurrency: { max: 1, pending: 1 },
    priority: { callers: { "batch.default": "sheddable" } },
  } as const;

  test("is no more than its calling service may say", async () => {
    const mesh = await Mesh.start(traffic);
    await mesh.call("/default/1");
    const batch = await mesh.call("/critical/2", "batch");
    await mesh.call("/default/3");
    expect((await mesh.refusal(batch))?.status).toBe(503);
  });

  test("is nothing that a client says by itself, and no app sees it", async () => {
    for (const near of [false, true]) {
      const mesh = await Mesh.start(traffic, near);
      await mesh.call("/default/1");
      await mesh.call("/default/2");
      const pushy = await mesh.call("/default/3", "caller", "x-heddle-priority: critical");
      expect((await mesh.refusal(pushy))?.status).toBe(503);
      await mesh.answer();
      await mesh.call("/critical/4", "caller", "x-heddle-priority: critical");
      await mesh.answer();
      expect(mesh.held.map(({ fields }) => fields.has("x-heddle-priority"))).toEqual([false]);
    }
  });
});

describe("while the event loop is late", () => {
  const late = (machine: TestMachine, from: MemoryNet, times: number): Promise<void>[] =>
    Array.from({ length: times }, async () => {
      machine.plane.loopDelayed(limits.shedDelayMs * 2);
      await from.pass(limits.loopProbeMs);
    });

  async function overload(mesh: Mesh, machine: TestMachine, steps: number): Promise<void> {
    const times = (steps * limits.shedStepMs) / limits.loopProbeMs + 2;
    for (let at = 0; at < times; at++) await late(machine, mesh.net, 1)[0];
  }

  test("requests are refused by priority from the bottom, never those that nobody called less important, and told so", async () => {
    for (const place of ["a", "b"]) {
      const mesh = await Mesh.start({});
      const machine = mesh.planes.machine(place);
      await overload(mesh, machine, 1);
      const [background, sheddable] = [await mesh.call("/background/1"), await mesh.call("/sheddable/1")];
      await mesh.refusal(background);
      expect([background.answer.status, sheddable.answer.status]).toEqual([503, 0]);
      expect(background.answer.body).toContain("requests to web.default of priority background have to wait");
      expect(background.answer.fields.get("x-heddle-error")).toStartWith("OM/");
      expect(machine.records.limits).toContain("shedDelayMs");
      await overload(mesh, machine, 9);
      const [less, usual] = [await mesh.call("/sheddable/2"), await mesh.call("/default/2")];
      await mesh.refusal(less);
      expect([less.answer.status, usual.answer.status]).toEqual([503, 0]);
      expect(machine.logs.at(-1)).toContain("only those of priority critical, default are served");
    }
  });

  test("the metrics say which priorities are served, and how many requests a service takes", async () => {
    const mesh = await Mesh.start({ concurrency: { max: 1, pendingWaitMs: 60_000 } });
    const { plane } = mesh.planes.machine("b");
    const metrics = new Metrics();
    exposeConcurrency(metrics, plane);
    exposeShared(metrics, plane);
    await mesh.call("/default/1");
    await mesh.call("/default/2");
    await overload(mesh, mesh.planes.machine("b"), 1);
    const text = metrics.expose();
    expect(text).toContain('heddle_concurrency_limit{service="web.default"} 1');
    expect(text).toContain('heddle_concurrency_requests{service="web.default",state="waiting"} 1');
    expect(text).toContain('heddle_priorities_served{priority="background"} 0');
    expect(text).toContain('heddle_priorities_served{priority="sheddable"} 1');
  });
});

describe("adaptive concurrency", () => {
  test("lets fewer in while requests take longer than they did, and never fewer than the least", async () => {
    const mesh = await Mesh.start({
      concurrency: { adaptive: true, min: 3, max: 50, pending: 200, pendingWaitMs: 60_000 },
    });
    const { plane } = mesh.planes.machine("b");
    const limit = (): number => plane.state?.locals.get("web.default")?.limits?.concurrency?.limit ?? 0;
    const serve = async (count: number, tookMs: number): Promise<void> => {
      for (let at = 0; at < count; at++) {
        await mesh.net.pass(tookMs);
        await mesh.answer();
        await mesh.call("/default");
      }
    };
    for (let at = 0; at < 60; at++) await mesh.call("/default");
    await serve(30, 1);
    const before = limit();
    await serve(60, 200);
    expect(limit()).toBeLessThan(before);
    expect(limit()).toBeGreaterThanOrEqual(3);
    expect(mesh.held.length).toBeLessThanOrEqual(before);
  });
});

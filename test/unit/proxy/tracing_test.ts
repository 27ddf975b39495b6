/** Traces through whole planes in memory: one id over every hop, whoever began it, and whole traces of what turns out to be worth it. */
import { describe, expect, test } from "bun:test";
import type { Socket, SocketHandler } from "../../../runtime/contract.ts";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { traceDefaults, type TraceSettings } from "../../../src/model/telemetry.ts";
import { spanOf, type Span } from "../../../src/telemetry/trace/span.ts";
import { Tracer } from "../../../src/proxy/trace/tracer.ts";
import { MemoryApp, MemoryCall, type AppRequest } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const { random } = createRuntime();
const id = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = "00f067aa0ba902b7";

/** One machine's tracer, with what it keeps, what it is told and what it remembers. */
class Tracing {
  readonly kept: Span[] = [];
  readonly told: [endpoint: string, traceId: string][] = [];
  readonly tracer: Tracer;

  constructor(
    readonly planes: () => Planes,
    readonly machine: string,
    settings: Partial<TraceSettings>,
  ) {
    this.tracer = new Tracer({
      random,
      wallAt: () => Date.UTC(2030, 0, 1),
      keep: (each) => void this.kept.push(spanOf(each)),
      remembered: (traceId) =>
        this.planes()
          .machine(this.machine)
          .records.all.filter(({ trace }) => trace?.traceId === traceId)
          .filter(({ trace }) => !this.kept.some((each) => each.trace.spanId === trace?.spanId))
          .flatMap((record) =>
            record.trace === null
              ? []
              : [{ facts: record, trace: record.trace, startMs: 0, endMs: 0, firstByteMs: null }],
          ),
      tell: (endpoint, traceId) => void this.told.push([endpoint, traceId]),
    });
    this.tracer.settings = {
      ...traceDefaults,
      endpoint: "http://collector:4318",
      samplePercent: 0,
      ...settings,
    };
  }
}

/** `caller` on a calls `mid` on b, whose app calls `leaf` on c with the trace that it was given. */
class Chain {
  readonly net = new MemoryNet();
  planes!: Planes;
  leafStatus = 200;
  midStatus = 200;
  readonly leaf = new MemoryApp(this.net, {
    at: (step, socket) => {
      if (step === "whole")
        socket.write(bytesOf(`HTTP/1.1 ${this.leafStatus} Said\r\ncontent-length: 0\r\n\r\n`));
    },
  });
  readonly mid = new MemoryApp(this.net, {
    at: (step, socket, request) => {
      if (step === "whole") this.#relay(socket, request as AppRequest);
    },
  });
  readonly tracings: ReadonlyMap<string, Tracing>;

  constructor(settings: Partial<TraceSettings>) {
    const made = ["a", "b", "c"].map(
      (name) => [name, new Tracing(() => this.planes, name, settings)] as const,
    );
    this.tracings = new Map(made);
  }

  static async start(settings: Partial<TraceSettings> = {}): Promise<Chain> {
    const chain = new Chain(settings);
    const machine = (name: string, services: Parameters<typeof Planes.inMemory>[1]["services"]) => ({
      name,
      services,
      tracer: chain.of(name).tracer,
    });
    chain.planes = await Planes.inMemory(
      chain.net,
      machine("a", { caller: { app: 9 } }),
      machine("b", { mid: { app: chain.mid.port } }),
      machine("c", { leaf: { app: chain.leaf.port } }),
    );
    chain.planes.apply({ caller: {}, mid: {}, leaf: {} });
    return chain;
  }

  of(machine: string): Tracing {
    return this.tracings.get(machine) as Tracing;
  }

  async call(...lines: readonly string[]): Promise<MemoryCall> {
    const call = this.#get(this.planes.machine("a").port("caller"), "mid", lines);
    await this.net.settle();
    return call;
  }

  spans(): string[] {
    const all = [...this.tracings].flatMap(([name, { kept }]) => kept.map((each) => [name, each] as const));
    return all
      .map(([name, { kind, trace }]) => `${name} ${kind} ${trace.parentId === "" ? "root" : "child"}`)
      .toSorted();
  }

  #get(port: number, host: string, lines: readonly string[]): MemoryCall {
    const fields = lines.map((line) => `${line}\r\n`).join("");
    return new MemoryCall(this.net, port, [`GET /x HTTP/1.1\r\nhost: ${host}.mesh\r\n${fields}\r\n`]);
  }

  /** The answer of `leaf` makes it answer too. */
  #relay(from: { write(bytes: Uint8Array): unknown }, { fields }: AppRequest): void {
    const passed = ["traceparent", "tracestate", "b3"].flatMap((name) => {
      const value = fields.get(name);
      return value === undefined ? [] : [`${name}: ${value}\r\n`];
    });
    const port = this.planes.machine("b").port("mid");
    const answered = `HTTP/1.1 ${this.midStatus} Said\r\ncontent-length: 0\r\n\r\n`;
    const opened = (socket: Socket): SocketHandler => {
      socket.write(bytesOf(`GET /x HTTP/1.1\r\nhost: leaf.mesh\r\n${passed.join("")}\r\n`));
      return { data: () => from.write(bytesOf(answered)), drain() {}, end() {}, close() {} };
    };
    this.net.connect({ host: "127.0.0.1", port, timeoutMs: 1_000 }, { opened, failed() {} });
  }
}

const whole = ["a client root", "b client child", "b server child", "c server child"];

describe("a trace that is sampled", () => {
  test("has one id over three services and four hops, each below the one before", async () => {
    const chain = await Chain.start({ samplePercent: 100 });
    await chain.call();
    expect(chain.spans()).toEqual(whole);
    const all = [...chain.tracings.values()].flatMap(({ kept }) => kept);
    expect(new Set(all.map(({ trace }) => trace.traceId)).size).toBe(1);
    const [a] = chain.of("a").kept as [Span];
    const server = chain.of("b").kept.find(({ kind }) => kind === "server") as Span;
    const client = chain.of("b").kept.find(({ kind }) => kind === "client") as Span;
    const [c] = chain.of("c").kept as [Span];
    expect(server.trace.parentId).toBe(a.trace.spanId);
    expect(client.trace.parentId).toBe(server.trace.spanId);
    expect(c.trace.parentId).toBe(client.trace.spanId);
    expect(chain.leaf.requests[0]?.fields.get("traceparent")).toBe(
      `00-${c.trace.traceId}-${c.trace.spanId}-03`,
    );
  });

  test("goes on from a caller that speaks traceparent, with its state, and from one that speaks B3", async () => {
    const chain = await Chain.start();
    await chain.call(`traceparent: 00-${id}-${span}-01`, "tracestate: a=1");
    await chain.call(`b3: ${id.replace("4", "5")}-${span}-1`);
    const roots = chain.of("a").kept.map(({ trace }) => [trace.traceId, trace.parentId, trace.state]);
    expect(roots).toEqual([
      [id, span, "a=1"],
      [id.replace("4", "5"), span, ""],
    ]);
    expect(chain.spans().length).toBe(8);
    expect(chain.leaf.requests[0]?.fields.get("tracestate")).toBe("a=1");
    // Not written unless it is asked for; what came is passed on.
    expect(chain.leaf.requests[1]?.fields.get("traceparent")).toStartWith(`00-${id.replace("4", "5")}-`);
  });

  test("is told in the form of B3 too where the mesh says so", async () => {
    const chain = await Chain.start({ propagate: ["b3"] });
    await chain.call(`X-B3-TraceId: ${id}`, `X-B3-SpanId: ${span}`, "X-B3-Sampled: 1");
    const { fields } = chain.mid.requests[0] as AppRequest;
    const server = chain.of("b").kept.find(({ kind }) => kind === "server") as Span;
    expect(fields.get("b3")).toBe(`${id}-${server.trace.spanId}-1`);
    expect([...fields.keys()].filter((name) => name.startsWith("x-b3-"))).toEqual([]);
  });

  test("is decided alike by every proxy, by its id", async () => {
    const chain = await Chain.start({ samplePercent: 50 });
    for (let count = 0; count < 40; count++) await chain.call();
    const traces = ["a", "b", "c"].map(
      (name) => new Set(chain.of(name).kept.map(({ trace }) => trace.traceId)),
    );
    expect(traces[0]?.size).toBeGreaterThan(0);
    expect(traces[0]?.size).toBeLessThan(40);
    expect(traces[1]).toEqual(traces[0] as Set<string>);
    expect(traces[2]).toEqual(traces[0] as Set<string>);
  });
});

describe("a trace that is not sampled", () => {
  test("leaves no span, and is still told to the apps", async () => {
    const chain = await Chain.start();
    await chain.call();
    expect(chain.spans()).toEqual([]);
    expect(chain.leaf.requests[0]?.fields.get("traceparent")).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-02$/);
  });

  test("is kept whole when its last hop fails, though the app between answers well", async () => {
    const chain = await Chain.start();
    chain.leafStatus = 500;
    const call = await chain.call();
    expect(chain.spans()).toEqual(whole);
    expect(call.answer.status).toBe(200);
    expect([...call.answer.fields.keys()].filter((name) => name.startsWith("x-heddle"))).toEqual([]);
  });

  test("is kept whole when its first hop fails: whoever has the rest of it is told, once", async () => {
    const chain = await Chain.start();
    chain.midStatus = 500;
    await chain.call();
    // b's server span is an error; a saw it too; c heard of it from b.
    const told = chain.of("b").told.map(([endpoint]) => endpoint.split("/")[0]);
    expect(told).toEqual(["c"]);
    const { traceId } = (chain.of("a").kept[0] as Span).trace;
    chain.of("c").tracer.keepTrace(traceId);
    expect(chain.spans()).toEqual(whole);
    chain.of("c").tracer.keepTrace(traceId);
    expect(chain.spans()).toEqual(whole);
  });

  test("is kept for no other reason than those that the mesh names", async () => {
    const chain = await Chain.start({ keep: ["slow", "denied"] });
    chain.leafStatus = 500;
    await chain.call();
    expect(chain.spans()).toEqual([]);
  });

  test("cannot be called kept by an app", async () => {
    const chain = await Chain.start();
    const app = new MemoryApp(chain.net, {
      at: (step, socket) => {
        if (step === "whole")
          socket.write(bytesOf("HTTP/1.1 200 OK\r\nx-heddle-keep: 1\r\ncontent-length: 0\r\n\r\n"));
      },
    });
    const planes = await Planes.inMemory(
      chain.net,
      { name: "d", services: { caller: { app: 9 } }, tracer: chain.of("a").tracer },
      { name: "e", services: { forger: { app: app.port } } },
    );
    planes.apply({ caller: {}, forger: {} });
    new MemoryCall(chain.net, planes.machine("d").port("caller"), [
      "GET / HTTP/1.1\r\nhost: forger.mesh\r\n\r\n",
    ]);
    await chain.net.settle();
    expect(chain.of("a").kept).toEqual([]);
  });
});

describe("without a receiver", () => {
  test("nothing is traced, and what a request carries goes on untouched", async () => {
    const chain = await Chain.start({ endpoint: null });
    await chain.call(`traceparent: 00-${id}-${span}-01`, "tracestate: a=1");
    expect(chain.leaf.requests[0]?.fields.get("traceparent")).toBe(`00-${id}-${span}-01`);
    await chain.call();
    expect(chain.leaf.requests[1]?.fields.has("traceparent")).toBe(false);
    expect(chain.spans()).toEqual([]);
  });
});

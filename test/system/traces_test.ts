/** Traces on the compiled binary: three services, two hops, a receiver of OTLP, and a trace that is whole though nobody sampled it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName, callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { OtlpReceiver, type ReceivedSpan } from "../support/otlp_receiver.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const trace = (last: string): string => `4bf92f3577b34da6a3ce929d0e0e47${last}`;
const span = "00f067aa0ba902b7";

describe.skipIf(binaryMissing)("a mesh that tells of its requests", () => {
  const receiver = new OtlpReceiver(addressOf(97));
  let mesh: Mesh;
  let mid: ReturnType<typeof Bun.serve>;
  let leaf: ReturnType<typeof Bun.serve>;
  let status = 200;

  const documents = (samplePercent: number): string => `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: mid, port: 80, protocol: http}
---
{kind: Service, name: leaf, port: 80, protocol: http}
---
kind: Mesh
name: mesh
telemetry: {traces: {endpoint: "${receiver.url}", samplePercent: ${samplePercent}}}
`;

  beforeAll(async () => {
    const host = addressOf(97);
    leaf = Bun.serve({ hostname: host, port: 8_081, fetch: () => new Response("", { status }) });
    // An app that hands on what it was told, as every traced app does.
    mid = Bun.serve({
      hostname: host,
      port: 8_082,
      fetch: async ({ headers }) => {
        const machine = mesh.machine("vm-b");
        const traceparent = headers.get("traceparent") ?? "";
        const url = `http://${machine.address}:${machine.httpPort("mid")}/leaf`;
        await fetch(url, { headers: { host: "leaf.mesh", traceparent } });
        return new Response("");
      },
    });
    mesh = await startMesh({
      documents: documents(0),
      proxyEnv: {
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
        OTEL_BSP_SCHEDULE_DELAY: "50",
      },
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { mid: "by-name" } }] },
        { name: "vm-b", services: [{ service: "mid", host, port: 8_082, calls: { leaf: "by-name" } }] },
        { name: "vm-c", services: [{ service: "leaf", host, port: 8_081 }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all([receiver.stop(), mid?.stop(true), leaf?.stop(true)]);
  }, testMs);

  const call = async (headers: Record<string, string>): Promise<void> => {
    expect((await callByName(mesh.machine("vm-a"), "caller", "mid", { headers })).status).toBe(200);
  };
  const shown = (spans: readonly ReceivedSpan[]): string[] =>
    spans.map(({ machine, kind }) => `${machine} ${kind === 3 ? "client" : "server"}`).toSorted();
  const whole = ["vm-a client", "vm-b client", "vm-b server", "vm-c server"];
  const received = async (traceId: string): Promise<ReceivedSpan[]> =>
    await waitFor("the whole trace is there", () => {
      const spans = receiver.of(traceId);
      return spans.length >= whole.length ? spans : null;
    });

  test("sends a trace that its caller sampled, one span for each hop at each proxy", async () => {
    await call({ traceparent: `00-${trace("01")}-${span}-01` });
    const spans = await received(trace("01"));
    expect(shown(spans)).toEqual(whole);
    expect(spans.find(({ machine }) => machine === "vm-a")?.parentSpanId).toBe(span);
    expect(receiver.bodies.every(({ encoding }) => encoding === "gzip")).toBe(true);
  });

  test("takes the trace of a caller that speaks B3", async () => {
    await call({ b3: `${trace("02")}-${span}-1` });
    expect(shown(await received(trace("02")))).toEqual(whole);
  });

  test("sends the whole trace of a request that failed at its last hop, though nobody had sampled it", async () => {
    await call({ traceparent: `00-${trace("03")}-${span}-00` });
    status = 500;
    await call({ traceparent: `00-${trace("04")}-${span}-00` });
    status = 200;
    const spans = await received(trace("04"));
    expect(shown(spans)).toEqual(whole);
    expect(spans.filter(({ status: said }) => said?.code === 2).length).toBe(2);
    expect(receiver.of(trace("03"))).toEqual([]);
  });

  test("begins traces of its own where a request has none, and counts what it sent", async () => {
    mesh.apply(documents(100));
    await mesh.settled();
    const before = receiver.spans.length;
    // Until the proxies go by the new document.
    const spans = await waitFor("a trace is there", async () => {
      await call({});
      const [root] = receiver.spans.slice(before).filter(({ parentSpanId = "" }) => parentSpanId === "");
      return root === undefined ? null : await received(root.traceId);
    });
    expect(shown(spans)).toEqual(whole);
    expect(shown(spans.filter(({ parentSpanId = "" }) => parentSpanId === ""))).toEqual(["vm-a client"]);
    const page = async (): Promise<string> =>
      (await callUrl(`http://${mesh.machine("vm-a").address}:${ports.admin}/metrics`)).text;
    await waitFor(
      "they are counted",
      async () => /^heddle_otlp_sent_total\{signal="traces"\} [1-9]/m.test(await page()) || null,
    );
  });
});

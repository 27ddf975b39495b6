/** Traces of a proxy: what is in force is what the mesh said last, and what others are told is bounded. */
import { expect, test } from "bun:test";
import { otlpSettings } from "../../../src/app/otlp_settings.ts";
import { ProxyTracing } from "../../../src/app/tracing.ts";
import { limits } from "../../../src/model/limits.ts";
import { EvidenceRing } from "../../../src/telemetry/evidence_ring.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { ManualClock } from "../../support/clock.ts";
import { exchangeRecord } from "../../support/records.ts";
import { createRuntime } from "../../../runtime/bun/runtime.ts";

const trace = {
  ...{ traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", parentId: "" },
  ...{ sampled: false, random: true, state: "" },
};

function started(readMs: number) {
  const clock = new ManualClock();
  const { random } = createRuntime();
  const files = {
    read: (): Promise<Uint8Array> =>
      new Promise((done) => void clock.after(readMs, () => done(new TextEncoder().encode("pem")))),
  };
  const told: Record<string, string[]>[] = [];
  const control = {
    call: async (_method: string, _path: string, body: unknown) => {
      told.push(body as Record<string, string[]>);
      return { status: 200, body: {} };
    },
  };
  const said: string[] = [];
  const tracing = new ProxyTracing({
    runtime: { clock, random, files, process: { env: {} } } as never,
    settings: { node: "vm-1", trustDomain: "mesh.test" } as never,
    metrics: new Metrics(),
    control,
    evidence: new EvidenceRing(),
    siblings: null,
    log: (text) => void said.push(text),
  });
  const apply = (endpoint: string): Promise<void> => {
    const { sampling, receivers } = otlpSettings({ traces: { endpoint } }, {}, {});
    return tracing.apply(sampling, receivers.traces);
  };
  return { clock, tracing, apply, told, said };
}

test("of two receivers that come one right after the other the later one is in force, though the first has files to be read", async () => {
  const { clock, apply, said } = started(1_000);
  const first = apply("https://first.example:4318");
  const second = apply("http://second.example:4318");
  await clock.advance(1_000);
  await Promise.all([first, second]);
  expect(said.map((line) => /(first|second)\.example/.exec(line)?.[1])).toEqual(["first", "second"]);
});

test("other machines are told of kept traces, of so many machines at most in one message", async () => {
  const { clock, tracing, apply, told } = started(0);
  await apply("http://receiver.example:4318");
  for (let machine = 0; machine < limits.keptMachinesMax + 10; machine++) {
    const endpoint = `vm-${machine + 2}/orders.default/8080`;
    tracing.tracer.finish(exchangeRecord({ status: 500, endpoint, trace }), 2_000);
  }
  tracing.tracer.finish(exchangeRecord({ status: 500, endpoint: "vm-1/orders.default/8080", trace }), 2_000);
  await clock.advance(limits.keptTracesTellMs);
  expect(told.length).toBe(1);
  expect(Object.keys(told[0] as object).length).toBe(limits.keptMachinesMax);
  expect(told[0]).not.toHaveProperty("vm-1");
});

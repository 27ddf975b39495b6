/** What is recorded of calls by names that no service has: one label for all of them, the name in the words alone. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { AccessLog } from "../../../../src/telemetry/access_log.ts";
import { Metrics } from "../../../../src/telemetry/metrics.ts";
import { ProxyTelemetry } from "../../../../src/telemetry/proxy_telemetry.ts";
import { connectByName } from "../../../support/opaque.ts";
import { Planes, runtime, type TestMachine } from "../../../support/planes.ts";
import { testMs } from "../../../support/patience.ts";

let planes: Planes;
let caller: TestMachine;

beforeAll(async () => {
  planes = await Planes.start({
    name: "a",
    services: { caller: { app: 9 } },
    ask: (plane) => runtime.clock.soon(() => plane.missing(plane.wanted())),
  });
  planes.apply({});
  caller = planes.machine("a");
});
beforeEach(() => void (caller.records.all.length = 0));
afterAll(async () => await planes.close());

async function call(name: string): Promise<number> {
  const url = `http://127.0.0.1:${caller.port("caller")}/`;
  return (await fetch(url, { headers: { host: `${name}.mesh` } })).status;
}

test("an unknown name is answered 404 as soon as the controller says so, and logged in words", async () => {
  expect(await call("bogus")).toBe(404);
  const [record] = await caller.records.until(1);
  expect(record).toMatchObject({ service: "unknown", status: 404 });
  expect(record?.outcome?.detail).toBe("there is no service bogus.default");
});

test(
  "thousands of unknown names, called or connected to, are one series of each metric",
  async () => {
    const metrics = new Metrics();
    const log = new AccessLog({ sampleRatio: 0, slowMs: 1_000, write: () => {}, wallMs: () => 0 });
    const telemetry = new ProxyTelemetry(metrics, log);
    const series = async (from: number, count: number): Promise<number> => {
      for (let at = from; at < from + count; at++) await call(`bogus-${at}`);
      const refused = connectByName(caller.port("caller"), `bogus-${from}.mesh:80`);
      await expect(refused).rejects.toThrow("HTTP/1.1 404 ");
      for (const record of await caller.records.until(count + 1)) {
        telemetry.began(record);
        telemetry.finish(record, record.startedMs);
      }
      caller.records.all.length = 0;
      return metrics.expose().split("\n").length;
    };
    const first = await series(0, 10);
    expect(await series(10, 3_000)).toBe(first);
    expect(metrics.expose()).toContain('service="unknown"');
    expect(metrics.expose()).not.toContain("bogus");
  },
  testMs,
);

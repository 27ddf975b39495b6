/** What a proxy tells the controller of its traffic, again and again: what grew, and no more. */
import { expect, test } from "bun:test";
import type { Reply } from "../../../src/app/answers.ts";
import { trafficAnswering } from "../../../src/app/traffic_answer.ts";
import { limits } from "../../../src/model/limits.ts";
import type { TrafficReading } from "../../../src/model/traffic_reading.ts";
import { families } from "../../../src/telemetry/families.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { ManualClock } from "../../support/clock.ts";

const everyMs = 1_000;

class Scene {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  readonly readings: TrafficReading[] = [];
  readonly requests = this.metrics.counter(families.requests);
  readonly durations = this.metrics.histogram(families.requestDurationSeconds);
  stop: (() => void) | null = null;

  begin(): this {
    const reply: Reply = {
      line: (line) => void this.readings.push(line as TrafficReading),
      lost: () => undefined,
      end: () => undefined,
    };
    this.stop = trafficAnswering(this.metrics, this.clock)({ what: "traffic", everyMs }, reply) ?? null;
    return this;
  }

  count(to: string, code: string, count: number, tls = true): void {
    this.requests("outbound", to, "web.default", "r", code, "", "", String(tls)).add(count);
    const duration = this.durations("outbound", to, "web.default", "r", code < "500" ? "success" : "failure");
    for (let each = 0; each < count; each++) duration.observe(0.004);
  }
}

test("a reading holds what was counted since the one before it, and nothing of before", async () => {
  const scene = new Scene();
  scene.count("orders.default", "200", 100);
  scene.begin();
  scene.count("orders.default", "200", 3);
  scene.count("orders.default", "503", 1, false);
  await scene.clock.advance(everyMs);
  const [first] = scene.readings;
  const { edges = [], coveredMs = 0, bounds = [] } = first ?? {};
  expect(coveredMs).toBe(everyMs);
  expect(edges).toMatchObject([
    { direction: "outbound", from: "web.default", to: "orders.default", requests: 4, failed: 1, secure: 3 },
  ]);
  expect(edges[0]?.durations[bounds.indexOf(0.005)]).toBe(4);
  expect(edges[0]?.durations.length).toBe(bounds.length + 1);
});

test("a reading says nothing of edges on which nothing passed, but for connections that are open", async () => {
  const scene = new Scene().begin();
  scene.count("orders.default", "200", 1);
  await scene.clock.advance(everyMs);
  scene.metrics.gauge(families.tcpOpen)("outbound", "db.default", "web.default").set(2);
  await scene.clock.advance(everyMs);
  expect(
    scene.readings.map(({ edges }) => edges.map(({ to, requests, tcpOpen }) => [to, requests, tcpOpen])),
  ).toEqual([[["orders.default", 1, 0]], [["db.default", 0, 2]]]);
});

test("a reading is bounded: the edges with the fewest requests are left out, and counted", async () => {
  const scene = new Scene().begin();
  for (let at = 0; at < limits.trafficReadingEdgesMax + 5; at++)
    scene.count(`s${at}.default`, "200", at < 5 ? 1 : 2);
  await scene.clock.advance(everyMs);
  const [first] = scene.readings;
  expect(first?.edges.length).toBe(limits.trafficReadingEdgesMax);
  expect(first?.left).toBe(5);
  expect(first?.edges.every(({ requests }) => requests === 2)).toBe(true);
});

test("nothing is read any more once nobody listens", async () => {
  const scene = new Scene().begin();
  scene.stop?.();
  await scene.clock.advance(10 * everyMs);
  expect(scene.readings).toEqual([]);
});

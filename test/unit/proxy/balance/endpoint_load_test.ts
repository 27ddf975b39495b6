/** Peak-EWMA: a peak counts at once, recovery and idleness take their time, and load grows with what is under way. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EndpointLoad } from "../../../../src/proxy/balance/endpoint_load.ts";

const tauMs = 500;

function loadOf(...observed: readonly (readonly [latencyMs: number, nowMs: number])[]): EndpointLoad {
  const load = new EndpointLoad(0);
  for (const [latencyMs, nowMs] of observed) load.answered(latencyMs, nowMs);
  return load;
}

describe("the load of an endpoint", () => {
  test("of which nothing is known is that of 30 ms", () => {
    expect(new EndpointLoad(0).at(0)).toBe(30);
  });

  test("jumps to a latency above its average at once", () => {
    expect(loadOf([400, 5]).at(5)).toBe(400);
  });

  test("nears a lower latency by the time since the last one", () => {
    const load = loadOf([400, 0], [100, tauMs]);
    expect(load.at(tauMs)).toBeCloseTo(400 / Math.E + 100 * (1 - 1 / Math.E), 6);
  });

  test("does not move for lower latencies at the same instant, however many", () => {
    expect(loadOf([400, 0], [1, 0], [1, 0], [1, 0]).at(0)).toBe(400);
  });

  test("is multiplied by what is under way, itself included", () => {
    const load = loadOf([100, 0]);
    load.started();
    load.started();
    expect(load.at(0)).toBe(300);
    load.ended();
    expect(load.at(0)).toBe(200);
  });

  test("decays while idle, and asking does not change it", () => {
    const load = loadOf([100, 0]);
    expect(load.at(tauMs)).toBeCloseTo(100 / Math.E, 6);
    expect(load.at(tauMs)).toBeCloseTo(100 / Math.E, 6);
    expect(load.at(0)).toBe(100);
  });

  test("is that of its last answer while another is awaited, and forgotten again when nothing is", () => {
    const load = loadOf([1_000, 0]);
    expect(load.at(5_000)).toBeLessThan(1);
    load.started();
    expect(load.at(5_000)).toBeGreaterThan(1_000);
    load.ended();
    expect(load.at(5_000)).toBeLessThan(1);
  });

  test("that has decayed to nothing is heavy while something is under way", () => {
    const load = loadOf([100, 0]);
    expect(load.at(1e9)).toBe(0);
    load.started();
    expect(load.at(1e9)).toBeGreaterThan(1e9);
  });

  test("of an endpoint that fails fast is not that of a fast endpoint", () => {
    const failing = new EndpointLoad(0);
    const slow = new EndpointLoad(0);
    failing.failed(1);
    slow.answered(900, 1);
    expect(failing.at(1)).toBeGreaterThan(slow.at(1));
  });

  test("stays a number between the least and the greatest latency seen, whatever comes", () => {
    const step = fc.tuple(fc.double({ min: 0, max: 60_000, noNaN: true }), fc.nat(60_000));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const load = new EndpointLoad(0);
        let nowMs = 0;
        for (const [latencyMs, passedMs] of steps) load.answered(latencyMs, (nowMs += passedMs));
        const latencies = steps.map(([latencyMs]) => latencyMs);
        expect(load.at(nowMs)).toBeGreaterThanOrEqual(Math.min(30, ...latencies) - 1e-6);
        expect(load.at(nowMs)).toBeLessThanOrEqual(Math.max(30, ...latencies) + 1e-6);
      }),
    );
  });
});

/** The latency that 95 of a hundred answers kept to, and half of them, of the last ones. */
import { expect, test } from "bun:test";
import { limits } from "../../../../src/model/limits.ts";
import { Latencies } from "../../../../src/proxy/retry/latencies.ts";

test("is known once there are enough answers, and 95 of a hundred took no longer", () => {
  const latencies = new Latencies();
  const seen: (number | null)[] = [];
  for (let ms = 1; ms <= 256; ms++) {
    latencies.add(ms);
    seen.push(latencies.p95);
  }
  expect(seen.slice(0, limits.hedgeSamplesMin - 1).every((each) => each === null)).toBe(true);
  const last = seen.findLastIndex((each, at) => each !== seen[at - 1]);
  expect(seen.at(-1)).toBe(Math.ceil((last + 1) * 0.95));
  expect(256 - last).toBeLessThanOrEqual(limits.hedgeSampleEvery);
});

test("forgets what is older than the last ones", () => {
  const latencies = new Latencies();
  for (let count = 0; count < limits.hedgeSamples; count++) latencies.add(1_000);
  for (let count = 0; count < limits.hedgeSamples; count++) latencies.add(5);
  expect(latencies.p95).toBe(5);
});

test("half of them took no longer than p50, which is known after fewer", () => {
  const latencies = new Latencies();
  for (let ms = 1; ms < limits.retryUsualSamplesMin; ms++) latencies.add(ms);
  expect(latencies.p50).toBeNull();
  latencies.add(limits.retryUsualSamplesMin);
  expect([latencies.p50, latencies.p95]).toEqual([limits.retryUsualSamplesMin / 2, null]);
});

test("is reckoned anew once in a while, however often it is asked for", () => {
  const latencies = new Latencies();
  for (let count = 0; count < limits.retryUsualSamplesMin; count++) latencies.add(10);
  expect(latencies.p50).toBe(10);
  for (let count = 1; count < limits.hedgeSampleEvery; count++) {
    latencies.add(90);
    expect(latencies.p50).toBe(10);
  }
  latencies.add(90);
  expect(latencies.p50).toBe(90);
});

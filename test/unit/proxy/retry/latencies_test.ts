/** The latency that 95 of a hundred answers kept to, of the last ones. */
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
  expect(latencies.p95).toBe(Math.ceil(256 * 0.95));
});

test("forgets what is older than the last ones", () => {
  const latencies = new Latencies();
  for (let count = 0; count < limits.hedgeSamples; count++) latencies.add(1_000);
  for (let count = 0; count < limits.hedgeSamples; count++) latencies.add(5);
  expect(latencies.p95).toBe(5);
});

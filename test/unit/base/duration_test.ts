import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "../../../src/base/duration.ts";

test("durations of the Gateway API are read in milliseconds", () => {
  expect(parseDuration("1h30m")).toBe(5_400_000);
  expect(parseDuration("500ms")).toBe(500);
  expect(parseDuration("1m1ms")).toBe(60_001);
  expect(parseDuration("0s")).toBe(0);
});

test("what is no duration is null", () => {
  for (const text of ["", "5", "s", "1.5s", "-1s", "100000s", "1s1s1s1s1s", "1 s", "1d", " 1s", "1s\n"]) {
    expect(parseDuration(text)).toBeNull();
  }
});

test("a written duration reads back as it was", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99_999 * 3_600_000 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});

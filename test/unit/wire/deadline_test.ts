/** Deadlines of requests: read, the smallest taken, and smaller at each hop. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  deadlineOf,
  deadlinePassed,
  requestDeadlineMs,
  requestDeadlineText,
} from "../../../src/wire/deadline.ts";

test("whole milliseconds and seconds are read, everything else is malformed", () => {
  expect(["250", "250ms", " 2s ", "0"].map(requestDeadlineMs)).toEqual([250, 250, 2_000, 0]);
  const malformed = ["", "-1", "1.5", "1h", "1000000000", "5 s", "2s,3s", "2030-01-01T00:00:00Z"];
  expect(malformed.map(requestDeadlineMs)).toEqual(malformed.map(() => null));
});

test("the smallest of all bounds is in force", () => {
  const bound = fc.option(fc.nat(100_000), { nil: null });
  fc.assert(
    fc.property(bound, bound, bound, (grpc, field, route) => {
      const given = [grpc, field, route].filter((each) => each !== null);
      expect(deadlineOf(grpc, field, route)).toBe(Math.min(Infinity, ...given));
    }),
  );
});

test("over any number of hops the deadline never grows, and is over when the time is", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 999_999_999 }), fc.array(fc.nat(5_000)), (firstMs, hops) => {
      let leftMs = firstMs;
      let spentMs = 0;
      for (const elapsedMs of hops) {
        spentMs += elapsedMs;
        if (deadlinePassed(leftMs, elapsedMs))
          return expect(spentMs).toBeGreaterThanOrEqual(firstMs - hops.length);
        const told = requestDeadlineMs(requestDeadlineText(leftMs - elapsedMs)) ?? NaN;
        expect(told).toBeLessThanOrEqual(leftMs - elapsedMs);
        expect(told).toBeGreaterThan(0);
        leftMs = told;
      }
    }),
  );
});

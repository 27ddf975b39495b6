/** Waiting before a retry: full jitter under a growing ceiling, and what servers ask for. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { retryDefaults } from "../../../../src/proxy/retry/retry_rules.ts";
import { grpcPushback, retryAfterMs, retryBackoffMs } from "../../../../src/proxy/retry/backoff.ts";

const wait = (retry: number, unit: number, least = 0): number =>
  retryBackoffMs(retry, { ...retryDefaults, backoffMinMs: least }, unit);

test("the wait is uniform under a ceiling that doubles from 25 ms to 250 ms, over the shortest that a route asks for", () => {
  expect([0, 1, 2, 3, 4, 9].map((retry) => wait(retry, 1))).toEqual([25, 50, 100, 200, 250, 250]);
  fc.assert(
    fc.property(fc.nat(50), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (retry, unit) => {
      expect(wait(retry, unit)).toBeCloseTo(unit * wait(retry, 1), 9);
      expect(wait(retry, unit, 40)).toBeCloseTo(40 + wait(retry, unit), 9);
    }),
  );
});

describe("Retry-After", () => {
  const wallMs = Date.UTC(2030, 0, 1);

  test("is read as seconds or as a date", () => {
    const said = ["0", "7", "3600", "Tue, 01 Jan 2030 00:00:09 GMT", "Mon, 31 Dec 2029 00:00:00 GMT"];
    expect(said.map((text) => retryAfterMs(text, wallMs))).toEqual([0, 7_000, 3_600_000, 9_000, 0]);
  });

  test("that says neither asks for nothing", () => {
    const said = ["", "soon", "-1", "1.5", "2030-01-01", "Tue, 99 Jan 2030 00:00:09 GMT"];
    expect(said.map((text) => retryAfterMs(text, wallMs))).toEqual(said.map(() => null));
  });
});

test("gRPC pushback is milliseconds, and negative or no number says never", () => {
  expect(["0", "250", "2147483647"].map(grpcPushback)).toEqual([0, 250, 2_147_483_647]);
  const never = ["-1", "", "soon", "1.5", "2147483648", "99999999999"];
  expect(never.map(grpcPushback)).toEqual(never.map(() => "never"));
});

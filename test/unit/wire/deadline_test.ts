/** Deadlines of requests: read, the smaller one taken, and smaller at each hop. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  callerDeadlineMs,
  deadlineFields,
  requestDeadlineMs,
  requestDeadlineText,
} from "../../../src/wire/deadline.ts";
import { fieldsFrom } from "../../../src/wire/head_fields.ts";

test("whole milliseconds and seconds are read, everything else is malformed", () => {
  expect(["250", "250ms", " 2s ", "0"].map(requestDeadlineMs)).toEqual([250, 250, 2_000, 0]);
  const malformed = ["", "-1", "1.5", "1h", "1000000000", "5 s", "2s,3s", "2030-01-01T00:00:00Z"];
  expect(malformed.map(requestDeadlineMs)).toEqual(malformed.map(() => null));
});

const grpc = ["content-type", "application/grpc"];
const granted = (...pairs: readonly string[]): number | null => callerDeadlineMs(fieldsFrom(pairs));

test("the smaller one of both fields is in force, and that of gRPC only for gRPC", () => {
  expect(granted(...grpc, "grpc-timeout", "2S", "x-request-deadline", "900ms")).toBe(900);
  expect(granted(...grpc, "grpc-timeout", "2S", "x-request-deadline", "9s")).toBe(2_000);
  expect(granted("grpc-timeout", "2S", "x-request-deadline", "9s")).toBe(9_000);
  expect(granted("grpc-timeout", "2S")).toBeNull();
  expect(granted(...grpc, "grpc-timeout", "soon", "x-request-deadline", "soon")).toBeNull();
  expect(granted()).toBeNull();
});

test("over any number of hops the deadline never grows, in whichever field it goes, and nothing is sent after it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 90_000_000 }),
      fc.array(fc.nat(5_000)),
      fc.boolean(),
      (firstMs, hops, isGrpc) => {
        let pairs = isGrpc
          ? [...grpc, "grpc-timeout", `${firstMs}m`]
          : ["x-request-deadline", `${firstMs}ms`];
        let leftMs = firstMs;
        for (const elapsedMs of hops) {
          if (elapsedMs >= leftMs) return;
          const told = deadlineFields(fieldsFrom(pairs), leftMs - elapsedMs, isGrpc) ?? pairs;
          pairs = isGrpc && told !== pairs ? [...grpc, ...told] : told;
          const now = granted(...pairs) ?? NaN;
          expect(now).toBeLessThanOrEqual(Math.max(1, leftMs - elapsedMs));
          expect(now).toBeGreaterThan(0);
          leftMs = now;
        }
      },
    ),
  );
});

test("what is left is told in whole milliseconds, never as nothing", () => {
  expect([0.2, 1.9, 1e12].map(requestDeadlineText)).toEqual(["1ms", "1ms", "999999999ms"]);
});

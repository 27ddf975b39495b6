/** Contract of time. */
import { expect, test } from "bun:test";
import { runtime } from "../../support/runtime_under_test.ts";
import { until } from "../../support/sockets.ts";

const { clock } = runtime;

test("a timer calls once and not too early", async () => {
  const started = clock.now();
  let at = 0;
  let calls = 0;
  clock.after(20, () => {
    at = clock.now();
    calls++;
  });
  await until(() => calls > 0, "the timer calls");
  expect(at - started).toBeGreaterThanOrEqual(19);
  expect(calls).toBe(1);
});

test("a cancelled timer does not call", async () => {
  let called = false;
  clock.after(5, () => (called = true)).cancel();
  let later = false;
  clock.after(20, () => (later = true));
  await until(() => later, "a later timer calls");
  expect(called).toBe(false);
});

test("a timer of many weeks does not call at once", async () => {
  let called = false;
  const timer = clock.after(45 * 24 * 3_600_000, () => (called = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  timer.cancel();
  expect(called).toBe(false);
});

test("a microtask calls after the current callback, and soon after that, without waiting for a timer", async () => {
  const order: string[] = [];
  const timer = clock.after(3_600_000, () => order.push("timer"));
  clock.soon(() => order.push("soon"));
  clock.microtask(() => order.push("microtask"));
  clock.microtask(() => order.push("next microtask"));
  order.push("now");
  await until(() => order.includes("soon"), "it calls");
  timer.cancel();
  expect(order).toEqual(["now", "microtask", "next microtask", "soon"]);
});

import { expect, test } from "bun:test";
import { Backoff } from "../../../src/base/backoff.ts";

test("waits grow to the ceiling and start small again after a success", () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, unit: () => 0.5 });
  expect([1, 2, 3, 4, 5, 6].map(() => backoff.nextMs())).toEqual([50, 100, 200, 400, 500, 500]);
  backoff.reset();
  expect(backoff.nextMs()).toBe(50);
});

test("no wait is a busy loop", () => {
  expect(new Backoff({ firstMs: 100, maxMs: 1_000, unit: () => 0 }).nextMs()).toBe(10);
});

/** Counters of a policy: by the virtual clock alone, never above their limit, and bounded in what they keep. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LocalCounter } from "../../../src/policy/local_counter.ts";

class Scene {
  nowMs = 0;
  readonly counter = new LocalCounter(() => this.nowMs, 4);
}

describe("a bucket", () => {
  test("gives what is in it, says when there is more, and fills with time", () => {
    const scene = new Scene();
    for (let left = 2; left >= 0; left--)
      expect(scene.counter.take("a", 1, 3, "3s")).toEqual({ ok: true, left, resetMs: 0 });
    expect(scene.counter.take("a", 1, 3, "3s")).toEqual({ ok: false, left: 0, resetMs: 1_000 });
    scene.nowMs = 999;
    expect(scene.counter.take("a", 1, 3, "3s")).toEqual({ ok: false, left: 0, resetMs: 1 });
    scene.nowMs = 1_000;
    expect(scene.counter.take("a", 1, 3, "3s").ok).toBe(true);
    expect(scene.counter.take("b", 1, 3, "3s").ok).toBe(true);
  });

  test("never has what is above its limit", () => {
    const scene = new Scene();
    expect(scene.counter.take("a", 4, 3, "1s")).toEqual({ ok: false, left: 3, resetMs: Infinity });
    scene.nowMs = 3_600_000;
    expect(scene.counter.take("a", 3, 3, "1s").ok).toBe(true);
    expect(scene.counter.take("a", 1, 3, "1s").ok).toBe(false);
  });

  test("gives within any time no more than what was in it and what came since", () => {
    const step = fc.tuple(fc.nat(400), fc.integer({ min: 1, max: 5 }));
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const scene = new Scene();
        let taken = 0;
        for (const [waitMs, amount] of steps) {
          scene.nowMs += waitMs;
          if (scene.counter.take("a", amount, 5, "1s").ok) taken += amount;
          expect(taken).toBeLessThanOrEqual(5 + (scene.nowMs * 5) / 1_000 + 1e-6);
        }
      }),
    );
  });

  test("keeps so many keys, and forgets the one that was not asked for longest", () => {
    const scene = new Scene();
    for (const key of ["a", "b", "c", "d"]) scene.counter.take(key, 1, 1, "1h");
    scene.counter.take("a", 1, 1, "1h");
    scene.counter.take("e", 1, 1, "1h");
    expect(scene.counter.take("a", 1, 1, "1h").ok).toBe(false);
    expect(scene.counter.take("b", 1, 1, "1h").ok).toBe(true);
  });

  test("refuses what is no number above 0 and no duration", () => {
    const { counter } = new Scene();
    for (const limit of [0, -1, Number.NaN, Infinity])
      expect(() => counter.take("a", 1, limit, "1s")).toThrow("not a number above 0");
    expect(() => counter.take("a", 0, 1, "1s")).toThrow("not a number above 0");
    for (const per of ["", "1", "0s", "-1s", "1d"])
      expect(() => counter.take("a", 1, 1, per as "1s")).toThrow("no duration");
  });
});

test("a sum slides: what was counted before fades within its time", () => {
  const scene = new Scene();
  expect(scene.counter.add("a", 4, "1s")).toBe(4);
  scene.nowMs = 1_500;
  expect(scene.counter.add("a", 1, "1s")).toBe(3);
  scene.nowMs = 5_000;
  expect(scene.counter.add("a", 1, "1s")).toBe(1);
});

test("a reservation gives back what was not used, takes what was used beyond it, and is settled once", () => {
  const scene = new Scene();
  const { id, ok } = scene.counter.reserve("a", 6, 10, "1h");
  expect(ok).toBe(true);
  expect(scene.counter.reserve("a", 5, 10, "1h")).toEqual({ ok: false, id: "" });
  scene.counter.settle(id, 2);
  scene.counter.settle(id, 0);
  expect(scene.counter.take("a", 9, 10, "1h").ok).toBe(false);
  expect(scene.counter.take("a", 8, 10, "1h")).toMatchObject({ ok: true, left: 0 });
});

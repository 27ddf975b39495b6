/** Counters of the whole mesh: proxies and the controller that deals them out together let pass what was said, wherever it comes. */
import { expect, test } from "bun:test";
import { SharedRates } from "../../../src/controller/shared_rates.ts";
import { limits } from "../../../src/model/limits.ts";
import { SharedCounters } from "../../../src/policy/shared_counters.ts";
import { ManualClock } from "../../support/clock.ts";

/** Proxies that ask the controller every second, while it is there. */
class Meshed {
  nowMs = 0;
  away = false;
  readonly clock = { ...new ManualClock(), now: () => this.nowMs };
  readonly rates = new SharedRates({ clock: this.clock as never, rateOf: () => null });
  readonly proxies: readonly SharedCounters[];

  constructor(count: number) {
    this.proxies = Array.from({ length: count }, () => new SharedCounters(() => this.nowMs));
    // Its first seconds are for hearing what proxies hold of before.
    this.nowMs = limits.rateSliceMs + limits.rateSliceGraceMs + 1;
  }

  /** So many at each proxy in a second, evenly; returns how many passed at each. */
  second(key: string, perProxy: readonly number[], limit = 100, perMs = 1_000): number[] {
    const passed = perProxy.map(() => 0);
    const most = Math.max(...perProxy);
    for (let step = 0; step < most; step++) {
      this.nowMs += 1_000 / most;
      for (const [at, count] of perProxy.entries())
        if (
          step < count &&
          this.proxies[at]?.take("p s.default", { key, amount: 1, limit, perMs }).ok === true
        )
          passed[at] = (passed[at] ?? 0) + 1;
    }
    if (!this.away)
      for (const [at, proxy] of this.proxies.entries())
        proxy.given(this.rates.ask(`node-${at}`, proxy.asks()), this.nowMs);
    return passed;
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

test("come to the limit together, however the callers are spread, and follow them", () => {
  const mesh = new Meshed(3);
  for (let second = 0; second < 6; second++) mesh.second("a", [200, 50, 0]);
  const settled = mesh.second("a", [200, 50, 0]);
  expect(sum(settled)).toBeLessThanOrEqual(101);
  expect(sum(settled)).toBeGreaterThan(85);
  expect(settled[0]).toBeGreaterThan(settled[1] ?? 0);
  for (let second = 0; second < 12; second++) mesh.second("a", [0, 0, 200]);
  const moved = mesh.second("a", [0, 0, 200]);
  expect(moved[2]).toBeGreaterThan(85);
  expect(sum(moved)).toBeLessThanOrEqual(101);
});

test("never come to more than what each may take at first, and than the limit after a few seconds", () => {
  const mesh = new Meshed(4);
  for (let second = 0; second < 10; second++) {
    const passed = sum(mesh.second("a", [100, 100, 100, 100]));
    expect(passed).toBeLessThanOrEqual(second < 4 ? 4 * 100 : 104);
  }
});

test("go on with an even share each while the controller is away", () => {
  const mesh = new Meshed(2);
  for (let second = 0; second < 6; second++) mesh.second("a", [200, 10]);
  mesh.away = true;
  for (let second = 0; second < 8; second++) mesh.second("a", [200, 10]);
  const [first = 0] = mesh.second("a", [200, 200]);
  expect(first).toBeLessThanOrEqual(51);
  expect(first).toBeGreaterThan(40);
});

test("of other keys, limits and owners are others", () => {
  const counters = new SharedCounters(() => 0);
  const take = { key: "k", amount: 2, limit: 2, perMs: 1_000 };
  expect(counters.take("a", take)).toEqual({ ok: true, left: 0, resetMs: 0 });
  expect(counters.take("a", take)).toEqual({ ok: false, left: 0, resetMs: 1_000 });
  expect(counters.take("b", take).ok).toBeTrue();
  expect(counters.take("a", { ...take, key: "l" }).ok).toBeTrue();
  expect(counters.take("a", { ...take, limit: 3 }).ok).toBeTrue();
  expect(counters.take("a", { ...take, amount: 9 })).toMatchObject({ ok: false, resetMs: null });
});

test("are so many and no more, and tell the controller no key", () => {
  const counters = new SharedCounters(() => 0);
  for (let at = 0; at < 2 * limits.policySharedKeysMax; at++)
    counters.take("a", { key: `secret-${at}`, amount: 1, limit: 5, perMs: 1_000 });
  const asks = counters.asks();
  expect(Object.keys(asks).length).toBe(limits.policySharedKeysMax);
  expect(JSON.stringify(asks)).not.toContain("secret");
});

test("a proxy that has no slice at the moment says when there is one, and never that there will be none", () => {
  const mesh = new Meshed(4);
  const resets: (number | null | undefined)[] = [];
  for (let round = 0; round < 6; round++) {
    mesh.second("k", [200, 200, 200, 200]);
    for (const proxy of mesh.proxies)
      resets.push(proxy.take("p s.default", { key: "k", amount: 50, limit: 100, perMs: 1_000 }).resetMs);
  }
  for (const resetMs of resets) expect(Number.isFinite(resetMs)).toBe(true);
});

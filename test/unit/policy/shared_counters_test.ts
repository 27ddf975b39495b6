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

/** One proxy alone, whose clock the test moves. */
function alone() {
  const clock = { nowMs: 0 };
  const counters = new SharedCounters(() => clock.nowMs);
  const ask = (amount: number, how: "take" | "add" | "reserve" = "take") =>
    counters.take("p s.default", { key: "k", amount, limit: 100, perMs: 1_000, how });
  return { clock, counters, ask };
}

test("what is added counts where there is not so much, and nothing is given out until it has filled again", () => {
  const { clock, ask } = alone();
  expect(ask(60, "add")).toEqual({ ok: true, left: 40, resetMs: 0 });
  expect(ask(80, "add")).toEqual({ ok: false, left: 0, resetMs: 400 });
  expect(ask(1).ok).toBeFalse();
  clock.nowMs = 400;
  expect(ask(1).ok).toBeFalse();
  clock.nowMs = 420;
  expect(ask(1).ok).toBeTrue();
});

test("what is added is missing no longer than one time of the counter", () => {
  const { clock, ask } = alone();
  expect(ask(1e9, "add")).toEqual({ ok: false, left: 0, resetMs: 1_000 });
  clock.nowMs = 1_010;
  expect(ask(1).ok).toBeTrue();
});

test("a reservation that was settled leaves what was used, and none is held", () => {
  const { counters, ask } = alone();
  const { ok, id = "" } = ask(70, "reserve");
  expect([ok, counters.held, ask(40).ok]).toEqual([true, 1, false]);
  counters.settle("p s.default", { id, used: 10 });
  expect([counters.held, ask(90).ok, ask(1).ok]).toEqual([0, true, false]);
  // Settled twice, by somebody else, or never made: nothing comes of it.
  counters.settle("p s.default", { id, used: 0 });
  counters.settle("p s.default", { id: "no", used: 0 });
  expect(ask(1).ok).toBeFalse();
});

test("a reservation is its owner's alone, and more than it may be used", () => {
  const { counters, ask } = alone();
  const { id = "" } = ask(50, "reserve");
  counters.settle("q s.default", { id, used: 0 });
  expect([counters.held, ask(60).ok]).toEqual([1, false]);
  counters.settle("p s.default", { id, used: 150 });
  expect(ask(50, "add")).toMatchObject({ ok: false, resetMs: 1_000 });
});

test("where there is not so much nothing is reserved", () => {
  const { counters, ask } = alone();
  expect([ask(101, "reserve"), counters.held]).toEqual([{ ok: false, left: 100, resetMs: null }, 0]);
});

test("reservations that nobody settles count as used, and none is held when they have filled again", () => {
  const { clock, counters, ask } = alone();
  for (let at = 0; at < 10; at++) ask(10, "reserve");
  expect([counters.held, ask(1).ok]).toEqual([10, false]);
  clock.nowMs = 1_000;
  expect([counters.held, ask(100).ok]).toEqual([0, true]);
});

test("a reservation that is settled after its time gives nothing back: that has filled again", () => {
  const { clock, counters, ask } = alone();
  const { id = "" } = ask(100, "reserve");
  clock.nowMs = 1_000;
  expect(ask(100).ok).toBeTrue();
  counters.settle("p s.default", { id, used: 0 });
  expect([counters.held, ask(1).ok]).toEqual([0, false]);
});

test("so many reservations are kept, and the oldest goes first", () => {
  const { counters } = alone();
  const reserve = () =>
    counters.take("p", { key: "k", amount: 1e-6, limit: 100, perMs: 1_000, how: "reserve" }).id ?? "";
  const first = reserve();
  for (let at = 0; at < limits.policySharedHoldsMax; at++) reserve();
  expect(counters.held).toBe(limits.policySharedHoldsMax);
  counters.settle("p", { id: first, used: 0 });
  expect(counters.held).toBe(limits.policySharedHoldsMax);
});

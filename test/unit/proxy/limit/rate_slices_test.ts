/** A rate that the mesh shares: both sides of the lease, with answers that are late or lost and proxies that are away. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RateSlices } from "../../../../src/controller/rate_slices.ts";
import { limits } from "../../../../src/model/limits.ts";
import type { RateSlice } from "../../../../src/model/rate_slice.ts";
import { LeasedRate } from "../../../../src/proxy/limit/leased_rate.ts";

const { rateSliceAskMs: askMs, rateSliceMs: sliceMs, rateSliceGraceMs: graceMs } = limits;
const perSecond = 1_000;

interface Proxy {
  readonly name: string;
  readonly rate: LeasedRate;
  away: boolean;
}

/** A mesh whose proxies ask each second, and get their answers after `delayMs`. */
class Mesh {
  nowMs = 0;
  slices: RateSlices;
  readonly proxies: Proxy[] = [];
  #answers: { atMs: number; proxy: Proxy; slice: RateSlice; askedMs: number }[] = [];

  /** `begunMs`: when the rate was first shared; `listensUntilMs`: until when its controller hears who holds what. */
  constructor(machines: number, begunMs: number, listensUntilMs: number) {
    this.slices = new RateSlices({ perSecond, machines }, begunMs, listensUntilMs);
  }

  /** `firstPerSecond`: what it goes by until it has a slice. */
  add(firstPerSecond = 0): Proxy {
    const rate = new LeasedRate(firstPerSecond, this.nowMs);
    const proxy = { name: `proxy-${this.proxies.length}`, rate, away: false };
    this.proxies.push(proxy);
    return proxy;
  }

  /** What proxies may use now. */
  get held(): number {
    return this.proxies.reduce((sum, { rate }) => sum + rate.bucket.perSecond, 0);
  }

  /** One second: each proxy wants so many requests, then asks. Returns how many passed, by proxy. */
  second(wanted: (at: number) => number, delayMs = 0, lost: (at: number) => boolean = () => false): number[] {
    const passed = this.proxies.map(() => 0);
    for (let tick = 0; tick < 10; tick++) {
      this.nowMs += askMs / 10;
      this.#deliver();
      this.proxies.forEach(({ rate }, at) => {
        for (let one = 0; one < wanted(at) / 10; one++)
          if (rate.take(this.nowMs)) passed[at] = (passed[at] ?? 0) + 1;
      });
    }
    this.proxies.forEach((proxy, at) => {
      const asked = proxy.rate.ask(this.nowMs);
      if (proxy.away) return;
      const slice = this.slices.ask(proxy.name, asked, this.nowMs);
      if (!lost(at)) this.#answers.push({ atMs: this.nowMs + delayMs, proxy, slice, askedMs: this.nowMs });
    });
    this.#deliver();
    return passed;
  }

  #deliver(): void {
    const due = this.#answers.filter(({ atMs }) => atMs <= this.nowMs);
    this.#answers = this.#answers.filter(({ atMs }) => atMs > this.nowMs);
    for (const { proxy, slice, askedMs } of due)
      if (!proxy.away) proxy.rate.given(slice, askedMs, this.nowMs);
  }
}

function meshOf(count: number): Mesh {
  const mesh = new Mesh(0, -sliceMs - graceMs, 0);
  for (let at = 0; at < count; at++) mesh.add();
  return mesh;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

describe("slices", () => {
  test("follow what proxies want, and use nearly all of the rate", () => {
    const mesh = meshOf(4);
    let passed: number[] = [];
    for (let second = 0; second < 10; second++) passed = mesh.second((at) => (at === 0 ? 5_000 : 100));
    expect(sum(passed)).toBeGreaterThan(0.85 * perSecond);
    expect(passed[0]).toBeGreaterThan(700);
    expect(Math.min(...passed)).toBeGreaterThanOrEqual(40);
  });

  test("never come to more than the rate while every proxy is heard, however late or lost answers are", () => {
    const second = fc.record({
      wanted: fc.array(fc.nat(3_000), { minLength: 6, maxLength: 6 }),
      delayMs: fc.nat(900),
      lost: fc.nat(63),
      joins: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(second, { maxLength: 40 }), (count, seconds) => {
        const mesh = meshOf(count);
        for (const { wanted, delayMs, lost, joins } of seconds) {
          if (joins && mesh.proxies.length < 6) mesh.add();
          mesh.second(
            (at) => wanted[at] ?? 0,
            delayMs,
            (at) => (lost & (1 << at)) !== 0,
          );
          expect(mesh.slices.promisedPerSecond).toBeLessThanOrEqual(perSecond + 1e-6);
          expect(mesh.held).toBeLessThanOrEqual(perSecond + 1e-6);
        }
      }),
    );
  });

  test("go on without the controller: nobody stops, and together they keep to the rate", () => {
    const mesh = meshOf(5);
    for (let second = 0; second < 8; second++) mesh.second((at) => at * 500);
    for (const proxy of mesh.proxies) proxy.away = true;
    for (let second = 0; second < 60; second++) {
      mesh.second(() => 2_000);
      expect(mesh.held).toBeLessThanOrEqual(perSecond + 1e-6);
    }
    expect(Math.min(...mesh.proxies.map(({ rate }) => rate.bucket.perSecond))).toBeGreaterThan(0);
  });

  test("of proxies that are away come on top with no more than an even share each", () => {
    const second = fc.record({
      wanted: fc.array(fc.nat(3_000), { minLength: 5, maxLength: 5 }),
      turns: fc.nat(4),
      turn: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(second, { maxLength: 60 }), (seconds) => {
        const mesh = meshOf(5);
        for (let begun = 0; begun < 3; begun++) mesh.second(() => 500);
        const even = perSecond / mesh.proxies.length;
        for (const { wanted, turns, turn } of seconds) {
          const proxy = mesh.proxies[turns] as Proxy;
          if (turn) proxy.away = !proxy.away;
          mesh.second((at) => wanted[at] ?? 0);
          const away = mesh.proxies.filter((each) => each.away).length;
          expect(mesh.held).toBeLessThanOrEqual(perSecond + away * even + 1e-6);
        }
      }),
    );
  });

  test("of a proxy that is away are dealt out to the others after its time, and it goes on with its even share", () => {
    const mesh = meshOf(4);
    for (let second = 0; second < 6; second++) mesh.second((at) => (at === 0 ? 4_000 : 10));
    const first = mesh.proxies[0] as Proxy;
    expect(first.rate.bucket.perSecond).toBeGreaterThan(perSecond / 2);
    first.away = true;
    for (let second = 0; second < 10; second++) mesh.second(() => 4_000);
    expect(first.rate.bucket.perSecond).toBe(perSecond / 4);
    expect(mesh.held).toBeGreaterThan(perSecond);
    expect(mesh.held).toBeLessThanOrEqual(perSecond * (1 + 1 / 4));
    first.away = false;
    for (let second = 0; second < 4; second++) mesh.second(() => 4_000);
    expect(mesh.held).toBeLessThanOrEqual(perSecond);
  });

  const begins = [
    ["has run for long", 0],
    ["has just begun", sliceMs + graceMs],
  ] as const;
  test.each(begins)(
    "of a new rate refuse nothing that keeps to it, where the controller %s",
    (_, listensMs) => {
      const mesh = new Mesh(4, 0, listensMs);
      for (let at = 0; at < 4; at++) mesh.add(perSecond / 4);
      for (let second = 0; second < 10; second++) {
        const passed = mesh.second(() => 200, 100);
        expect(passed).toEqual([200, 200, 200, 200]);
        expect(mesh.held).toBeLessThanOrEqual(perSecond + 1e-6);
      }
    },
  );

  test.each([0.25, 0.5, 4, 40])("go on when the rate becomes %p of what it was, in a second", (factor) => {
    const mesh = meshOf(4);
    for (let second = 0; second < 6; second++) mesh.second((at) => 20 + at * 10);
    mesh.slices.become({ perSecond: perSecond * factor, machines: 4 });
    for (let second = 0; second < 8; second++) {
      const passed = mesh.second((at) => 20 + at * 10);
      expect(passed).toEqual([20, 30, 40, 50]);
      if (second > 1) expect(mesh.held).toBeLessThanOrEqual(perSecond * factor + 1e-6);
    }
  });

  test("leave something at once to a proxy that comes new, whatever the others wanted before", () => {
    const wants = fc.array(fc.array(fc.nat(3_000), { minLength: 3, maxLength: 3 }), {
      minLength: 3,
      maxLength: 12,
    });
    fc.assert(
      fc.property(wants, (seconds) => {
        const mesh = meshOf(3);
        for (const wanted of seconds) mesh.second((at) => wanted[at] ?? 0);
        const late = mesh.add();
        mesh.second(() => 1_000);
        expect(late.rate.bucket.perSecond).toBeGreaterThan(1);
        expect(mesh.held).toBeLessThanOrEqual(perSecond + 1e-6);
      }),
    );
  });

  test("outlive a new controller: it hears what is held before it gives anybody more", () => {
    const mesh = meshOf(4);
    for (let second = 0; second < 6; second++) mesh.second((at) => at * 800);
    const { nowMs } = mesh;
    mesh.slices = new RateSlices({ perSecond, machines: 4 }, nowMs, nowMs + sliceMs + graceMs);
    for (let second = 0; second < 20; second++) {
      // The first to ask is answered before the others have said what they hold, and they hear nothing yet.
      mesh.second(
        (at) => (4 - at) * 800,
        0,
        (at) => second < 2 && at > 0,
      );
      expect(mesh.held).toBeLessThanOrEqual(perSecond + 1e-6);
    }
    const [first, , , last] = mesh.proxies.map(({ rate }) => rate.bucket.perSecond);
    expect(first).toBeGreaterThan(last ?? Infinity);
  });
});

/** Adaptive concurrency: the law as it is defined, and what it does to a server that it guards. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Gradient2 } from "../../../../src/proxy/limit/gradient2.ts";

const latency = fc.double({ min: 0.1, max: 5_000, noNaN: true });

describe("the law", () => {
  test("is the published one, sample by sample, when time is long enough for its average to rise", () => {
    const samples = fc.array(fc.record({ ms: latency, busy: fc.boolean() }));
    fc.assert(
      fc.property(samples, (all) => {
        const law = new Gradient2(4, 1_000, 20);
        let limit = 20;
        let long = 0;
        all.forEach(({ ms, busy }, at) => {
          long = at < 10 ? (long * at + ms) / (at + 1) : long + ((ms - long) * 2) / 601;
          if (long / ms > 2) long *= 0.95;
          const underWay = busy ? Math.ceil(limit) : Math.floor(limit / 2 - 1);
          law.sample(ms, underWay, at * 1e9);
          if (busy) {
            const gradient = Math.max(0.5, Math.min(1, (1.5 * long) / ms));
            limit = Math.min(1_000, Math.max(4, limit * 0.8 + 0.2 * (limit * gradient + 4)));
          }
          expect(law.longMs / long).toBeCloseTo(1, 9);
          expect(law.limit).toBe(Math.floor(limit));
        });
      }),
    );
  });

  test("lets its long average rise to no more than twice as much in two minutes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ ms: latency, afterMs: fc.nat(500) }), { minLength: 11 }),
        (samples) => {
          const law = new Gradient2();
          let nowMs = 0;
          let before = Infinity;
          samples.forEach(({ ms, afterMs }, at) => {
            nowMs += afterMs;
            law.sample(ms, 20, nowMs);
            if (at >= 10)
              expect(law.longMs).toBeLessThanOrEqual(before * 2 ** (afterMs / 120_000) * (1 + 1e-6));
            before = law.longMs;
          });
        },
      ),
    );
  });

  test("stays within its bounds whatever it is told", () => {
    const sample = fc.record({ ms: fc.double({ min: -1, max: 1e9, noNaN: true }), underWay: fc.nat(5_000) });
    fc.assert(
      fc.property(fc.array(sample), (samples) => {
        const law = new Gradient2();
        samples.forEach(({ ms, underWay }, at) => law.sample(ms, underWay, at));
        expect(law.limit).toBeGreaterThanOrEqual(4);
        expect(law.limit).toBeLessThanOrEqual(1_000);
      }),
    );
  });

  test("learns nothing about room from who does not use what there is", () => {
    const law = new Gradient2();
    for (let at = 0; at < 1_000; at++) law.sample(10, 3, at);
    expect(law.limit).toBe(20);
  });
});

describe("before a server that does 8 requests at a time, each in 10 ms, with clients that take all they get", () => {
  /** So many requests one after the other; each takes `slower` times what it takes as a rule. */
  function serve(law: Gradient2, requests: number, nowMs: number, slower = 1): number {
    for (let request = 0; request < requests; request++) {
      const underWay = law.limit;
      nowMs += (10 * slower) / Math.min(8, underWay);
      law.sample(10 * slower * Math.max(1, underWay / 8), underWay, nowMs);
    }
    return nowMs;
  }

  test("the limit uses the server whole, and stays near that through half a minute of overload", () => {
    const law = new Gradient2(4, 1_000, 4);
    serve(law, 24_000, 0);
    expect(law.limit).toBeGreaterThanOrEqual(8);
    expect(law.limit).toBeLessThan(40);
  });

  test("it shrinks when the server becomes ten times slower, and comes back after", () => {
    const law = new Gradient2(4, 1_000, 4);
    let nowMs = serve(law, 2_000, 0);
    const before = law.limit;
    nowMs = serve(law, 100, nowMs, 10);
    expect(law.limit).toBeLessThan(Math.max(9, before / 2 + 1));
    serve(law, 2_000, nowMs);
    expect(law.limit).toBeGreaterThanOrEqual(8);
  });
});

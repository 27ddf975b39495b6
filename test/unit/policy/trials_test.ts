/** Versions that are tried: who gets them, and when one is not asked any more. */
import { describe, expect, test } from "bun:test";
import type { PolicyBinding, PolicyCandidate } from "../../../src/model/snapshot.ts";
import { Trials } from "../../../src/policy/trials.ts";
import type { PolicyRecord } from "../../../src/telemetry/record.ts";
import { seeded } from "../../support/chance.ts";

const tried: PolicyBinding = { hash: "new", name: "p", options: {} };
const plain: PolicyBinding = { hash: "old", name: "p", options: {} };
const inForce = (percent: number, by: PolicyCandidate["by"] = "request"): PolicyBinding => ({
  ...plain,
  candidate: { mode: "percent", percent, by, binding: tried },
});
const candidateOf = (percent: number, startedMs: number): PolicyCandidate => ({
  ...{ mode: "percent", percent, by: "request", startedMs, binding: tried },
});
const started = (percent: number, startedMs: number): PolicyBinding => ({
  ...plain,
  candidate: candidateOf(percent, startedMs),
});
const recordOf = (hash: string, action: PolicyRecord["action"] = "next"): PolicyRecord => ({
  ...{ name: "p", hash, hook: "onRequest", action, failure: null, said: "", reason: "", us: 1 },
});
const ended = (hash: string, action: PolicyRecord["action"] = "next", status = 200, us = 1) => ({
  ...{ policies: [{ ...recordOf(hash, action), us }], status, outcome: null },
});

describe("a version that is rolled out", () => {
  test("gets its share within one of a hundred, and the same requests each time", () => {
    for (const percent of [1, 5, 33, 80]) {
      const bindings = [inForce(percent)];
      const chosen = (trials: Trials): boolean[] =>
        Array.from({ length: 10_000 }, (_, at) => trials.chosen(bindings, `r-${at}`)[0] === tried);
      const first = chosen(new Trials("vm-1"));
      expect(Math.abs(first.filter(Boolean).length / 100 - percent)).toBeLessThan(1);
      expect(chosen(new Trials("vm-2"))).toEqual(first);
    }
  });

  test("by machine is that of all requests of one, or of none", () => {
    const counts = Array.from({ length: 200 }, (_, at) => {
      const trials = new Trials(`vm-${at}`);
      const some = [1, 2, 3].map((id) => trials.chosen([inForce(30, "machine")], `r-${id}`)[0] === tried);
      expect(new Set(some).size).toBe(1);
      return some[0] === true ? 1 : 0;
    });
    const share = counts.reduce((sum: number, each) => sum + each, 0) / 200;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.4);
  });

  test("is not asked any more once it fails more often, by its own failures or by answers of 500 and more", () => {
    for (const [action, status] of [
      ["error", 200],
      ["next", 502],
    ] as const) {
      const trials = new Trials("vm-1");
      trials.chosen([inForce(100)], "r-1");
      for (let count = 0; count < 60; count++) trials.finished(ended("old"));
      let calls = 0;
      while (trials.chosen([inForce(100)], "r-1")[0] === tried && calls < 100) {
        trials.finished(ended("new", action, status));
        calls++;
      }
      expect(calls).toBeLessThanOrEqual(20);
      expect(trials.readings()[0]?.returned).toBe(
        `${calls} of its ${calls} calls failed, and 0 of 60 of the version in force`,
      );
    }
  });

  test("and fails no more often than the one in force goes on", () => {
    const trials = new Trials("vm-1");
    trials.chosen([inForce(100)], "r-1");
    for (let count = 0; count < 400; count++)
      for (const hash of ["old", "new"]) trials.finished(ended(hash, "next", count % 4 === 0 ? 503 : 200));
    expect(trials.chosen([inForce(100)], "r-1")[0]).toBe(tried);
    expect(trials.readings()).toMatchObject([{ now: { calls: 400, failed: 100 }, returned: null }]);
  });

  test("is not asked any more as soon as what is counted of the one in force says that it fails more often", () => {
    const trials = new Trials("vm-1");
    trials.chosen([inForce(100)], "r-1");
    for (let count = 0; count < 10; count++) trials.finished(ended("new", "error"));
    let calls = 0;
    // Nothing was counted of the one in force until here: it might fail as often.
    expect(trials.chosen([inForce(100)], "r-1")[0]).toBe(tried);
    for (; trials.readings()[0]?.returned === null && calls < 100; calls++) trials.finished(ended("old"));
    expect(calls).toBeLessThan(100);
    expect(trials.chosen([inForce(100)], "r-1")[0]).not.toBe(tried);
  });

  test("is compared with how the one in force did before, so that its share does not matter", () => {
    const trials = new Trials("vm-1");
    for (let count = 0; count < 1_000; count++) trials.finished(ended("old"));
    trials.chosen([inForce(100)], "r-1");
    let calls = 0;
    for (; trials.readings()[0]?.returned === null && calls < 100; calls++)
      trials.finished(ended("new", "error"));
    expect(calls).toBeLessThanOrEqual(20);
    expect(trials.readings()[0]).toMatchObject({
      earlier: { calls: 1_000, failed: 0 },
      before: { calls: 0 },
    });
  });

  test("is compared with what was counted of that very version, also where another was in force between", () => {
    const trials = new Trials("vm-1");
    for (let count = 0; count < 300; count++) trials.finished(ended("old"));
    for (let count = 0; count < 900; count++) trials.finished(ended("other", "error"));
    trials.chosen([inForce(100)], "r-1");
    trials.finished(ended("new"));
    expect(trials.readings()).toMatchObject([{ earlier: { calls: 300, failed: 0 } }]);
  });

  test("was a shadow before: what is counted begins when it is obeyed", () => {
    const trials = new Trials("vm-1");
    const shadow: PolicyBinding = { ...plain, candidate: { ...candidateOf(5, 1_000), mode: "shadow" } };
    trials.chosen([shadow], "r-1");
    for (let count = 0; count < 300; count++) trials.finished(ended("old"));
    expect(trials.readings()).toMatchObject([{ before: { calls: 0 } }]);
    trials.chosen([started(5, 1_000)], "r-1");
    trials.finished(ended("old"));
    expect(trials.readings()).toMatchObject([{ before: { calls: 1 }, earlier: { calls: 300 } }]);
  });

  const slowly = {
    "is answered late": (trials: Trials, hash: string, us: number) =>
      trials.finished(ended(hash, "next", 200, us * 10)),
    "takes long of a processor": (trials: Trials, hash: string, us: number) => {
      trials.took({ name: "p", hash }, us);
      trials.finished(ended(hash));
    },
  };
  for (const [what, call] of Object.entries(slowly))
    test(`${what} far more often than the one in force goes, and its first calls are not asked about`, () => {
      const trials = new Trials("vm-1");
      for (let count = 0; count < 500; count++) call(trials, "old", 100);
      trials.chosen([inForce(100)], "r-1");
      for (let count = 0; count < 20; count++) {
        call(trials, "old", 100);
        call(trials, "new", 50_000);
      }
      expect(trials.readings()[0]?.returned).toBeNull();
      let calls = 0;
      for (; trials.readings()[0]?.returned === null && calls < 200; calls++) {
        call(trials, "old", 100);
        call(trials, "new", 50_000);
      }
      expect(calls).toBeLessThanOrEqual(40);
      expect(trials.readings()[0]?.returned).toMatch(/ms or (later|longer), and 0 of/);
    });

  test("takes as long as the one in force, on a machine that is busy, goes on", () => {
    const { unit } = seeded(6);
    for (let round = 0; round < 200; round++) {
      const trials = new Trials("vm-1");
      const percent = [5, 50, 90][round % 3] ?? 5;
      // A few calls of either wait for a long time.
      const call = (hash: string): void => {
        const us = Math.exp(unit() * 6 + (unit() < 0.1 ? 5 : 0)) * 100;
        trials.took({ name: "p", hash }, us);
        trials.finished(ended(hash, "next", 200, us));
      };
      for (let count = 0; count < 500; count++) call("old");
      trials.chosen([inForce(percent)], "r-1");
      for (let count = 0; count < 1_000; count++) call(unit() * 100 < percent ? "new" : "old");
      expect(trials.readings()[0]?.returned).toBeNull();
    }
  });

  test("is forgotten with the snapshot that had it", () => {
    const trials = new Trials("vm-1");
    trials.chosen([inForce(5)], "r-1");
    trials.keep([plain]);
    expect(trials.readings()).toEqual([]);
  });

  test("that is over gets no request of the snapshot before, whose policies are asked a moment later", () => {
    for (const startedMs of [undefined, 1_000]) {
      const before = startedMs === undefined ? inForce(100) : started(100, startedMs);
      const trials = new Trials("vm-1");
      expect(trials.chosen([before], "r-1")[0]).toBe(tried);
      trials.keep([plain]);
      expect(trials.chosen([before], "r-2")[0]).toBe(before);
      expect(trials.readings()).toEqual([]);
    }
  });

  test("once more is another trial: it is asked, and nothing of the one before counts", () => {
    const trials = new Trials("vm-1");
    const [first, second] = [started(100, 1_000), started(100, 2_000)];
    trials.chosen([first], "r-1");
    for (let count = 0; count < 60; count++) trials.finished(ended("old"));
    for (let count = 0; count < 60; count++) trials.finished(ended("new", "error"));
    expect(trials.chosen([first], "r-1")[0]).toBe(first);
    expect(trials.chosen([second], "r-1")[0]).toBe(tried);
    trials.keep([second]);
    expect(trials.readings()).toMatchObject([{ now: { calls: 0 }, startedMs: 2_000, returned: null }]);
    expect(trials.chosen([first], "r-1")[0]).toBe(first);
    expect(trials.chosen([second], "r-1")[0]).toBe(tried);
  });
});

test("a shadow is asked beside the version in force, and what differs is counted by kind", () => {
  const trials = new Trials("vm-1");
  const shadow = {
    ...inForce(100),
    candidate: { ...inForce(100).candidate, mode: "shadow", binding: tried },
  } as PolicyBinding;
  expect(trials.chosen([shadow], "r-1")).toEqual([shadow]);
  const next = { do: "next", edits: { remove: [], set: [], add: [] }, target: null } as const;
  const refusal = { do: "respond", status: 403, headers: next.edits, body: "", reason: "no" } as const;
  for (let count = 0; count < 9; count++) trials.shadowed(tried, next, next);
  trials.shadowed(tried, next, refusal);
  for (let count = 0; count < 100; count++) trials.shadowed(tried, { ...refusal, reason: `${count}` }, next);
  const [reading] = trials.readings();
  expect(reading).toMatchObject({ agreed: 9, differed: 101 });
  expect(reading?.differences[0]).toEqual({ what: "goes on / answered 403: no", count: 1 });
  expect(reading?.differences.length).toBe(33);
});

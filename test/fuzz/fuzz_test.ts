/**
 * Every target over its kept corpus and over fresh inputs, for half a second each; HEDDLE_FUZZ_SECONDS says otherwise. The seed
 * is in the name of the test, and a failing input is written to a file.
 */
import { expect, test } from "bun:test";
import { readCorpus, writeFailure } from "./corpus.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import { fuzz } from "./run.ts";
import { fuzzTargets } from "./targets.ts";
import type { FuzzTarget } from "./target.ts";

const seconds = Number(process.env["HEDDLE_FUZZ_SECONDS"] ?? "0.5");
const seed = Date.now() % 1_000_000_000;

for (const target of fuzzTargets)
  test(
    `${target.name} keeps its promises for any input (seed ${seed})`,
    () => {
      const { failure, executions } = fuzz(target, { seed, seconds, corpus: readCorpus(target.name) });
      const found =
        failure === null ? null : `${failure.reason}\n${writeFailure(target.name, failure.input)}`;
      expect(found).toBeNull();
      expect(executions).toBeGreaterThan(Math.min(50, seconds * 100));
    },
    (seconds + 30) * 10_000,
  );

/** Fails for inputs that hold an exclamation mark. */
const picky: FuzzTarget = {
  name: "picky",
  words: ["!"],
  bytesMax: 100,
  inputMs: 1_000,
  seeds: () => [Uint8Array.of(97, 98, 99)],
  check(input) {
    if (input.includes(33)) throw new Error("an exclamation mark");
    return String(input.length);
  },
};

test("the runner finds an input that fails, and makes it small", () => {
  const { failure } = fuzz(picky, { seed: 1, seconds: 5, corpus: [] });
  expect(failure).toEqual({ input: Uint8Array.of(33), reason: "an exclamation mark" });
});

test("the runner names an input that takes too long", () => {
  const slow: FuzzTarget = {
    ...picky,
    inputMs: 1,
    check() {
      // As the runner counts, however busy the machine is.
      const used = (): number => process.threadCpuUsage().user + process.threadCpuUsage().system;
      const endUs = used() + 3_000;
      while (used() < endUs);
      return "";
    },
  };
  expect(fuzz(slow, { seed: 1, seconds: 1, corpus: [] }).failure?.reason).toContain("allowed are 1");
});

test("a seed makes the same inputs again", () => {
  const context = { pool: [Uint8Array.of(1, 2, 3)], words: ["x"], bytesMax: 50 };
  const made = (from: number): string => {
    const random = new Random(from);
    return Array.from({ length: 50 }, () => mutate(context, random).join()).join(";");
  };
  expect(made(7)).toBe(made(7));
  expect(made(7)).not.toBe(made(8));
});

/** Flags of the bench. */
import { describe, expect, test } from "bun:test";
import { parseOptions } from "../../bench/options.ts";

test("the parts there are are named when one is asked for that is not", () => {
  expect(() => parseOptions(["--only", "hopp"])).toThrow("expected one of hop, pair");
});

test("without another commit every part is measured beside the peers", () => {
  const { against, only, rounds } = parseOptions([]);
  expect({ against, rounds }).toEqual({ against: null, rounds: 11 });
  expect(only).toContain("floods");
});

describe("a bench against another commit", () => {
  test("takes the parts that requests pay for, unless others are named", () => {
    expect(parseOptions(["--against", "0ad2251b6b36"])).toMatchObject({
      against: { commit: "0ad2251b6b36", bar: 1.05, starts: 3 },
      only: ["hop", "pair", "hop2", "pair2", "grpc", "carried"],
      rounds: 20,
    });
    const named = parseOptions([
      ..."--only short,hop --against main~2 --bar 1.1 --starts 1 --rounds 7".split(" "),
    ]);
    expect(named).toMatchObject({
      against: { commit: "main~2", bar: 1.1, starts: 1, works: ["short", "hop"] },
      rounds: 7,
    });
  });

  test("cannot have parts in which no cost of a load is compared", () => {
    expect(() => parseOptions(["--against", "HEAD", "--only", "hop,idle"])).toThrow(
      'Cannot compare "idle" with another commit: expected one of hop, pair',
    );
  });

  test("needs a commit, a bar with its decimals, and starts", () => {
    for (const wrong of [
      ["--against"],
      ["--against", "--write"],
      ["--against", "HEAD", "--bar", "2"],
      ["--against", "HEAD", "--bar", "fast"],
      ["--against", "HEAD", "--starts", "0"],
    ]) {
      expect(() => parseOptions(wrong)).toThrow("Cannot use");
    }
  });

  test("is what a bar and starts are for", () => {
    expect(() => parseOptions(["--bar", "1.05"])).toThrow("Cannot use --bar or --starts without --against");
    expect(() => parseOptions(["--starts", "2"])).toThrow("Cannot use --bar or --starts without --against");
  });
});

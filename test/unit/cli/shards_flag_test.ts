/** How a command line says how many event loops carry the traffic. */
import { expect, test } from "bun:test";
import { parseShards } from "../../../src/cli/shards_flag.ts";

test.each([
  ["1", 1],
  ["16", 16],
  ["auto", "auto"],
] as const)("%s is taken", (text, count) => {
  expect(parseShards("--shards")(text)).toBe(count);
});

test.each(["", " 2", "0", "17", "1.5", "1e1", "-2", "many"])(
  "%p is refused, and told where it was said",
  (text) => {
    expect(() => parseShards("HEDDLE_SHARDS")(text)).toThrow(
      `Cannot use HEDDLE_SHARDS "${text}": expected a whole number from 1 to 16, or auto`,
    );
  },
);

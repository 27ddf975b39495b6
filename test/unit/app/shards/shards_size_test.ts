/** How many event loops a proxy takes that is told nothing, or to fit the machine. */
import { expect, test } from "bun:test";
import { shardsSize } from "../../../../src/app/shards/shards_size.ts";
import { filesOf } from "../../../support/text_files.ts";

const gib = 1_048_576;

test.each([
  ["one core", "0", 16 * gib, 1],
  ["four cores", "0-3", 16 * gib, 4],
  ["two cores", "0-1", 16 * gib, 2],
  ["two cores of many that it may use", "3,7", 16 * gib, 2],
  ["many cores", "0-7,16-23", 64 * gib, 4],
  ["four cores and 1 GiB of memory", "0-3", gib, 2],
  ["four cores and hardly any memory", "0-3", gib / 8, 1],
])("%s", (_name, cores, kilobytes, count) => {
  const files = filesOf({
    "/proc/self/status": `Name:\theddle\nCpus_allowed_list:\t${cores}\nMems_allowed_list:\t0\n`,
    "/proc/meminfo": `MemTotal:       ${kilobytes} kB\n`,
  });
  expect(shardsSize({ shards: "auto" }, files).count).toBe(count);
});

test("a system that tells nothing gets one", () => {
  expect(shardsSize({ shards: "auto" }, filesOf({})).count).toBe(1);
});

test.each([
  [undefined, 1],
  [1, 1],
  [16, 16],
  ["auto", 1],
] as const)("a proxy that is told %p has that many", (said, count) => {
  const told = said === undefined ? {} : { shards: said };
  expect(shardsSize(told, filesOf({})).count).toBe(count);
});

test.each([0, -1, 2.5, 17, "4", null])("settings that say %p are refused", (said) => {
  expect(() => shardsSize({ shards: said as never }, filesOf({}))).toThrow(
    `Cannot use shards ${JSON.stringify(said)} of heddle.json: expected a whole number from 1 to 16, or "auto"`,
  );
});

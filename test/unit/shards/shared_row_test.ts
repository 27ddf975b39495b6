/** A row of numbers that processes share: what is done between `enter` and `leave` is done by one at a time. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { runtime } from "../../support/planes.ts";
import { programOf } from "../../support/runtime_under_test.ts";

const program = join(import.meta.dirname, "../../support/row_child.ts");

test("three processes that add to one number lose nothing", async () => {
  const [each, all] = [500_000, 3];
  const memory = runtime.process.shareMemory(4_096);
  const ends = Array.from({ length: all }, () => {
    return new Promise<number | null>((exited) => {
      const command = [...programOf(program), String(each), String(all)];
      runtime.process.spawn({ command, env: {}, memory, exited });
    });
  });
  expect(await Promise.all(ends)).toEqual([0, 0, 0]);
  expect(new Float64Array(memory.bytes, 8, 1)[0]).toBe(all * each);
});

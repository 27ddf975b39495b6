/** A row of numbers that processes share: what is done between `enter` and `leave` is done by one at a time. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { regionBytes } from "../../../src/shards/shared_region.ts";
import { runtime } from "../../support/planes.ts";
import { roomSize } from "../../support/room_child.ts";
import { programOf } from "../../support/runtime_under_test.ts";

const roomProgram = join(import.meta.dirname, "../../support/room_child.ts");
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

test.each(["room", "gate"])(
  "three processes that take places of one %s never have more than there are",
  async (what) => {
    const [times, loops, max] = [100_000, 3, 2];
    const memory = runtime.process.shareMemory(regionBytes(roomSize) + 16);
    const ends = Array.from({ length: loops }, (_, own) => {
      return new Promise<number | null>((exited) => {
        const numbers = [times, own, loops, max].map(String);
        const command = [...programOf(roomProgram), what, ...numbers];
        runtime.process.spawn({ command, env: {}, memory, exited });
      });
    });
    expect(await Promise.all(ends)).toEqual([0, 0, 0]);
    const [, left, most, taken] = new Int32Array(memory.bytes, regionBytes(roomSize), 4);
    expect(left).toBe(0);
    expect(most).toBeLessThanOrEqual(max);
    expect(taken).toBeGreaterThan(times / 10);
  },
);

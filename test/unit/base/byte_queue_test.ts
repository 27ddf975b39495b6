import { expect, test } from "bun:test";
import fc from "fast-check";
import { ByteQueue } from "../../../src/base/byte_queue.ts";

test("bytes come out as they went in, in whatever pieces", () => {
  const step = fc.oneof(
    fc.record({ push: fc.oneof(fc.nat(20), fc.nat(9_000)) }),
    fc.record({ drop: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new ByteQueue();
      const waiting: number[] = [];
      let next = 0;
      for (const each of steps) {
        if ("push" in each) {
          const bytes = Uint8Array.from({ length: each.push + 2 }, () => next++ & 255);
          queue.push(bytes, 1, bytes.length - 1);
          waiting.push(...bytes.subarray(1, bytes.length - 1));
          bytes.fill(0);
        } else if (queue.length > 0) {
          const { bytes, start, end } = queue.first;
          const count = Math.max(1, Math.floor(each.drop * (end - start)));
          expect([...bytes.subarray(start, start + count)]).toEqual(waiting.splice(0, count));
          queue.drop(count);
        }
        expect(queue.length).toBe(waiting.length);
      }
    }),
    { numRuns: 50 },
  );
});

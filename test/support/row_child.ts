/** A process that adds to a row which it shares with others, one by one between `enter` and `leave`. */
import { SharedRow } from "../../src/base/shared_row.ts";
import { runtime } from "./runtime_under_test.ts";

const { bytes } = runtime.process.sharedMemory();
const row = new SharedRow(new Float64Array(bytes, 8, 1), new Int32Array(bytes, 0, 1), 2 ** 31);
// All at the same time: the next number is how many of them are there.
const there = new Int32Array(bytes, 4, 1);
const [count, all] = runtime.process.args.map(Number) as [number, number];
Atomics.add(there, 0, 1);
while (Atomics.load(there, 0) < all);
for (let left = count; left > 0; left--) {
  row.enter();
  (row.numbers[0] as number)++;
  row.leave();
}
runtime.process.exit(0);

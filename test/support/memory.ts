/** Memory of the process that a test runs in, where other tests leave garbage of their own. */
import { expect } from "bun:test";

const turns = 3;

/**
 * The process grows by less than `bytesMax` while `act` runs: at least once in a few times, because what others left may be
 * cleared away, or moved, in any of them. What `act` itself kept would show in all.
 */
export async function expectBounded(act: () => Promise<void>, bytesMax = 60 * 1024 * 1024): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < turns && least >= bytesMax; turn++) {
    const before = process.memoryUsage().rss;
    await act();
    least = Math.min(least, process.memoryUsage().rss - before);
  }
  expect(least).toBeLessThan(bytesMax);
}

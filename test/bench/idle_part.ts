/** What a heddle proxy costs that nobody uses, and how soon it can be used. */
import type { StartedHeddle } from "./heddle.ts";
import type { BenchOptions } from "./options.ts";
import { median } from "./rounds.ts";
import { note } from "./stage.ts";
import { barTable } from "./tables.ts";

const residentBarMb = 60;
const firstAcceptBarMs = 60;

export async function measureIdle(heddle: StartedHeddle, options: BenchOptions): Promise<string[]> {
  note(`idle: waiting until a proxy has run for ${options.idleMs / 1_000} s`);
  const { rssMb, privateMb, afterMs, firstAcceptMs } = await heddle.idle(options.idleMs);
  const taken = median(firstAcceptMs);
  return [
    `RSS of an idle proxy ${(afterMs / 1_000).toFixed(0)} s after its start, policy host apart, nobody having called: ${rssMb.toFixed(1)} MB, of which ${privateMb.toFixed(1)} MB`,
    "are its own; the rest are pages of the binary, which every heddle process of a machine shares.",
    `From start to the first accepted connection, snapshot on disk: ${taken.toFixed(1)} ms (median of ${firstAcceptMs.length}, from ${Math.min(...firstAcceptMs).toFixed(1)} to ${Math.max(...firstAcceptMs).toFixed(1)}).`,
    "",
    ...barTable([
      { title: "RSS idle", wanted: residentBarMb, measured: rssMb, unit: " MB" },
      { title: "first accept", wanted: firstAcceptBarMs, measured: taken, unit: " ms" },
    ]),
  ];
}

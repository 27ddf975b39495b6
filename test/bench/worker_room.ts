/**
 * What a Worker takes that only looks at a heartbeat in shared memory: resident bytes and those of the process alone, before and after it is
 * there, in MB. `bun test/bench/worker_room.ts`
 */
import { readFileSync } from "node:fs";

function megabytes(): { readonly resident: number; readonly own: number } {
  const text = readFileSync("/proc/self/smaps_rollup", "utf8");
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(text)?.[1]);
  const own = kilobytes("Private_Dirty") + kilobytes("Private_Clean");
  return { resident: kilobytes("Rss") / 1_000, own: own / 1_000 };
}

const source = `
  self.onmessage = ({ data }) => {
    const beat = new Int32Array(data);
    setInterval(() => Atomics.load(beat, 0), 500);
    self.postMessage("there");
  };
`;

Bun.gc(true);
await Bun.sleep(2_000);
const before = megabytes();
const worker = new Worker(URL.createObjectURL(new Blob([source])));
const there = new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
worker.postMessage(new SharedArrayBuffer(4));
await there;
Bun.gc(true);
await Bun.sleep(2_000);
const after = megabytes();
worker.terminate();
const more = (name: "resident" | "own"): string => (after[name] - before[name]).toFixed(1);
process.stdout.write(`a Worker takes ${more("resident")} MB resident, ${more("own")} MB of it its own\n`);

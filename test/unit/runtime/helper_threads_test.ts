import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { expect, test } from "bun:test";
import { helperThreads } from "../../../runtime/bun/helper_threads.ts";
import { hangMs } from "../../support/patience.ts";

interface Thread {
  readonly name: string;
  readonly nice: number;
}

function threads(): Thread[] {
  return readdirSync("/proc/self/task").flatMap((id) => {
    try {
      const [, name = "", rest = ""] =
        /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/self/task/${id}/stat`, "latin1")) ?? [];
      return [{ name, nice: Number(rest.split(" ")[16]) }];
    } catch {
      return []; // It ended.
    }
  });
}

/** Has something compiled, until the compiler has a thread. */
function compile(): void {
  const until = performance.now() + hangMs;
  for (let round = 0; performance.now() < until; round++) {
    const work = new Function(
      "n",
      `let s = ${round}; for (let i = 0; i < n; i++) s = (s * 31 + i) | 0; return s;`,
    );
    work(100_000);
    if (threads().some(({ name }) => name === "JITWorker")) return;
  }
}

test("the compiler's threads give way to ours, whatever its priority, and the collector's do not", () => {
  const own = getPriority(process.pid);
  compile();
  helperThreads()();
  const nicenessOf = (wanted: (name: string) => boolean): number[] => [
    ...new Set(threads().flatMap(({ name, nice }) => (wanted(name) ? [nice] : []))),
  ];
  expect(nicenessOf((name) => name === "JITWorker")).toEqual([Math.min(19, own + 5)]);
  expect(nicenessOf((name) => name !== "JITWorker" && name !== "mi-scavenger")).toEqual([own]);
});

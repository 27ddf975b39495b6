/** The bench's own figures: what a run writes, what it leaves as it was, and what the bars say. */
import { describe, expect, test } from "bun:test";
import type { LoadResult } from "../bench/load.ts";
import { titleOf, type Part } from "../bench/options.ts";
import { againstTitle, mergeReport } from "../bench/report.ts";
import { barTable } from "../bench/tables.ts";
import { cpuNanos } from "../bench/usage.ts";
import { barsOf, renderRounds } from "../bench/work_part.ts";
import { workPlans } from "../bench/works.ts";

function section(part: Part, text: string): [title: string, section: string] {
  return [titleOf(part), `## ${titleOf(part)}\n\n${text}\n`];
}

function costing(...costs: readonly number[]): LoadResult[] {
  return costs.map((cost) => ({ cost, rate: 1, p50Us: cost * 100, p99Us: 1, rssMb: 1 }));
}

describe("the results of the bench", () => {
  test("keep the sections of parts that did not run, and their order", () => {
    const first = mergeReport("", new Map([section("idle", "old idle"), section("hop", "old hop")]));
    const second = mergeReport(first, new Map([section("hop", "new hop"), section("bulk", "new bulk")]));
    const places = ["new hop", "new bulk", "old idle"].map((text) => second.indexOf(text));
    expect(places.every((place, at) => place > (places[at - 1] ?? 0))).toBe(true);
    expect(second).not.toContain("old hop");
    expect(mergeReport(second, new Map())).toBe(second);
  });

  test("keep the comparison with another commit behind the parts, until there is a newer one", () => {
    const compared = (text: string) => new Map([[againstTitle, `## ${againstTitle}\n\n${text}\n`]]);
    const old = mergeReport(mergeReport("", new Map([section("idle", "idle")])), compared("old ratios"));
    expect(old.indexOf("old ratios")).toBeGreaterThan(old.indexOf("idle"));
    expect(mergeReport(old, new Map())).toBe(old);
    expect(mergeReport(old, compared("new ratios"))).toBe(old.replace("old ratios", "new ratios"));
  });

  test("drop sections of parts that are no more", () => {
    const old = "## A part of old\n\nWritten by `npm run bench -- --only old`\n";
    expect(mergeReport(old, new Map())).not.toContain("A part of old");
  });

  test("keep what people wrote, behind the section that it stood behind", () => {
    const first = mergeReport("", new Map([section("idle", "idle"), section("hop", "hop")]));
    const [head = "", hop = "", idle = ""] = first.split(/^(?=## )/m);
    const own = "## What it cost\n\n| a | b |\n\n";
    const other = "## What it gave\n\ntext\n\n";
    const old = `${head}${hop}${own}${other}${idle}`;
    expect(mergeReport(old, new Map())).toBe(old);
    const next = mergeReport(old, new Map([section("bulk", "bulk")]));
    expect(
      ["hop\n", "What it cost", "What it gave", "bulk", "idle\n"].map((text) => next.indexOf(text)),
    ).toEqual(
      ["hop\n", "What it cost", "What it gave", "bulk", "idle\n"]
        .map((text) => next.indexOf(text))
        .toSorted((a, b) => a - b),
    );
    expect(next).toContain(own.trimEnd());
  });

  test("hold every way of heddle against its bars, by the median round", () => {
    const rounds = new Map([
      ["HAProxy", costing(9, 10, 30)],
      ["heddle", costing(11, 1, 99)],
      ["heddle, own", costing(13, 13, 13)],
    ]);
    expect(barsOf(workPlans.bulk, rounds).map(({ measured }) => measured)).toEqual([1.1, 1.3]);
    const table = barTable(barsOf(workPlans.bulk, rounds));
    expect(table.filter((line) => line.includes("| met |"))).toHaveLength(1);
    expect(table.filter((line) => line.includes("**missed**"))).toHaveLength(1);
    const warming = new Map([["HAProxy", 12]]);
    expect(renderRounds(workPlans.bulk, rounds, warming).join("\n")).toContain(
      "| HAProxy | 10.0 | 9.00–30.0 | 1.10 | 12.0 |",
    );
  });

  test("count what is added to the direct call of the same round", () => {
    const rounds = new Map([
      ["direct", costing(1, 2, 3)],
      ["heddle", costing(2, 4, 4)],
    ]);
    expect(barsOf(workPlans.events, rounds)).toEqual([
      { title: "added p50 of heddle", wanted: 0.3, measured: 0.1, unit: " ms" },
    ]);
  });
});

describe("processor time of processes", () => {
  test("keeps that of threads that ended", async () => {
    const before = cpuNanos([process.pid]);
    const source = "while (process.threadCpuUsage().user < 100_000);";
    const worker = new Worker(URL.createObjectURL(new Blob([source])));
    await new Promise((ended) => worker.addEventListener("close", ended));
    expect((cpuNanos([process.pid]) - before) / 1e6).toBeGreaterThan(50);
  });

  test("cannot be read of a process that ended, which is named", async () => {
    const child = Bun.spawn(["true"]);
    await child.exited;
    expect(() => cpuNanos([process.pid, child.pid])).toThrow(`of process ${child.pid}: it ended`);
  });
});

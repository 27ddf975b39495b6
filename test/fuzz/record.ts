/** Long runs, kept beside the figures of the bench: one row for each target, the last run of it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fuzzTitle } from "../bench/report.ts";
import { row, tableHead } from "../bench/tables.ts";
import type { FuzzResult } from "./run.ts";

const file = `${import.meta.dir}/../bench/RESULTS.md`;
const title = `## ${fuzzTitle}`;
const columns = ["seconds", "inputs", "inputs/s", "seed", "new", "grown MB", "found"];

export type Ran = Pick<FuzzResult, "executions" | "seconds" | "grownMb"> & {
  readonly seed: number;
  readonly kept: number;
  readonly failure: string | null;
};

/** The report with the row of this target as it is now. Everything else stays. */
export function withRun(report: string, target: string, ran: Ran): string {
  const [before = "", section = "", ...after] = split(report);
  const rows = new Map(
    section
      .split("\n")
      .filter((line) => /^\| [a-z]/.test(line))
      .map((line) => [line.split("|")[1]?.trim() ?? "", line]),
  );
  const { executions, seconds, seed, kept, grownMb, failure } = ran;
  const rate = Math.round(executions / Math.max(seconds, 0.001));
  const cells = [seconds.toFixed(0), executions, rate, seed, kept, grownMb, failure ?? "nothing"];
  rows.set(target, row([target, ...cells.map(String)]));
  const lines = [
    title,
    "",
    "`npm run fuzz -- --target NAME --seconds N --write`: no crash, no input that costs more time than it may, no growth beyond 300 MB.",
    "",
    ...tableHead(columns),
    ...[...rows.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, line]) => line),
  ];
  return `${before.trimEnd()}\n\n${lines.join("\n")}\n${after.length === 0 ? "" : `\n${after.join("")}`}`;
}

/** What stands before the section, the section, and what follows. */
function split(report: string): string[] {
  const start = report.indexOf(title);
  if (start < 0) return [report];
  const next = report.indexOf("\n## ", start + 1);
  if (next < 0) return [report.slice(0, start), report.slice(start)];
  return [report.slice(0, start), report.slice(start, next), report.slice(next + 1)];
}

export function writeRun(target: string, ran: Ran): void {
  const report = existsSync(file) ? readFileSync(file, "utf8") : "";
  writeFileSync(file, withRun(report, target, ran));
}

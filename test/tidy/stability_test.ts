/** docs/STATIC_STABILITY.md says what works without a control plane: each clause names a test, and that test is there. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./sources.ts";

const text = readFileSync(join(root, "docs/STATIC_STABILITY.md"), "utf8");
const rows = text.split("\n").filter((line) => /^\| (?!clause|---)/.test(line) && !line.startsWith("|---"));

/** Of a row the test that its last column names, or why there is none. */
function heldBy(row: string): string {
  const [, file = "", name = ""] = /`(test\/[a-z0-9_/]+_test\.ts)`: (.+?) \|$/.exec(row) ?? [];
  if (name === "") return "no test is named";
  if (!existsSync(join(root, file))) return `there is no ${file}`;
  const tests = readFileSync(join(root, file), "utf8").match(/\btest\(\s*(["`]).+?\1/gs) ?? [];
  return tests.some((each) => each.includes(name)) ? "held" : `${file} has no test "${name}"`;
}

test("each clause of what works without a control plane is held by a test that exists", () => {
  expect(rows.length).toBeGreaterThan(12);
  expect(rows.map(heldBy).filter((each) => each !== "held")).toEqual([]);
});

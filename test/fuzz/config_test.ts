/** Documents from hostile or clumsy hands: loading never throws, costs bounded time, and every issue has a place. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadDocuments, loadMachine } from "../../src/config/load.ts";
import { limits } from "../../src/model/limits.ts";
import { processorClock } from "../support/processor_time.ts";

const folder = join(import.meta.dir, "../golden/config");
const seeds = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => readFileSync(join(folder, name), "utf8"));

const scraps = ["\n", " ", "  ", "- ", ": ", "---\n", "{", "}", "[", "]", "&a ", "*a", "!!x ", "'", '"', "#"];
const words = ["kind", "__proto__", "null", "~", "<<", "0x1f", "1e999", "é", "\u0000", "|", ">-", "? ", "\t"];

interface Edit {
  readonly at: number;
  readonly cut: number;
  readonly put: string;
}

const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.nat({ max: 12 }),
  put: fc.oneof(fc.constantFrom(...scraps, ...words), fc.string({ maxLength: 6 })),
});

function mutated(text: string, edits: readonly Edit[]): string {
  return edits.reduce((now, { at, cut, put }) => {
    const start = Math.floor(at * now.length);
    return now.slice(0, start) + put + now.slice(start + cut);
  }, text);
}

function expectPlaced(text: string): void {
  const { issues } = loadDocuments([{ file: "f.yaml", text }], { policies: [] });
  expect(issues.length).toBeLessThanOrEqual(limits.documentIssuesMax + 1);
  for (const issue of issues) {
    expect(issue.line).toBeGreaterThan(0);
    expect(issue.column).toBeGreaterThan(0);
    expect(issue.message).not.toBe("");
  }
}

describe("loading", () => {
  test("survives any edit of documents", () => {
    const spentMs = processorClock();
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(edit, { minLength: 1, maxLength: 8 }),
        (seed, edits) => {
          const text = mutated(seed, edits);
          expectPlaced(text);
          loadMachine("m.yaml", text);
        },
      ),
      { numRuns: 400 },
    );
    expect(spentMs()).toBeLessThan(30_000);
  });

  const service = (name: string): string => `{kind: Service, name: ${name}, port: 80, protocol: http}\n---\n`;
  const many = (count: number, text: (at: number) => string): string =>
    Array.from({ length: count }, (_, at) => text(at)).join("");
  const costly: readonly (readonly [string, string])[] = [
    ["open brackets", "[".repeat(500_000)],
    ["nesting by indentation", many(1_400, (at) => `${" ".repeat(at)}a:\n`)],
    ["keys", many(60_000, (at) => `k${at}: 1\n`)],
    ["documents", "---\n".repeat(200_000)],
    ["documents that do not fit", "{kind: Service}\n---\n".repeat(20_000)],
    ["syntax errors", "}\n".repeat(200_000)],
    ["anchors and aliases", many(20_000, (at) => `k${at}: &a${at} 1\nj${at}: *a${at}\n`)],
    [
      "names that lead nowhere",
      many(3_000, (at) => `${service(`s${at}`)}{kind: Access, name: a${at}, service: x${at}}\n---\n`),
    ],
    ["a text too long", "#".repeat(limits.documentBytesMax + 1)],
    ["an open quote", `a: "${"\n".repeat(400_000)}`],
  ];
  for (const [what, text] of costly) {
    test(`takes bounded time for very many: ${what}`, () => {
      const spentMs = processorClock();
      expectPlaced(text);
      expect(spentMs()).toBeLessThan(8_000);
    });
  }
});

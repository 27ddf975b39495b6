import { expect, test } from "bun:test";
import { lineDiff } from "../../../src/app/line_diff.ts";
import { seeded } from "../../support/chance.ts";

const shown = (before: string, after: string): string[] => {
  const marks = { same: " ", gone: "-", new: "+", cut: "…" };
  return lineDiff(before, after, 1).map(({ kind, text }) => (kind === "cut" ? "…" : marks[kind] + text));
};

test("what differs is shown with what stands around it, and nothing where nothing does", () => {
  expect(shown("a\nb\nc\nd\ne", "a\nb\nX\nd\ne")).toEqual(["…", " b", "-c", "+X", " d", "…"]);
  expect(shown("a\nb", "a\nb")).toEqual([]);
  expect(shown("a", "a\nb")).toEqual([" a", "+b"]);
  expect(shown("a\nb", "b")).toEqual(["-a", " b"]);
});

test("of any two texts the one without what came is the first, and without what went the second", () => {
  const random = seeded(7);
  const text = (): string =>
    Array.from(
      { length: 1 + Math.floor(random.unit() * 12) },
      () => "abc"[Math.floor(random.unit() * 3)],
    ).join("\n");
  for (let round = 0; round < 300; round++) {
    const [one, other] = [text(), text()];
    const lines = lineDiff(one, other, 100);
    if (one === other) {
      expect(lines).toEqual([]);
      continue;
    }
    const side = (absent: string): string =>
      lines
        .filter(({ kind }) => kind !== absent)
        .map((each) => each.text)
        .join("\n");
    expect([side("new"), side("gone")]).toEqual([one, other]);
  }
});

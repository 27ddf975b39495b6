/** Notes of policies are doubted, and each policy has its own share of lines and series. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import { notesIn } from "../../../src/policy/notes.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { policyNotes } from "../../../src/telemetry/policy_notes.ts";

describe("notes of an answer", () => {
  test("are read with their fields and labels in order", () => {
    const notes = [
      ["log", "warn", "it is late", { b: 2, a: true }],
      ["count", "seen", 3, { tier: "gold" }],
      ["observe", "tokens", 1.5, {}],
    ];
    expect(notesIn({ do: "next", notes })).toEqual([
      { what: "log", level: "warn", message: "it is late", fields: "a=true b=2" },
      { what: "count", name: "seen", value: 3, labels: "tier=gold" },
      { what: "observe", name: "tokens", value: 1.5, labels: "" },
    ]);
  });

  test("that are none are left out, and what is too long is cut", () => {
    const wrong = [
      1,
      null,
      ["log", "shout", "x", {}],
      ["log", "info", 3, {}],
      ["count", "Bad-Name", 1, {}],
      ["count", "down", -1, {}],
      ["count", "never", "1", {}],
      ["drop", "tables", 1, {}],
    ];
    expect(notesIn({ notes: wrong })).toEqual([]);
    const [line] = notesIn({ notes: [["log", "info", "x".repeat(10_000), { a: "y".repeat(10_000) }]] });
    expect(line).toMatchObject({ message: "x".repeat(limits.policyNoteLengthMax) });
    const many = Array.from({ length: 1_000 }, () => ["count", "a", 1, {}]);
    expect(notesIn({ notes: many })).toHaveLength(limits.policyNotesMax);
  });

  test("can be anything without a throw", () => {
    fc.assert(fc.property(fc.anything(), (notes) => void notesIn({ do: "next", notes })));
    fc.assert(fc.property(fc.anything(), (answer) => void notesIn(answer)));
  });
});

test("a policy that counts under ever new labels, and logs without end, has its share and no more", () => {
  const metrics = new Metrics();
  const lines: string[] = [];
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const heard = policyNotes(metrics, clock, (text) => void lines.push(text));
  for (let at = 0; at < 1_000; at++) {
    heard("loud", `r-${at}`, [
      { what: "log", level: "info", message: "here", fields: "" },
      { what: "count", name: "seen", value: 1, labels: `id=${at}` },
    ]);
  }
  expect(lines).toHaveLength(limits.policyLogLinesPerSecond);
  heard("calm", "r-1", [
    { what: "log", level: "warn", message: "there", fields: "a=1" },
    { what: "count", name: "seen", value: 2, labels: "id=1" },
  ]);
  expect(lines.at(-1)).toBe('policy "calm" warn r-1: there a=1');
  clock.nowMs = 1_000;
  heard("loud", "r-2", [{ what: "log", level: "info", message: "again", fields: "" }]);
  expect(lines.at(-1)).toContain("again");
  const text = metrics.expose();
  const { policySeriesMax, policyLogLinesPerSecond } = limits;
  expect(text.match(/heddle_policy_counted_total\{policy="loud"/g)).toHaveLength(policySeriesMax + 1);
  expect(text).toContain(`{policy="loud",name="other",labels="other"} ${1_000 - policySeriesMax}`);
  expect(text).toContain(`heddle_policy_counted_total{policy="calm",name="seen",labels="id=1"} 2`);
  const dropped = 1_000 - policyLogLinesPerSecond;
  expect(text).toContain(`heddle_policy_lines_dropped_total{policy="loud"} ${dropped}`);
});

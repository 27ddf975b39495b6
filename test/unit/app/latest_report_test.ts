/** What a proxy tells its controller of itself: in order, and again when it did not arrive. */
import { expect, test } from "bun:test";
import { LatestReport } from "../../../src/app/latest_report.ts";

function reporting() {
  const words: string[] = [];
  const pending: { ok: () => void; fail: () => void }[] = [];
  const state = { now: "" };
  const report = new LatestReport(() => {
    words.push(state.now);
    return new Promise<void>((resolve, reject) =>
      pending.push({ ok: resolve, fail: () => reject(new Error("away")) }),
    );
  });
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return { words, pending, state, report, turns };
}

test("the newest word is told last, however long an older one is under way", async () => {
  const { words, pending, state, report, turns } = reporting();
  for (const word of ["nothing yet", "version 1", "version 2"]) {
    state.now = word;
    report.tell();
  }
  await turns();
  expect(words).toEqual(["nothing yet"]);
  pending[0]?.ok();
  await turns();
  expect(words).toEqual(["nothing yet", "version 2"]);
});

test("a word that did not arrive is told again, one that arrived is not", async () => {
  const { words, pending, report, turns } = reporting();
  report.tell();
  pending[0]?.fail();
  await turns();
  report.repeat();
  expect(words).toHaveLength(2);
  pending[1]?.ok();
  await turns();
  report.repeat();
  expect(words).toHaveLength(2);
});

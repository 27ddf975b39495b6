/** What decides whether a run of tests is green: a failure counts unless its file passes alone, and never passes unseen. */
import { expect, test } from "bun:test";
import { countsOf, type Counts } from "../../../compile/report.ts";
import { mostAgain, runTwice } from "../../../compile/twice.ts";

function report(file: string, failing: readonly string[], passing = 1): string {
  const cases = failing.map(
    (name) =>
      `<testcase name="${name}" classname="g" time="0" file="${file}" line="4" assertions="1">
        <failure type="AssertionError" message="Expected: &lt;= 2&#10;Received: 3">AssertionError</failure>
      </testcase>`,
  );
  const fine = Array.from({ length: passing }, () => `<testcase name="fine" classname="g" file="${file}" />`);
  return `<testsuites name="bun test" tests="${failing.length + passing}" failures="${failing.length}" skipped="0">
    ${[...cases, ...fine].join("\n")}</testsuites>`;
}

/** Answers from a list, and what was asked for. */
function runs(...reports: readonly string[]) {
  const asked: (readonly string[])[] = [];
  const run = (files: readonly string[]): Counts => {
    asked.push(files);
    return countsOf(reports[asked.length - 1] ?? "");
  };
  return { asked, run };
}

test("what fails once and passes alone is told apart, with what it saw", () => {
  const { asked, run } = runs(report("a_test.ts", ["one"]), report("a_test.ts", [], 2));
  const { counts, unsteady } = runTwice(["a_test.ts", "b_test.ts"], run);
  expect(asked).toEqual([["a_test.ts", "b_test.ts"], ["a_test.ts"]]);
  expect(counts).toEqual({ passed: 2, failed: 0, skipped: 0, failures: [] });
  expect(unsteady).toEqual(["a_test.ts > g > one: Expected: <= 2 Received: 3"]);
});

test("what fails twice fails", () => {
  const { run } = runs(report("a_test.ts", ["one"]), report("a_test.ts", ["one"]));
  const { counts, unsteady } = runTwice(["a_test.ts"], run);
  expect(counts.failed).toBe(1);
  expect(counts.failures.map(({ file }) => file)).toEqual(["a_test.ts"]);
  expect(unsteady).toEqual([]);
});

test("a second run without a test is no pass", () => {
  const { run } = runs(report("a_test.ts", ["one"]), "");
  expect(runTwice(["a_test.ts"], run).counts.failed).toBe(1);
});

test("a suite that failed without a test that did, and one with many files that did, are not run again", () => {
  const nameless = { passed: 3, failed: 1, skipped: 0, failures: [{ text: "ended with 134" }] };
  expect(runTwice(["a_test.ts"], () => nameless)).toEqual({ counts: nameless, unsteady: [] });
  const names = Array.from({ length: mostAgain + 1 }, (_, index) => `${index}_test.ts`);
  const failures = names.map((file) => ({ file, text: file }));
  const many = { passed: 3, failed: names.length, skipped: 0, failures };
  expect(runTwice(names, () => many)).toEqual({ counts: many, unsteady: [] });
});

test("nothing is run again where nothing failed", () => {
  const { asked, run } = runs(report("a_test.ts", []));
  expect(runTwice(["a_test.ts"], run)).toEqual({
    counts: { passed: 1, failed: 0, skipped: 0, failures: [] },
    unsteady: [],
  });
  expect(asked.length).toBe(1);
});

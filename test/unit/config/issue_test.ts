import { describe, expect, test } from "bun:test";
import { issueText, nearest, suggestion } from "../../../src/config/issue.ts";

describe("the nearest word", () => {
  const known = ["paths", "path", "policies", "protocol", "port"];
  const cases: readonly (readonly [string, string | null])[] = [
    ["pahts", "paths"],
    ["Port", "port"],
    ["polices", "policies"],
    ["protcol", "protocol"],
    ["owner", null],
    ["x", null],
  ];
  for (const [word, expected] of cases) {
    test(`to ${word} is ${expected}`, () => expect(nearest(word, known)).toBe(expected));
  }
});

test("a suggestion completes a word that only one begins with", () => {
  expect(suggestion("proto", ["port", "protocol"])).toBe("; did you mean protocol?");
  expect(suggestion("nothing", ["port"], "; known are port")).toBe("; known are port");
});

test("an issue is told with its place first", () => {
  const issue = { file: "a.yaml", line: 3, column: 7, severity: "error", message: "port: no" } as const;
  expect(issueText(issue)).toBe("a.yaml:3:7: port: no");
});

/** What commands print of what others wrote. */
import { describe, expect, test } from "bun:test";
import { Terminal } from "../../../src/cli/terminal.ts";
import { text } from "../../../src/cli/text.ts";
import { terminalUnderTest } from "../../support/terminal_under_test.ts";

const red = (words: string): string => `\u001b[31m${words}\u001b[39m`;

describe("a terminal with colours", () => {
  test("is coloured by paint alone, not by the words of others", () => {
    const { host, out } = terminalUnderTest({ interactive: true });
    const terminal = new Terminal(host);
    terminal.line(text`${terminal.paint.red("bad \u001b[32m")} and ${"\u001b]0;title\u0007"}`);
    expect(out()).toBe(`${red("bad \\x1b[32m")} and \\x1b]0;title\\x07\n`);
  });

  test("is not coloured where NO_COLOR or a program asks for that", () => {
    for (const [env, format] of [
      [{ NO_COLOR: "1" }, "text"],
      [{ TERM: "dumb" }, "text"],
      [{}, "json"],
    ] as const) {
      const { host, out } = terminalUnderTest({ interactive: true, env });
      const terminal = new Terminal(host, format);
      terminal.line(terminal.paint.red("x"));
      expect(out()).toBe("x\n");
    }
  });

  test("aligns a table by what is seen, and a cell forges neither a row nor a column", () => {
    const { host, out } = terminalUnderTest({ interactive: true });
    const terminal = new Terminal(host);
    terminal.table(
      ["A", "B", "C"],
      [
        [terminal.paint.red("x"), "long\nvm-9  ready", ""],
        ["four", "y", "z"],
      ],
    );
    expect(
      out()
        .replaceAll(/\u001b\[\d+m/g, "")
        .split("\n"),
    ).toEqual(["A     B                  C", "x     long\\nvm-9  ready", "four  y                  z", ""]);
  });
});

test("JSON for programs is exact, and safe on a terminal too", () => {
  const { host, out } = terminalUnderTest({});
  const value = { label: "\u009b2J\u202e\u2028" };
  new Terminal(host, "json").json(value);
  expect(JSON.parse(out())).toEqual(value);
  expect(out()).toContain('"\\u009b2J\\u202e\\u2028"');
});

test("documents keep their lines", () => {
  const { host, out } = terminalUnderTest({});
  new Terminal(host).lines("kind: Service\nname: web # \u001b[2J");
  expect(out()).toBe("kind: Service\nname: web # \\x1b[2J\n");
});

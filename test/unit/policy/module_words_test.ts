/** The words of a module, told apart from comments, texts, templates and patterns. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readModuleWords } from "../../../src/policy/module_words.ts";

const names = (text: string): string[] => readModuleWords(text).names.map((each) => each.text);

describe("the name of a module", () => {
  test("is found after import and from, in either quotes, whatever stands between", () => {
    expect(
      names(`import a from "b"; import'c';export * from /* x */ // y\n "d"; export { e } from"f"`),
    ).toEqual(["b", "c", "d", "f"]);
  });

  test("is none in a comment, a text, a template or a pattern", () => {
    for (const text of [
      `// from "a"`,
      `/* from "a" */`,
      `'from "a"'`,
      '`from "a"`',
      '`${`from "a"`} from "b"`',
      `x = /from "a"/`,
      `return /[/] from "a"/`,
      `x.with("a")`,
      `Array.from("a")`,
    ])
      expect([text, names(text)]).toEqual([text, []]);
  });

  test("is found after a division, a template with braces, and a text that is never closed", () => {
    for (const text of [
      `a / b; import "c"`,
      '`${{ a: `}` }}`; import "c"',
      `'\nimport "c"`,
      `(a) / 2; import "c"`,
    ])
      expect([text, names(text)]).toEqual([text, ["c"]]);
  });

  test("is kept as it is written, with its escapes", () => {
    expect(names(`import "a\\u0062"; import "c\\"d"`)).toEqual(["a\\u0062", 'c\\"d']);
  });

  test("has attributes where with or assert and a brace follow", () => {
    const cases: Readonly<Record<string, boolean>> = {
      'import "a" with {}': true,
      'import "a" /* x */ with // {\n {}': true,
      'import "a" assert {}': true,
      'import "a"; with (b) {}': false,
      'import "a"; assert; {}': false,
      'import "a"': false,
    };
    for (const [text, attributes] of Object.entries(cases))
      expect([text, readModuleWords(text).names.map((each) => each.attributes)]).toEqual([
        text,
        [attributes],
      ]);
  });
});

test("each word is known by where it stands first", () => {
  const { first } = readModuleWords("/* b */ a + b * a; import('c')");
  expect([...first]).toEqual([
    ["a", 8],
    ["b", 12],
    ["import", 19],
    ["import()", 19],
  ]);
});

test("any text is read to its end", () => {
  const piece = fc.constantFrom(
    ..."'\"`/\\{}()$\n*",
    "${",
    "/*",
    "*/",
    "//",
    "from",
    "import",
    "with",
    " ",
    "a",
    "é",
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join("");
      for (const { offset, text: name } of readModuleWords(text).names)
        expect(text.slice(offset + 1, offset + 1 + name.length)).toBe(name);
    }),
  );
});

/** The reader of HCL: what stands for what, what is refused and where, whatever the text. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { looksLikeHcl, parseHcl } from "../../../src/config/convert/hcl_file.ts";
import { limits } from "../../../src/model/limits.ts";
import { processorClock } from "../../support/processor_time.ts";

const valueOf = (text: string): unknown => {
  const { documents, issues } = parseHcl("a.hcl", text);
  expect(issues).toEqual([]);
  return documents[0]?.value;
};
const refusal = (text: string): string => {
  const { documents, issues } = parseHcl("a.hcl", text);
  expect(documents).toEqual([]);
  return issues.map(({ line, column, message }) => `${line}:${column}: ${message}`).join("\n");
};

describe("HCL", () => {
  test("has texts, numbers, lists and mappings, with commas or without", () => {
    expect(
      valueOf(
        'a = "x"\nb = -1.5e2, c = 0x1F d = 0755\ne = [1, "two", { f = true },]\n"g.h" = {i: false, j-k = []}\n',
      ),
    ).toEqual({
      ...{ a: "x", b: -150, c: 31, d: 493, e: [1, "two", { f: true }], "g.h": { i: false, "j-k": [] } },
    });
  });

  test("has comments of three kinds, also where nothing else is", () => {
    expect(valueOf("# a\n// b\n/* c\n** d */ a = 1 # e\n/**/ b /* f */ = 2 // g")).toEqual({ a: 1, b: 2 });
    expect(parseHcl("a.hcl", "# nothing\n")).toEqual({ documents: [], issues: [] });
  });

  test("has blocks: one is a mapping, several are a list, and labels are names in a mapping", () => {
    const text =
      'Config { a = 1 }\nSources { b = 1 }\nSources { b = 2 }\nFailover "v1" { c = 1 }\nFailover v2 { c = 2 }\n';
    expect(valueOf(`${text}Deep "x" "y" { z = 1 }\nDeep "x" "w" {}\n`)).toEqual({
      Config: { a: 1 },
      Sources: [{ b: 1 }, { b: 2 }],
      Failover: { v1: { c: 1 }, v2: { c: 2 } },
      Deep: { x: { y: { z: 1 }, w: {} } },
    });
  });

  test("has escapes, and leaves what stands in ${} as it is", () => {
    expect(valueOf(String.raw`a = "\"\\\n\t\u00e9\U0001F600\x41\101"`)).toEqual({ a: '"\\\n\té😀AA' });
    expect(valueOf('a = "${ service("x", {}) }" b = "$5 {"')).toEqual({
      a: '${ service("x", {}) }',
      b: "$5 {",
    });
  });

  test("has texts of several lines, with their indentation or without", () => {
    expect(valueOf("a = <<EOF\n  one\n two\nEOF\nb = 1")).toEqual({ a: "  one\n two\n", b: 1 });
    expect(valueOf("a = <<-EOF\n    one\n\n      two\n    EOF\nb = <<X\nX")).toEqual({
      a: "one\n\n  two\n",
      b: "",
    });
  });

  test("that is none is refused where it is wrong, with what was expected", () => {
    const begin = "This is no valid HCL: ";
    const cases: Readonly<Record<string, string>> = {
      "a = 1\na = 2": `2:1: ${begin}a: this key stands here twice`,
      "a { }\na = 2": `2:1: ${begin}a: this key stands here twice`,
      'a "x" { }\na "x" { }': `2:3: ${begin}x: this key stands here twice`,
      "a = {\n  b = [1 2]\n}": `2:10: ${begin}expected , or ] in this list, not 2`,
      "a = [1,": `1:8: ${begin}expected a text in double quotes, a number, true, false, a list or a mapping, and the file ends here`,
      "a = {\n": `2:1: ${begin}expected the name of a field, and the file ends here`,
      "a = max(1)": `1:5: ${begin}expected a text in double quotes, a number, true, false, a list or a mapping, not max`,
      "a 1": `1:3: ${begin}expected = or { after a, not 1`,
      "a = 1 }": `1:7: ${begin}expected the name of a field, not }`,
      'a = "x\n"': `1:5: ${begin}this text has no end: expected " on the same line`,
      'a = "\\q"': String.raw`1:6: ${begin}\q is no escape: expected \n, \t, \", \\ or \u and four digits`,
      "a = <<EOF\nb": `1:5: ${begin}this text has no end: expected a line with EOF alone`,
      "/* a": `1:1: ${begin}this comment has no end: expected */`,
      "a = 1.2.3": `1:5: ${begin}"1" begins nothing: expected a name, a text in double quotes, a number or one of { } [ ] , =`,
      "a = 1e999": `1:5: ${begin}1e999 is no number that can be held`,
      "__proto__ = {}": `1:1: ${begin}__proto__: this field is not known`,
    };
    for (const [text, expected] of Object.entries(cases)) expect(refusal(text)).toBe(expected);
  });

  test("is told from YAML and JSON where no name of a file says it", () => {
    expect(['Kind = "x"', "# a\nconfig_entries { }"].map(looksLikeHcl)).toEqual([true, true]);
    expect(['{"Kind": "x"}', "Kind: x", "kind: x # = {", "- a", "", '"'].map(looksLikeHcl)).toEqual(
      Array.from({ length: 6 }, () => false),
    );
  });

  test("that nests too deeply, or is too long, is refused and costs little", () => {
    const spentMs = processorClock();
    expect(refusal(`a = ${"[".repeat(100_000)}`)).toContain(
      `nested more than ${limits.documentDepthMax} deep`,
    );
    expect(refusal("a { ".repeat(100_000))).toContain(`nested more than ${limits.documentDepthMax} deep`);
    expect(refusal(`a ${'"b" '.repeat(100_000)} {}`)).toContain(
      `nested more than ${limits.documentDepthMax} deep`,
    );
    expect(refusal("#".repeat(limits.documentBytesMax + 1))).toContain("characters, more than");
    for (const part of [" ", "\n#", "/**/", "a=1\n", "/*", "*", "1", "<<A\n", "\\"])
      parseHcl("a.hcl", part.repeat(100_000));
    expect(spentMs()).toBeLessThan(3_000);
  });

  test("comes back as it was written, whatever its values are", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,6}$/);
    const { tree } = fc.letrec<{ tree: object; node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        // There is one zero in texts.
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
        fc.boolean(),
        fc.array(tie("node"), { maxLength: 4 }),
        tie("tree"),
      ),
      tree: fc.dictionary(name, tie("node"), { maxKeys: 4, noNullPrototype: true }),
    }));
    const textOf = (value: unknown): string => {
      if (typeof value === "string") return JSON.stringify(value);
      if (Array.isArray(value)) return `[${value.map(textOf).join(", ")}]`;
      return typeof value === "object" ? `{${fieldsOf(value)}}` : String(value);
    };
    const fieldsOf = (value: object | null): string =>
      Object.entries(value ?? {})
        .map(([key, each]) => `${key} = ${textOf(each)}\n`)
        .join("");
    fc.assert(
      fc.property(tree, (value) => {
        const text = fieldsOf(value);
        // What opens ${ is another text there.
        fc.pre(!text.includes("${"));
        const { documents, issues } = parseHcl("a.hcl", text);
        expect(issues).toEqual([]);
        expect(documents[0]?.value ?? {}).toEqual(value);
      }),
    );
  });
});

/** Bundling: what ships bundles, always to the same text; what tries to get out is refused at its place. */
import { describe, expect, test } from "bun:test";
import { runInNewContext } from "node:vm";
import { bundlePolicies, type BundleAnswer, type PolicyScript } from "../../../src/policy/bundle.ts";
import type { PolicySource } from "../../../src/policy/policy_source.ts";
import { shippedPolicies } from "../../../src/policy/shipped.ts";
import { hostileLoads } from "../../support/hostile_policies/loads.ts";
import { hostileSources } from "../../support/hostile_policies/sources.ts";
import { sampleOf } from "../../support/quick.ts";
import { runtime } from "../../support/runtime_under_test.ts";

const sound = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "sound", version: "1.0.0", options: v.object({}), onError: "closed", limits: { cpu: "5ms" },
  onRequest: () => next(),
});
`;

function bundle(text: string, others: readonly PolicySource[] = []): Promise<BundleAnswer> {
  return bundlePolicies([{ file: "policies/p.ts", text }, ...others], runtime.bundler);
}

/** The one script of a push that is in order. */
function scriptOf({ scripts, issues }: BundleAnswer): PolicyScript {
  expect(issues).toEqual([]);
  const [script, ...others] = scripts;
  expect(others).toEqual([]);
  if (script === undefined) throw new Error("There is no script");
  return script;
}

describe("a bundle", () => {
  test("of each policy that ships is made, and has its meta", async () => {
    const { scripts, issues } = await bundlePolicies([...shippedPolicies.values()], runtime.bundler);
    expect(issues).toEqual([]);
    expect(scripts.map((each) => each.file)).toEqual([...shippedPolicies.values()].map((each) => each.file));
    expect(scripts.map(({ meta }) => meta.name)).toEqual([...shippedPolicies.keys()]);
  });

  test("is the same text every time", async () => {
    const [first, second] = [scriptOf(await bundle(sound)), scriptOf(await bundle(sound))];
    expect(second).toEqual(first);
    expect(first.meta).toEqual({
      name: "sound",
      version: "1.0.0",
      api: 1,
      onError: "closed",
      waitMs: 50,
      cpuMs: 5,
      hooks: ["onRequest"],
    });
  });

  test("takes the policy's own files along", async () => {
    const text = sound
      .replace("next()", "answer")
      .replace("import *", 'import { answer } from "./part.ts";\nimport *');
    const part = 'import { next } from "heddle/policy";\nexport const answer = next({ path: "/part" });\n';
    const made = await bundle(text, [{ file: "policies/part.ts", text: part }]);
    expect(scriptOf(made).text).toContain('"/part"');
  });

  for (const [name, letters] of Object.entries({
    "letters of three bytes": "\u5b57".repeat(360_000),
    "letters that are stored escaped": '"'.repeat(530_000),
  })) {
    test(`is refused when it is too long to be stored, as one of ${name}`, async () => {
      const text = `const long = '${letters}';\n${sound.replace("next()", "next({ path: long })")}`;
      const { scripts, issues } = await bundle(text);
      expect(scripts).toEqual([]);
      expect(issues[0]?.message).toMatch(/is stored as \d+ bytes, more than/);
    });
  }

  test("has no import, no export and no trace of this machine", async () => {
    const { text } = scriptOf(await bundle(sound));
    expect(text).not.toMatch(/^\s*(import|export)\b/m);
    expect(text).not.toContain(process.cwd());
    expect(text.startsWith('"use strict";')).toBe(true);
  });

  test("of several policies is several scripts, each with its own meta", async () => {
    const other = sound.replace('"sound"', '"other"').replace("5ms", "7ms");
    const { scripts } = await bundle(sound, [{ file: "policies/other.ts", text: other }]);
    expect(scripts.map(({ file, meta }) => [file, meta.name, meta.cpuMs])).toEqual([
      ["policies/p.ts", "sound", 5],
      ["policies/other.ts", "other", 7],
    ]);
  });

  test("may hold the words that imports are made of, many links, and all of the language", async () => {
    const links = Array.from({ length: 400 }, (_, at) => ` * https://example.com/${at}/with/{path}?from="x"`);
    const text = `/**\n${links.join("\n")}\n */
// import x from "nowhere" with { type: "macro" }
enum Mode { A, B = 2 }
class Part<T> { constructor(private readonly mode: T) {} get() { return \`from "x" \${String(this.mode)}\`; } }
const said = { with: 1, assert: { type: "x" }, from: 'import("x")', pattern: /["'\`]import "y"/ };
export { said as with };
export const used = new Part<Mode>(Mode.B).get() + said.from + said.pattern.source;
${sound.replace("next()", "next({ path: used })")}`;
    expect(scriptOf(await bundle(text)).meta.name).toBe("sound");
  });
});

describe("a policy that tries to get out is refused:", () => {
  for (const [name, { text, says, line }] of Object.entries({ ...hostileSources, ...hostileLoads })) {
    test(name, async () => {
      // What a module exports but nobody uses would be left out: the definition uses it.
      const uses = /export (?:const|class) (\w+)/.exec(text)?.[1] ?? "x";
      const whole = `${text}\n${sound.replace("next()", `next({ path: String(${uses}) })`)}`;
      const { scripts, issues } = await bundle(whole);
      expect(scripts).toEqual([]);
      expect(issues.map((issue) => issue.message).join("\n")).toMatch(says);
      expect(issues[0]).toMatchObject({ file: "policies/p.ts", line });
    });
  }
});

test("a file that tries to get out is refused at its line also where no policy uses it", async () => {
  const hostile = Object.entries({ ...hostileSources, ...hostileLoads });
  for (const [name, { text, says, line }] of sampleOf(hostile, 20)) {
    const { scripts, issues } = await bundle(sound, [{ file: "policies/part.ts", text: `${text}\n` }]);
    expect([name, scripts, issues[0]?.file, issues[0]?.line]).toEqual([name, [], "policies/part.ts", line]);
    expect([name, issues.map((issue) => issue.message).join("\n")]).toEqual([
      name,
      expect.stringMatching(says),
    ]);
  }
});

describe("a definition", () => {
  const wrong: Readonly<Record<string, readonly [from: string, to: string, says: RegExp]>> = {
    "for another interface": ["api: 1", "api: 2", /api is 2/],
    "without a name": ['name: "sound", ', "", /name is missing/],
    "with a name that documents cannot say": ['"sound"', '"So und"', /name is "So und"/],
    "with another failure mode": ['"closed"', '"maybe"', /onError is "maybe"/],
    "with a cpu limit that is no duration": ['"5ms"', '"5 parsecs"', /limits\.cpu/],
    "with a cpu limit beyond all bounds": ['"5ms"', '"1h"', /limits\.cpu/],
    "with a body that is too long for any": [
      "limits: {",
      "limits: { body: 1048576,",
      /limits\.body is 1048576.*1 to 131072/,
    ],
    "that asks for a body that nobody knows": [
      "limits: {",
      "uses: { xml: true }, limits: {",
      /uses\.xml.*requestJson/,
    ],
    "that asks for a body by a word": [
      "limits: {",
      'uses: { requestJson: "yes" }, limits: {',
      /uses\.requestJson is "yes"/,
    ],
    "that asks for a body which no hook reads": [
      "limits: {",
      "uses: { responseJson: true }, limits: {",
      /uses\.responseJson.*onResponse/,
    ],
  };
  for (const [name, [from, to, says]] of Object.entries(wrong)) {
    test(`${name} is refused`, async () => {
      const { scripts, issues } = await bundle(sound.replace(from, to));
      expect(scripts).toEqual([]);
      expect(issues.map((issue) => issue.message).join()).toMatch(says);
    });
  }

  test("that is computed is refused", async () => {
    const text = sound
      .replace("definePolicy({", "definePolicy(Object.freeze({")
      .replace(/\}\);\n$/, "}));\n");
    const { scripts, issues } = await bundle(text);
    expect(scripts).toEqual([]);
    expect(issues.map((issue) => issue.message).join()).toContain("written in place");
  });

  test("with an error of syntax is refused at its place", async () => {
    const { issues } = await bundle("export default {\n  a: = 1 };");
    expect(issues[0]).toMatchObject({ file: "policies/p.ts", line: 2, column: 6 });
  });

  test("is read from its text: what could say otherwise when it runs is refused at its place", async () => {
    const cases: Readonly<Record<string, readonly [from: string, to: string, says: RegExp, column: number]>> =
      {
        "a key twice": ['name: "sound"', 'name: "sound", name: "other"', /name is given twice/, 26],
        "a spread": ["api: 1,", "api: 1, ...{},", /one by one/, 8],
        "a computed key": ["api: 1,", "api: 1, [`x${1}`]: 2,", /one by one/, 8],
        "a getter": ['name: "sound"', "get name() { return String(1); }", /name is no literal/, 15],
        "a variable": ['version: "1.0.0"', "version: String(1)", /version is no literal/, 26],
        "limits from elsewhere": ['limits: { cpu: "5ms" }', "limits: Object()", /limits must be written/, 86],
      };
    for (const [name, [from, to, says, column]] of Object.entries(cases)) {
      const { issues } = await bundle(sound.replace(from, to));
      expect([name, issues[0]?.message]).toEqual([name, expect.stringMatching(says)]);
      expect([name, issues[0]?.line, issues[0]?.column]).toEqual([name, 4, column]);
    }
  });

  test("may be given a name before it is exported, and the kit one of the author's", async () => {
    const text = sound
      .replace("import { definePolicy, next }", "import * as kit")
      .replace("export default definePolicy", "const policy = kit.definePolicy")
      .replace("next()", "kit.next()");
    expect(scriptOf(await bundle(`${text}export { policy as default };\n`)).meta.name).toBe("sound");
  });

  test("of a name that another file of the push has is refused", async () => {
    const { issues } = await bundle(sound, [{ file: "policies/other.ts", text: sound }]);
    expect(issues.map(({ file, message }) => [file, message])).toEqual([
      ["policies/other.ts", 'The policy "sound" is defined in policies/p.ts too'],
    ]);
  });

  test("that says other things when it runs does not load", async () => {
    const text = sound.replace("export default definePolicy", "let policy = definePolicy");
    const other = `policy = definePolicy({ ...policy, name: "other" });\nexport default policy;\n`;
    const script = scriptOf(await bundle(text + other));
    expect(() => runInNewContext(script.text)).toThrow(
      '["other","1.0.0","closed",["onRequest"],[false,false]]',
    );
    expect(() =>
      runInNewContext(scriptOf({ scripts: [script], issues: [] }).text.replace('"other"', '"sound"')),
    ).not.toThrow();
  });
});

describe("a push", () => {
  const none = (sources: readonly PolicySource[]) => bundlePolicies(sources, runtime.bundler);

  test("that is too long, or of too many files, is refused", async () => {
    const long = await none([{ file: "p.ts", text: `${sound}// ${"x".repeat(2 << 20)}` }]);
    expect(long.issues[0]?.message).toContain("characters");
    const many = await none(Array.from({ length: 65 }, (_, at) => ({ file: `p${at}.ts`, text: "" })));
    expect(many.issues[0]?.message).toContain("65 files");
  });

  test("of files whose names lead elsewhere, or are no names, is refused", async () => {
    const names = [
      "../p.ts",
      "/p.ts",
      "a/../p.ts",
      "a//p.ts",
      "a/./p.ts",
      "p.js",
      "p.json",
      "a\\p.ts",
      "p\0.ts",
      "p q.ts",
      ".ts",
      "",
    ];
    for (const file of names)
      expect([file, (await none([{ file, text: sound }])).issues[0]?.message]).toEqual([
        file,
        expect.stringContaining("plain relative name"),
      ]);
    const same = { file: "policies/p.ts", text: sound };
    expect((await none([same, same])).issues[0]?.message).toContain("two files of this name");
  });

  test("of more imports in one file than anybody needs is refused", async () => {
    const { issues } = await bundle(`${'import "./p.ts";\n'.repeat(257)}${sound}`);
    expect(issues[0]).toMatchObject({ line: 1, message: "There are 259 imports, more than 256" });
  });

  test("tells so many issues, each so long, and no more", async () => {
    const text = Array.from({ length: 60_000 }, (_, at) => `unknown${at}`).join(";");
    const { issues } = await bundle(`${text};\nimport "${"x".repeat(10_000)}";`);
    expect(issues.length).toBe(1);
    expect(issues[0]?.message.length).toBe(300);
    const many = await bundle(text);
    expect(many.issues.length).toBe(50);
    expect(many.issues[49]).toMatchObject({ line: 1, column: text.indexOf("unknown49") + 1 });
  });
});

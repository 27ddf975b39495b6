/** What CONTRIBUTING.md says under "Adding one of each": how few files one more of a thing touches. */
import { describe, expect, test } from "bun:test";
import { kindNames, kinds } from "../../src/config/kinds.ts";
import { appliedKinds } from "../../src/model/document.ts";
import { decisions, hooks, type Hook } from "../../src/policy/hooks.ts";
import { readSources } from "./sources.ts";

/** What the pages of the dashboard show are words for people. */
const sources = readSources("src").filter(({ path }) => !path.startsWith("src/dashboard/"));

function filesWith(pattern: RegExp): string[] {
  return sources.filter((file) => pattern.test(file.text)).map((file) => file.path);
}

describe("a kind of document", () => {
  test("is one file of config/kinds, and each such file is in the table", () => {
    const defining = sources.filter(({ code }) => /\bdefineKind\(/.test(code)).map(({ path }) => path);
    const files = sources.map(({ path }) => path).filter((path) => path.startsWith("src/config/kinds/"));
    expect(defining.toSorted()).toEqual(files);
    expect(files.length).toBe(kindNames.length);
    expect(Object.entries(kinds).filter(([name, kind]) => kind.name !== name)).toEqual([]);
  });

  test("is imported by its file's name in the table alone, but for what its defaults are", () => {
    const users = sources.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => target.startsWith("src/config/kinds/"))
        .filter(() => path !== "src/config/kinds.ts")
        .map(({ target }) => `${path} -> ${target}`),
    );
    expect(users).toEqual([
      // It is called as a service is.
      "src/config/kinds/external.ts -> src/config/kinds/service.ts",
      "src/controller/compile/compile_input.ts -> src/config/kinds/service.ts",
    ]);
  });

  test("is applied to the mesh, or is the one that stays on its machine", () => {
    expect([...appliedKinds, "Machine"].toSorted()).toEqual(kindNames.toSorted());
  });

  for (const name of kindNames)
    test(`is named by few: ${name}`, () => {
      expect(filesWith(new RegExp(`"${name}"`)).length).toBeLessThanOrEqual(5);
    });
});

describe("a field of a service", () => {
  // Words that stand for nothing else.
  for (const field of ["escapedSlashes", "upgrades"])
    test(`is read by few and copied by nobody: ${field}`, () => {
      expect(filesWith(new RegExp(`\\b${field}\\b`)).length).toBeLessThanOrEqual(8);
      const copied = new RegExp(`\\b${field}: \\w+\\.${field}\\b(?! \\?\\?)`);
      expect(filesWith(copied).filter((path) => path !== "src/config/kinds/service.ts")).toEqual([]);
    });
});

describe("a hook of policies", () => {
  for (const hook of hooks)
    test(`is named by few: ${hook}`, () => {
      // As a name in quotes, as what authors write, as how the realm asks it: some are common words.
      const files = filesWith(new RegExp(`"${hook}"|\\b${hook}\\?\\(|\\b${hook}: \\(call`));
      expect(files.length).toBeLessThanOrEqual(8);
      expect(files).toContain("src/policy/hooks.ts");
      expect(files).toContain("src/policy/sdk.ts");
      expect(files).toContain("src/policy/realm.ts");
    });

  test("has a number, and keeps it: bundles outlive the version that made them", () => {
    expect(hooks.toSorted()).toEqual(Object.keys(decisions).toSorted() as Hook[]);
    expect(hooks[0]).toBe("onRequest");
  });
});

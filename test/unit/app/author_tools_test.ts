/** An author's folder, from its first line: written, checked and tested with nothing but this program. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { authorFolder, checkPolicies, testPolicies } from "../../../src/app/author_tools.ts";
import { newPolicyFolder } from "../../../src/app/policy_folder.ts";
import { testMs } from "../../support/patience.ts";
import { runtime } from "../../support/runtime_under_test.ts";

describe("a folder of a new policy", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-author-`);
  const path = `${folder}/night/policies/night_shift.ts`;
  const change = (from: string, to: string): void => {
    const text = readFileSync(path, "utf8");
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
  };
  beforeAll(async () => {
    await newPolicyFolder(runtime.files, "night-shift", `${folder}/night`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test(
    "checks without an issue, and its tests pass",
    async () => {
      const checked = await checkPolicies(runtime, `${folder}/night`);
      expect(checked).toEqual({ issues: [], policies: ["night-shift 0.1.0"] });
      let said = "";
      expect(await testPolicies(runtime, `${folder}/night`, { said: (text) => (said += text) })).toBe(0);
      expect(said).toContain(" 2 pass");
      expect(said).toContain(`${folder}/night/policies/night_shift_test.ts`);
    },
    testMs,
  );

  test(
    "tells a wrong type and what a mesh refuses at their places, and that a test fails",
    async () => {
      change("onError", "onErorr");
      writeFileSync(`${folder}/night/policies/other.ts`, "export const file = fetch;\n");
      const { issues, policies } = await checkPolicies(runtime, path);
      const places = issues.map((each) => `${each.file}:${each.line}:${each.column}`);
      expect(places).toContain(`${path}:14:3`);
      expect(places).toContain(`${folder}/night/policies/other.ts:1:21`);
      expect(policies).toEqual([]);
      change("onErorr", "onError");
      rmSync(`${folder}/night/policies/other.ts`);
      change('!== "stop"', '!== "go"');
      expect(await testPolicies(runtime, path, { said: () => {} })).toBe(1);
    },
    testMs,
  );

  test("is not written over, and has no name that another policy has or that no policy can have", async () => {
    const made = newPolicyFolder(runtime.files, "night-shift", `${folder}/night`);
    expect(made).rejects.toThrow("it is there already");
    expect(newPolicyFolder(runtime.files, "canary", `${folder}/x`)).rejects.toThrow("ships with heddle");
    expect(newPolicyFolder(runtime.files, "Night", `${folder}/x`)).rejects.toThrow("lower-case words");
    expect(existsSync(`${folder}/x`)).toBe(false);
  });

  test("is meant by the folder, by its policies/ and by a file in there", () => {
    expect(["mesh", "mesh/policies", "mesh/policies/a.ts"].map(authorFolder)).toEqual([
      "mesh",
      "mesh",
      "mesh",
    ]);
    expect(["policies/a.ts", "/policies/a.ts", "."].map(authorFolder)).toEqual([".", "/", "."]);
  });
});

/** Bundling: what ships bundles, always to the same text; what tries to get out is refused at its place. */
import { describe, expect, test } from "bun:test";
import type { BundleOptions, BundleResult } from "../../../runtime/contract.ts";
import { bundlePolicy, type PolicySource } from "../../../src/policy/bundle.ts";
import { shippedPolicies } from "../../../src/policy/shipped.ts";
import { hostileSources } from "../../support/hostile_policies/sources.ts";
import { runtime } from "../../support/runtime_under_test.ts";

const compile = (options: BundleOptions): Promise<BundleResult> => runtime.bundler.bundle(options);

const sound = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "sound", version: "1.0.0", options: v.object({}), onError: "closed", limits: { cpu: "5ms" },
  onRequest: () => next(),
});
`;

function bundle(text: string, others: readonly PolicySource[] = []) {
  return bundlePolicy("policies/p.ts", [{ file: "policies/p.ts", text }, ...others], compile);
}

describe("a bundle", () => {
  test("of each policy that ships is made, and has its meta", async () => {
    for (const { file } of shippedPolicies) {
      const { bundle: made, issues } = await bundlePolicy(file, shippedPolicies, compile);
      expect(issues).toEqual([]);
      expect(made?.meta.name).toBe(file.replace(/^policies\/|\.ts$/g, "").replaceAll("_", "-"));
    }
  });

  test("is the same text, and so the same hash, every time", async () => {
    const [first, second] = [await bundle(sound), await bundle(sound)];
    expect(first.bundle?.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(second.bundle).toEqual(first.bundle as NonNullable<typeof first.bundle>);
    expect(first.bundle?.meta).toEqual({ name: "sound", version: "1.0.0", onError: "closed", cpuMs: 5 });
  });

  test("takes the policy's own files along", async () => {
    const text = sound
      .replace("next()", "answer")
      .replace("import *", 'import { answer } from "./part.ts";\nimport *');
    const part = 'import { next } from "heddle/policy";\nexport const answer = next({ path: "/part" });\n';
    const made = await bundle(text, [{ file: "policies/part.ts", text: part }]);
    expect(made.issues).toEqual([]);
    expect(made.bundle?.text).toContain('"/part"');
  });

  test("has no import, no export and no trace of this machine", async () => {
    const text = (await bundle(sound)).bundle?.text ?? "";
    expect(text).not.toMatch(/^\s*(import|export)\b/m);
    expect(text).not.toContain(process.cwd());
    expect(text.startsWith('"use strict";')).toBe(true);
  });
});

describe("a policy that tries to get out is refused:", () => {
  for (const [name, { text, says, line }] of Object.entries(hostileSources)) {
    test(name, async () => {
      // What a module exports but nobody uses would be left out: the definition uses it.
      const uses = /export (?:const|class) (\w+)/.exec(text)?.[1] ?? "x";
      const whole = `${text}\n${sound.replace("next()", `next({ path: String(${uses}) })`)}`;
      const { bundle: made, issues } = await bundle(whole);
      expect(made).toBeNull();
      expect(issues.map((issue) => issue.message).join("\n")).toMatch(says);
      expect(issues[0]).toMatchObject({ file: "policies/p.ts", line });
    });
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
  };
  for (const [name, [from, to, says]] of Object.entries(wrong)) {
    test(`${name} is refused`, async () => {
      const { bundle: made, issues } = await bundle(sound.replace(from, to));
      expect(made).toBeNull();
      expect(issues.map((issue) => issue.message).join()).toMatch(says);
    });
  }

  test("that is computed is refused", async () => {
    const text = sound
      .replace("definePolicy({", "definePolicy(Object.freeze({")
      .replace(/\}\);\n$/, "}));\n");
    const { bundle: made, issues } = await bundle(text);
    expect(made).toBeNull();
    expect(issues.map((issue) => issue.message).join()).toContain("written in place");
  });

  test("with an error of syntax is refused at its place", async () => {
    const { issues } = await bundle("export default {\n  a: = 1 };");
    expect(issues[0]).toMatchObject({ file: "policies/p.ts", line: 2, column: 6 });
  });

  test("that is too long is refused before it is compiled", async () => {
    const never = () => Promise.reject(new Error("compiled"));
    const text = `${sound}// ${"x".repeat(2 << 20)}`;
    const { issues } = await bundlePolicy("p.ts", [{ file: "p.ts", text }], never);
    expect(issues[0]?.message).toContain("characters");
  });
});

/**
 * Pushes of modules that try to get out, to the sealed compiler of dist/heddle: each is refused, at its file, and for what it
 * tries. Beside them a module that is in order.
 */
import { describe, expect, test } from "bun:test";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { compileSealed } from "../../src/policy/sealed_compiler.ts";
import { hostileLoads } from "../support/hostile_policies/loads.ts";
import { realmAttempts } from "../support/hostile_policies/realm_attempts.ts";
import { runawayScripts } from "../support/hostile_policies/runaways.ts";
import { hostileSources } from "../support/hostile_policies/sources.ts";
import { runtime } from "../support/runtime_under_test.ts";

const hostile = Object.entries({ ...hostileSources, ...hostileLoads });
/** An answer has so many issues at most, and a module may make more than one. */
const perPush = 8;

const sound = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "sound", version: "1.0.0", options: v.object({}), onError: "closed",
  onRequest: () => next(),
});
`;

/** What a module exports but nobody uses would be left out: the definition uses it. */
function whole(text: string): string {
  const uses = /export (?:const|class) (\w+)/.exec(text)?.[1] ?? "x";
  return `${text}\n${sound.replace("next()", `next({ path: String(${uses}) })`)}`;
}

describe.skipIf(binaryMissing)("the compiler in the binary refuses", () => {
  for (let first = 0; first < hostile.length; first += perPush) {
    const part = hostile.slice(first, first + perPush);
    test(`${part[0]?.[0]} and ${part.length - 1} like it, each for what it tries`, async () => {
      const unsealed: string[] = [];
      const options = { process: { ...runtime.process, self: [binaryPath] }, clock: runtime.clock };
      const sources = part.map(([, { text }], at) => ({ file: `policies/p${at}.ts`, text: whole(text) }));
      const friendly = { file: "policies/sound.ts", text: sound };
      const answer = await compileSealed({ ...options, unsealed: (why) => void unsealed.push(why) }, [
        friendly,
        ...sources,
      ]);
      expect([unsealed, answer.failed, answer.scripts]).toEqual([[], false, []]);
      expect(answer.issues.filter(({ file }) => file === friendly.file)).toEqual([]);
      for (const [at, [name, { says, line }]] of part.entries()) {
        const found = answer.issues.filter(({ file }) => file === `policies/p${at}.ts`);
        const said = found.map(({ message }) => message).join("\n");
        expect([name, found[0]?.line, said]).toEqual([name, line, expect.stringMatching(says)]);
      }
    }, 60_000);
  }

  test("more than a hundred of them, with those that are run past it", () => {
    expect(hostile.length).toBeGreaterThan(100);
    expect(hostile.length + runawayScripts.length + Object.keys(realmAttempts).length).toBeGreaterThan(250);
  });
});

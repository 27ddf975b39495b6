/** What leaves a file is wanted outside of it: nothing is exported that only its own file, or only a test, uses. */
import { describe, expect, test } from "bun:test";
import { type Export, readSources, type SourceFile } from "./sources.ts";
import { waitingFiles } from "./waiting.ts";

const files = readSources("src", "runtime", "policies", "compile", "test");
const isTest = (path: string): boolean => path.startsWith("test/") || path.endsWith("_test.ts");

/** Used by those whom this repository does not hold: authors of policies, and the modules that a bundle is made of. */
const publicFiles: ReadonlySet<string> = new Set(["src/policy/sdk.ts", "src/policy/realm.ts"]);
/** Files for tests alone that stand among the sources, and the entry of a host that no entry file chooses yet. */
const references: ReadonlySet<string> = new Set([
  "src/registry/memory_store.ts",
  "compile/repository.ts",
  "runtime/deno/runtime.ts",
  // An import map leads to these.
  "test/support/deno/test_shim.ts",
  "test/support/deno/runtime_under_test.ts",
]);
/** Exports that wait for the part that will use them, each with the reason. */
const waiting: ReadonlyMap<string, string> = new Map([
  ["src/identity/trust_bundle.ts readBundle", "reads what a foreign trust domain publishes: federation"],
]);

/** `path name` of all that those files import. */
function importedBy(users: readonly SourceFile[]): Set<string> {
  const used = new Set<string>();
  for (const { code, imports } of users) {
    for (const { own, target, names } of imports.filter((one) => one.own)) {
      // A module that is taken whole: what it is asked for stands somewhere in the text.
      const taken = names ?? new Set(code.match(/\w+/g));
      if (own) for (const name of taken) used.add(`${target} ${name}`);
    }
  }
  return used;
}

const users = importedBy(files.filter((file) => !isTest(file.path)));
const testing = importedBy(files.filter((file) => isTest(file.path)));

/** A type that its own file names again belongs to the signature of something exported; so does a class that stands as a type. */
function isInSignature({ code }: SourceFile, { name, kind }: Export): boolean {
  if (kind === "class") return new RegExp(`[:<|]\\s*${name}\\b`).test(code);
  return kind === "type" && [...code.matchAll(new RegExp(`\\b${name}\\b`, "g"))].length > 1;
}

const exported = files
  .filter(({ path }) => !publicFiles.has(path) && !references.has(path))
  .flatMap((file) => file.exports.map((one) => ({ ...one, file, key: `${file.path} ${one.name}` })));

describe("an export", () => {
  test("is imported by another file, one that is no test unless it says @visibleForTesting", () => {
    const dead = exported.filter((one) => {
      const { file, key } = one;
      const unwired = waitingFiles.has(file.path);
      const forTheirs = one.forTests || isTest(file.path) || one.kind === "type" || unwired;
      if (users.has(key) || (forTheirs && testing.has(key)) || waiting.has(key)) return false;
      return !isInSignature(file, one);
    });
    expect(dead.map(({ key }) => key)).toEqual([]);
  });

  test("says @visibleForTesting only where tests alone import it", () => {
    const wrong = exported.filter(({ key, forTests }) => forTests && (users.has(key) || !testing.has(key)));
    expect(wrong.map(({ key }) => key)).toEqual([]);
  });

  test("waits no longer once it is used", () => {
    const names = new Set(exported.map(({ key }) => key));
    expect([...waiting.keys()].filter((key) => users.has(key) || !names.has(key))).toEqual([]);
  });
});

/** What can be reached from where: nothing is dead, the policy worker is small, the signing key is far from the traffic. */
import { describe, expect, test } from "bun:test";
import { closureOf, readSources } from "./sources.ts";
import { waitingFiles } from "./waiting.ts";

const files = readSources("src", "runtime", "policies");
const paths = files.map((file) => file.path);
const has = (path: string): boolean => paths.includes(path);

const main = "src/main.ts";
const worker = "src/policy/worker.ts";
const sdk = "src/policy/sdk.ts";
/** Bundled together with every policy. */
const realm = "src/policy/realm.ts";

/** A program of its own, in a browser. */
const pages = "src/dashboard/main.ts";

/** What conformance suites hold the real thing against. */
const references: readonly string[] = ["src/registry/memory_store.ts", "runtime/deno/runtime.ts"];

test("no file is dead: each is reached from an entry point or a policy", () => {
  const alive = aliveFiles();
  expect(paths.filter((path) => !alive.has(path) && !waitingFiles.has(path))).toEqual([]);
});

test("no file waits that is used already, or that does not exist", () => {
  const alive = aliveFiles();
  expect([...waitingFiles.keys()].filter((path) => alive.has(path) || !has(path))).toEqual([]);
});

function aliveFiles(): ReadonlySet<string> {
  const roots = [
    main,
    worker,
    sdk,
    realm,
    pages,
    ...references,
    ...paths.filter((path) => path.startsWith("policies/")),
  ];
  return closureOf(files, roots, "types too").own;
}

/** A file more here is code more next to code that nobody trusts: a security change. */
const workerMayReach: readonly string[] = [worker];

describe("the policy worker", () => {
  test.skipIf(!has(worker))("reaches what is listed here and nothing else", () => {
    const reached = closureOf(files, [worker], "loaded");
    expect([...reached.own].sort()).toEqual([...workerMayReach].sort());
    expect([...reached.packages].sort()).toEqual(["bun:ffi", "node:vm"]);
  });

  test.skipIf(!has(sdk))("hands policies a door that reaches only policy and base", () => {
    const reached = closureOf(files, [sdk], "loaded");
    expect([...reached.own].filter((path) => !/^src\/(policy|base)\//.test(path))).toEqual([]);
    expect([...reached.packages].filter((name) => name !== "valibot")).toEqual([]);
  });
});

describe("the signing key", () => {
  const signing = paths.filter((path) => /^src\/identity\/authority/.test(path));

  test.skipIf(signing.length === 0)("is out of reach of proxy, registry and policies", () => {
    const traffic = paths.filter((path) =>
      /^(src\/(proxy|dns|registry|policy|http|telemetry)|policies)\//.test(path),
    );
    const reached = closureOf(files, traffic, "types too").own;
    expect(signing.filter((path) => reached.has(path))).toEqual([]);
  });

  test.skipIf(signing.length === 0)("is imported by the controller and what assembles it", () => {
    const importers = files
      .filter((file) => !file.path.startsWith("src/identity/"))
      .filter((file) => file.imports.some((found) => signing.includes(found.target)))
      .map((file) => file.path);
    expect(importers.filter((path) => !/^src\/(controller|app)\/|^src\/cli\/init/.test(path))).toEqual([]);
  });
});

describe("a mode that runs for months", () => {
  test("has no other command in its memory, and reads YAML and encodes for OpenTelemetry only once it must", () => {
    const { own, packages } = closureOf(
      files,
      ["src/cli/program.ts", "src/app/proxy_mode.ts"],
      "loaded at once",
    );
    const shared =
      /^src\/cli\/(?:program|command|modes_command|shards_flag|foreground|terminal|text|exit_codes)\.ts$/;
    expect([...own].filter((path) => /^src\/(?:cli|config)\//.test(path) && !shared.test(path))).toEqual([]);
    expect([...packages].filter((name) => /^yaml|^@opentelemetry/.test(name))).toEqual([]);
  });
});

describe("the pages of the dashboard", () => {
  test("take of packages what draws, and nothing of the host", () => {
    const { own, packages } = closureOf(files, [pages], "loaded");
    expect([...packages].sort()).toEqual(["preact", "preact/hooks"]);
    const foreign = [...own].filter(
      (path) => !/^src\/(?:dashboard|cli\/(?:why|explain)|api|model|base)\//.test(path),
    );
    expect(foreign).toEqual([]);
  });
});

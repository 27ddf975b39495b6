/** Imports point one way (DESIGN.md, "The folders"). */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readSources, root, type SourceFile } from "./sources.ts";

const ranks: Readonly<Record<string, number>> = {
  base: 1,
  model: 2,
  wire: 3,
  telemetry: 3,
  config: 3,
  identity: 4,
  policy: 4,
  http: 4,
  inference: 4,
  shards: 4,
  api: 5,
  proxy: 6,
  dns: 6,
  intercept: 6,
  systemd: 6,
  registry: 6,
  controller: 6,
  admin: 6,
  app: 7,
  cli: 8,
  // A program of its own, in a browser.
  dashboard: 9,
};
const entryRank = 9;
const contract = "runtime/contract.ts";
/** A macro: it runs while the program is compiled and leaves a text behind. */
const embedding = "compile/embed.ts";
/**
 * The stages of a request, which are folders of the proxy, with those of the others that each may use. Only the files that stand beside
 * them (outbound.ts, inbound.ts and their like) know their order.
 */
const stages: Readonly<Record<string, readonly string[]>> = {
  listen: [],
  find: [],
  guard: ["rewrite"],
  route: [],
  policy: [],
  budget: [],
  prompt: ["balance"],
  rewrite: [],
  balance: [],
  breaker: [],
  retry: [],
  limit: [],
  upstream: [],
  attempt: ["balance", "breaker", "retry", "rewrite", "upstream"],
  deadline: [],
  answer: [],
};
/** What all stages may use, and does not know their order either. */
const common: ReadonlySet<string> = new Set([
  ...["state", "share", "fields", "failure", "record", "trace", "tunnel", "drain"],
]);
/** The ways in: whatever they accept they hand over to the order. */
const waysIn = "accept";

const sources = readSources("src");
const adapters = readSources("runtime");
const policies = readSources("policies");
const everything = [...sources, ...adapters, ...policies];

function folderOf(path: string): string {
  const [top, second, third] = path.split("/");
  if (top !== "src") return top ?? "";
  return third === undefined ? "main" : (second ?? "");
}

function rankOf(path: string): number | undefined {
  const folder = folderOf(path);
  return folder === "main" ? entryRank : ranks[folder];
}

function faults(files: readonly SourceFile[], problem: (file: SourceFile, target: string) => string | null) {
  return files.flatMap((file) =>
    file.imports
      .filter((found) => found.own)
      .map((found) => problem(file, found.target))
      .filter((found) => found !== null),
  );
}

describe("a file of src", () => {
  test("lives in a folder that has a rank", () => {
    expect(sources.map((file) => file.path).filter((path) => rankOf(path) === undefined)).toEqual([]);
  });

  test("imports its own folder or a lower rank", () => {
    const wrong = faults(sources, (file, target) => {
      if (!target.startsWith("src/") || folderOf(target) === folderOf(file.path)) return null;
      return (rankOf(target) ?? 99) < (rankOf(file.path) ?? 0) ? null : `${file.path} -> ${target}`;
    });
    expect(wrong).toEqual([]);
  });

  test("imports of runtime/ the contract alone; the entry file chooses the adapter", () => {
    const wrong = faults(sources, (file, target) => {
      if (!target.startsWith("runtime/") || target === contract) return null;
      return isEntry(file.path) ? null : `${file.path} -> ${target}`;
    });
    expect(wrong).toEqual([]);
  });

  test("imports only files that exist, nothing of tests, tools or policies", () => {
    const wrong = faults(everything, (file, target) => {
      const foreign =
        (/^(test|compile)\//.test(target) && target !== embedding) ||
        (target.startsWith("policies/") && !embeds(file.path));
      return existsSync(join(root, target)) && !foreign ? null : `${file.path} -> ${target}`;
    });
    expect(wrong).toEqual([]);
  });
});

/** Entry points of the program and of its workers. */
function isEntry(path: string): boolean {
  return path === "src/main.ts" || path === "src/policy/worker.ts";
}

/** Shipped policies are carried inside the binary as text. */
function embeds(path: string): boolean {
  return /^(policies|src\/cli|src\/app)\//.test(path);
}

test("base, model and wire do not know the host, not even its types", () => {
  const wrong = faults(sources, (file, target) =>
    ["base", "model", "wire"].includes(folderOf(file.path)) && target.startsWith("runtime/")
      ? `${file.path} -> ${target}`
      : null,
  );
  expect(wrong).toEqual([]);
});

/** The folder below src/proxy; null for what stands beside them, and for everything else. */
function proxyFolderOf(path: string): string | null {
  const [, , folder, file] = path.split("/");
  return path.startsWith("src/proxy/") && file !== undefined ? (folder ?? null) : null;
}

test("a folder of the proxy is a way in, a stage of a request, or what all of them use", () => {
  const folders = sources.map(({ path }) => proxyFolderOf(path)).filter((folder) => folder !== null);
  const known = new Set([...Object.keys(stages), ...common, waysIn]);
  expect(new Set(folders)).toEqual(known);
});

test("stages of the proxy do not know each other, but for what is said of them", () => {
  const wrong = faults(sources, (file, target) => {
    const [from, to] = [proxyFolderOf(file.path), proxyFolderOf(target)];
    if (from === null || to === null || from === to || !(from in stages)) return null;
    return common.has(to) || stages[from]?.includes(to) ? null : `${file.path} -> ${target}`;
  });
  expect(wrong).toEqual([]);
});

test("only the ways into the proxy know the order of its stages", () => {
  const wrong = faults(sources, (file, target) => {
    const folder = proxyFolderOf(file.path);
    const knows = target.startsWith("src/proxy/") && [null, waysIn].includes(proxyFolderOf(target));
    return folder !== null && folder !== waysIn && knows ? `${file.path} -> ${target}` : null;
  });
  expect(wrong).toEqual([]);
});

test("an adapter imports the contract, base, what adapters share and itself", () => {
  const wrong = faults(adapters, (file, target) => {
    const [, adapter] = file.path.split("/");
    const allowed =
      target === contract ||
      target.startsWith("src/base/") ||
      target.startsWith("runtime/shared/") ||
      target.startsWith(`runtime/${adapter}/`);
    return allowed ? null : `${file.path} -> ${target}`;
  });
  expect(wrong).toEqual([]);
  expect(adapters.find((file) => file.path === contract)?.imports).toEqual([]);
});

test("the contract has types only, and is imported as such", () => {
  const wrong = everything.flatMap((file) =>
    file.imports
      .filter((found) => found.target === contract && !found.typeOnly)
      .map(() => `${file.path} imports a value of the contract`),
  );
  expect(wrong).toEqual([]);
});

test("a policy imports the door made for it", () => {
  const wrong = policies
    .filter((file) => !file.path.endsWith("_test.ts"))
    .flatMap((file) => {
      const allowed = new Set(["src/policy/sdk.ts", "valibot", "heddle", "heddle/policy"]);
      return file.imports
        .filter((found) => !allowed.has(found.target) && !found.target.startsWith("policies/"))
        .map((found) => `${file.path} -> ${found.target}`);
    });
  expect(wrong).toEqual([]);
});

test("no imports run in a circle", () => {
  const edges = new Map(
    everything.map((file) => [
      file.path,
      file.imports.filter((found) => found.own).map((found) => found.target),
    ]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  expect(circles).toEqual([]);
});

/** package.json names what is used, where it is used: the binary carries `dependencies`, its makers need the rest. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readSources, root, type SourceFile } from "./sources.ts";

const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

/** Packages that no file imports, each with its reason. */
const imported = "is imported by no file";
const unimported: Readonly<Record<string, string>> = {
  bun: `${imported}: it runs them`,
  "bun-types": `${imported}: tsconfig.json names it`,
  deno: `${imported}: a suite runs it`,
  typescript: `${imported}: editors take their language service from it`,
};

/** `@scope/name` of `@scope/name/part`. */
function packageOf(target: string): string {
  const [first = "", second = ""] = target.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

function packagesOf(files: readonly SourceFile[]): Set<string> {
  const targets = files.flatMap((file) => file.imports.filter((one) => !one.own).map((one) => one.target));
  const host = (name: string): boolean => /^(node:|bun(:|$))/.test(name);
  return new Set(targets.map(packageOf).filter((name) => !host(name)));
}

const carried = packagesOf(readSources("src", "runtime", "policies"));
const all = packagesOf(readSources("src", "runtime", "policies", "compile", "test"));
const types = (name: string): boolean => all.has(name.replace(/^@types\//, ""));

test("every package of package.json is imported, or its reason to be there is listed", () => {
  const unused = Object.keys(wanted.dependencies).filter((name) => !carried.has(name));
  const idle = Object.keys(wanted.devDependencies).filter((name) => !all.has(name) && !types(name));
  expect([...unused, ...idle].filter((name) => unimported[name] === undefined)).toEqual([]);
});

test("a package that is listed without an import has none", () => {
  const named = { ...wanted.dependencies, ...wanted.devDependencies };
  const listed = Object.keys(unimported);
  expect(listed.filter((name) => all.has(name) || named[name] === undefined)).toEqual([]);
});

test("what the binary carries are dependencies, and everything that is imported is named", () => {
  expect([...carried].filter((name) => wanted.dependencies[name] === undefined && name !== "heddle")).toEqual(
    [],
  );
  const named = { ...wanted.dependencies, ...wanted.devDependencies };
  expect([...all].filter((name) => named[name] === undefined && name !== "heddle")).toEqual([]);
});

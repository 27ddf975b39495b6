/**
 * What src takes from nobody: the language, and the few names of the web that every host gives and that reach nothing
 * outside of the process. All else that a host gives comes through runtime/contract.ts, so that a second host, or a
 * simulation, can stand in for it.
 */
import { expect, test } from "bun:test";
import { parse } from "acorn";
import { checkScopes } from "../../src/policy/scope_check.ts";
import { readSources, type SourceFile } from "./sources.ts";

/** Data and nothing else: the same bytes and objects on every host. */
const web: ReadonlySet<string> = new Set(
  "TextDecoder TextEncoder URL URLSearchParams Request Response Headers ReadableStream AbortController structuredClone".split(
    " ",
  ),
);

/** Names of the host in files that may know it, each with its reason. */
const known: Readonly<Record<string, { readonly names: readonly string[]; readonly reason: string }>> = {
  "src/base/bytes.ts": { names: ["Buffer"], reason: "methods that copy and compare without a view" },
  "src/base/shared_row.ts": {
    names: ["Atomics"],
    reason: "of the language; the list of it is that of policies",
  },
  "src/base/tally.ts": { names: ["Atomics"], reason: "the same" },
  "src/shards/shared_region.ts": { names: ["Atomics"], reason: "the same" },
};

/** Ordinary programs that people run beside a mesh; the pages, whose host is a browser; and the worker, which makes the realm that it runs in. */
const outside = /^src\/(cli\/demo\/|dashboard\/|policy\/worker\.ts)/;

const transpiler = new Bun.Transpiler({ loader: "ts", target: "bun" });
/** It would run. */
const macro = / with \{ type: "macro" \}/g;

/** Words of a module that it does not define, and neither the language nor the web. */
function freeWords(text: string): Set<string> {
  const program = parse(text, { ecmaVersion: "latest", sourceType: "module" });
  const words = checkScopes(program, Infinity).filter(({ message, word }) => message.startsWith(`"${word}"`));
  return new Set(words.map(({ word }) => word).filter((word) => !web.has(word)));
}

/** Whatever this host has: only files that hold such a word need be parsed. */
const hostWords = freeWords(Object.getOwnPropertyNames(globalThis).join(";\n"));

function hostNames({ text, code }: Pick<SourceFile, "text" | "code">): string[] {
  if (!code.match(/\w+/g)?.some((word) => hostWords.has(word))) return [];
  return [...freeWords(transpiler.transformSync(text.replace(macro, "")))];
}

const files = readSources("src").filter((file) => !outside.test(file.path));

test("src names nothing of the host", () => {
  const wrong = files.flatMap((file) => {
    const allowed = known[file.path]?.names ?? [];
    return hostNames(file)
      .filter((name) => !allowed.includes(name))
      .map((name) => `${file.path}: ${name}`);
  });
  expect(wrong).toEqual([]);
});

test("a file that may name something of the host does so", () => {
  const idle = Object.entries(known).filter(([path, { names }]) => {
    const file = files.find((one) => one.path === path);
    return file === undefined || !names.every((name) => hostNames(file).includes(name));
  });
  expect(idle).toEqual([]);
});

test("a name of the host is found wherever it stands", () => {
  const found = (text: string) => hostNames({ text, code: text });
  expect(found("export const f = (a: number) => { queueMicrotask(() => a); };")).toEqual(["queueMicrotask"]);
  expect(found("class A { #b = process.env; m() { return crypto.subtle; } }")).toEqual(["process", "crypto"]);
  expect(found("function f(process: { crypto: string }) { return process.crypto; }")).toEqual([]);
});

/** Facts about the text of the sources (STYLE.md): what a program can check and nobody should have to remember. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { places, readSources, root, type SourceFile } from "./sources.ts";

const sources = readSources("src");
const written = [...sources, ...readSources("runtime", "compile", "test", "policies")];
const policies = written.filter((file) => file.path.startsWith("policies/"));

function found(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap((file) => places(file, pattern));
}

describe("nowhere", () => {
  test("stands `any`", () => {
    expect(found(written, /(?:[:<,|&=[(]|\bas|\bextends|=>)\s*any\b(?!\s*[(:])/g)).toEqual([]);
  });

  test("is a type error silenced", () => {
    const silent = /@ts-(ignore|nocheck|expect-error)/;
    // In this file the words stand in the pattern.
    const wrong = written.filter((file) => silent.test(file.text) && !file.path.endsWith("style_test.ts"));
    expect(wrong.map((file) => file.path)).toEqual([]);
  });

  test("is a barrel", () => {
    expect(found(written, /^export\s*\*/gm)).toEqual([]);
  });

  test("does a file have another name than snake_case", () => {
    const wrong = written.filter((file) => !/^[a-z0-9]+(_[a-z0-9]+)*\.ts$/.test(basename(file.path)));
    expect(wrong.map((file) => file.path)).toEqual([]);
  });

  test("is a relative import without its extension", () => {
    const wrong = written.flatMap((file) =>
      file.imports
        .filter((one) => one.own && !/\.(ts|json|txt|html|css|svg|js|mjs)$/.test(one.target))
        .map((one) => `${file.path} -> ${one.target}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("in src and runtime", () => {
  const shipped = written.filter((file) => /^(src|runtime)\//.test(file.path));

  test("no module has state that can be reassigned", () => {
    expect(found(shipped, /^(export\s+)?(let|var)\s/gm)).toEqual([]);
  });

  test("what is written to stdout or stderr is made printable where it is written", () => {
    const raw = /\.(?:stdout|stderr)(?:\.write)?\((?!printable|`\$\{printable)/g;
    // Puts colours around words, so it makes the words printable first.
    const wrong = shipped.filter((file) => file.path !== "src/cli/terminal.ts");
    expect(found(wrong, raw)).toEqual([]);
  });

  test("nothing is exported without a name", () => {
    expect(found(shipped, /^export\s+default\b/gm)).toEqual([]);
  });

  test("every file says at its top what it is", () => {
    expect(shipped.filter((file) => !/^(\/\*\*|\/\/)/.test(file.text)).map((file) => file.path)).toEqual([]);
  });
});

test("a policy exports its definition as default", () => {
  const wrong = policies.filter(
    (file) => !file.path.endsWith("_test.ts") && !/^export\s+default\b/m.test(file.code),
  );
  expect(wrong.map((file) => file.path)).toEqual([]);
});

describe("in src, a failure is told", () => {
  test("by a field that is made for it, not by the names that a value has", () => {
    // The nodes of a library; and what a name leads to, a service that is known here or one that is not.
    const others = /^src\/(config\/yaml_file|proxy\/(state\/outbound_source|outbound(_connect)?))\.ts$/;
    const own = sources.filter((file) => !others.test(file.path));
    // Words between quotes are blanked.
    expect(found(own, /(["']) *\1 in (?!\{)/g)).toEqual([]);
  });

  test("never by the words that it is told with", () => {
    // The library says `Invalid …` where it has nothing better to say, and then what it expected is told.
    const own = sources.filter((file) => !file.path.startsWith("src/config/"));
    const byWords =
      /\b(?:detail|message|reason|problem)\b\)?[?!]?\.(?:includes|startsWith|endsWith|match|search)\(/g;
    expect(found(own, byWords)).toEqual([]);
  });

  test("by a value of its own, not by a text where something else was wanted", () => {
    // `Result<Target>` instead of `Target | string`. What a terminal shows is no failure, nor what the web's own classes take.
    const own = sources.filter((file) => !/^src\/(cli\/text|policy\/url(_params)?)\.ts$/.test(file.path));
    expect(
      found(own, /\b(?!RegExp\b)[A-Z]\w+ \| string\b|\bstring \| (?!RegExp\b|Uint8Array\b)[A-Z]\w+/g),
    ).toEqual([]);
  });
});

describe("above the seam", () => {
  /** Runs inside the realm that it seals. */
  const realm = "src/policy/worker.ts";
  const realmNeeds: ReadonlySet<string> = new Set(["node:vm", "bun:ffi"]);
  /** The services and clients of the demo are what people run beside a mesh, ordinary programs; the pages run in a browser. */
  const above = sources.filter((file) => !/^src\/(?:cli\/demo|dashboard)\//.test(file.path));
  const hostPackage =
    /^(bun($|:)|node:|(fs|net|tls|http|http2|https|child_process|os|path|worker_threads|vm|crypto|dns|dgram|stream|events|util|process)($|\/))/;

  test("no package of the host is imported but node:crypto, and in the policy worker node:vm and what tells its thread", () => {
    const wrong = sources.flatMap((file) =>
      file.imports
        .filter((one) => !one.own && hostPackage.test(one.target))
        .filter((one) => one.target !== "node:crypto" && !(file.path === realm && realmNeeds.has(one.target)))
        .map((one) => `${file.path} -> ${one.target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("nobody names Bun or Deno", () => {
    expect(found(sources, /(?<![.\w])(Bun|Deno)\s*[.[]/g)).toEqual([]);
  });

  test("time, timers, randomness and network come from the contract", () => {
    const host =
      /(?<![.\w])(?:(?:setTimeout|setInterval|setImmediate|fetch)\s*\(|Date\.now\s*\(|Math\.random\s*\(|performance\.now\s*\(|console\.|new Date\(\s*\)|new (?:Worker|WebSocket)\b)/g;
    expect(
      found(
        above.filter((file) => file.path !== realm),
        host,
      ),
    ).toEqual([]);
  });
});

test("README names only files that exist", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const named = new Set(
    [...readme.matchAll(/(?<!mesh\/)\b(?:src|runtime|policies|compile|test)\/[\w./-]*\w/g)].map(
      ([path]) => path,
    ),
  );
  // What the bench writes.
  named.delete("test/bench/RESULTS.md");
  expect([...named].filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

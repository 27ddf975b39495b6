/**
 * Modules that try to make the compiler load, run or read something. Each stands above a definition that is in order and must
 * be refused; `says` is what the first issue tells, `line` where.
 */
import type { HostileSource } from "./sources.ts";

const named = /Cannot import/;
const attributes = /attributes/;
const escapes = /without escapes/;
const byCall = /only import statements|does not exist|import\(\)/;

function at(line: number, says: RegExp, text: string): HostileSource {
  return { text, says, line };
}

export const hostileLoads: Readonly<Record<string, HostileSource>> = {
  "a macro, its attribute in double quotes": at(
    1,
    attributes,
    `import { a } from "./p.ts" with { "type": "macro" }; a();`,
  ),
  "a macro behind a line comment": at(
    1,
    attributes,
    `import { a } from "./p.ts" with // {\n{ type: "macro" }; a();`,
  ),
  "a macro behind 12 links": at(
    2,
    attributes,
    `// ${"https://a.example/b//c ".repeat(12)}\nimport { a } from "./p.ts" with ${"/* // */ ".repeat(12)} { type: "macro" }; a();`,
  ),
  "a macro that nothing calls": at(1, attributes, `import { a } from "./p.ts" with { type: "macro" };`),
  "a macro that is only looked at": at(
    1,
    attributes,
    `import { a } from "./p.ts" with { type: "macro" }; export const x = a;`,
  ),
  "a macro as a tag": at(
    1,
    attributes,
    `import { a } from "./p.ts" with { type: "macro" }; export const x = a\`b\`;`,
  ),
  "a macro with an escaped key": at(
    1,
    attributes,
    `import { a } from "./p.ts" with { typ\\u0065: "macro" }; a();`,
  ),
  "a macro with an escaped value": at(
    1,
    attributes,
    `import { a } from "./p.ts" with { type: "\\x6dacro" }; a();`,
  ),
  "a macro as namespace": at(1, attributes, `import * as a from "./p.ts" with { type: "macro" }; a.b();`),
  "a macro as default": at(1, attributes, `import a from "./p.ts" with { type: "macro" }; a();`),
  "a macro that is exported": at(1, /macro/, `export { a } from "./p.ts" with { type: "macro" };`),
  "all of a macro exported": at(1, /macro/, `export * from "./p.ts" with { type: "macro" };`),
  "a macro for its effects": at(1, attributes, `import "./p.ts" with { type: "macro" };`),
  "a macro of the kit": at(
    1,
    attributes,
    `import { next as a } from "heddle/policy" with { type: "macro" }; a();`,
  ),
  "a macro by assert, on one line": at(
    1,
    attributes,
    `import { a } from "./p.ts" assert { type: "macro" }; a();`,
  ),
  "a macro by name, for its effects": at(1, named, `import "macro:node:fs";`),
  "a macro by name, all exported": at(1, named, `export * from "macro:node:fs";`),
  "a macro by name in hexadecimal": at(1, escapes, `import { a } from "\\x6d\\x61cro:node:fs"; a();`),
  "a macro by name in braces": at(1, escapes, `import { a } from "\\u{00006d}acro:node:fs"; a();`),
  "a macro by name over two lines": at(1, escapes, `import { a } from "mac\\\nro:node:fs"; a();`),
  "a builtin by a name in octal": at(1, /./, `import { a } from "node\\072fs"; a();`),
  "a keyword with an escape": at(1, /./, `import { a } fr\\u006fm "node:fs"; a();`),
  "an import with an escape": at(1, /./, `\\u0069mport { a } from "node:fs"; a();`),
  "an allowed name with an escape": at(1, escapes, `import * as w from "val\\u0069bot"; export const x = w;`),
  "a builtin that nothing uses": at(1, named, `import { readFileSync } from "node:fs";`),
  "a builtin for its effects": at(1, named, `import "node:fs";`),
  "a builtin without its scheme": at(1, named, `import { readFileSync as x } from "fs"; export { x };`),
  "a builtin of the runtime": at(1, named, `import { file as x } from "bun"; export { x };`),
  "native calls": at(1, named, `import { dlopen as x } from "bun:ffi"; export { x };`),
  "a database": at(1, named, `import { Database as x } from "bun:sqlite"; export { x };`),
  "flags of the bundler": at(
    1,
    named,
    `import { feature } from "bun:bundle"; export const x = feature("A") ? 1 : 2;`,
  ),
  "types from elsewhere": at(1, named, `import type { x } from "node:fs";`),
  "helpers of the runtime": at(1, named, `import { __require as x } from "bun:wrap"; export { x };`),
  "an entry of the bundler": at(1, named, `import x from "bun:main"; export { x };`),
  "a page of data": at(1, named, `import x from "data:text/javascript,export default 1"; export { x };`),
  "a file by URL": at(1, named, `import x from "file:///etc/passwd"; export { x };`),
  "a module of the network": at(1, named, `import x from "https://example.com/x.js"; export { x };`),
  "a module of npm": at(1, named, `import x from "npm:lodash"; export { x };`),
  "a path of Windows": at(1, escapes, `import x from "C:\\\\x.ts"; export { x };`),
  "a name of package.json": at(1, named, `import x from "#internal"; export { x };`),
  "this package by its name": at(1, named, `import x from "heddle"; export { x };`),
  "more of the kit than there is": at(1, named, `import x from "heddle/policy/realm"; export { x };`),
  "the kit's files by path": at(
    1,
    named,
    `import { createRealm as x } from "../../heddle/realm.ts"; export { x };`,
  ),
  "the memory of the bundler": at(1, named, `import x from "memory:/heddle/realm.ts"; export { x };`),
  "a file with a query": at(1, named, `import * as x from "./p.ts?raw"; export { x };`),
  "a file without its ending": at(1, named, `import * as x from "./p"; export { x };`),
  "a folder": at(1, named, `import * as x from "."; export { x };`),
  "a file through an empty step": at(1, named, `import * as x from ".//p.ts"; export { x };`),
  "a table of data": at(1, named, `import x from "./data.json"; export { x };`),
  "settings as TOML": at(1, named, `import x from "./data.toml"; export { x };`),
  "a text": at(1, named, `import x from "./data.txt"; export { x };`),
  "a page": at(1, named, `import x from "./page.html"; export { x };`),
  "native code": at(1, named, `import x from "./a.node"; export { x };`),
  "WebAssembly as a file": at(1, named, `import x from "./a.wasm"; export { x };`),
  "a stylesheet": at(1, named, `import "./a.css";`),
  "names that Object has": at(1, named, `import x from "constructor"; export { x };`),
  "an import whose name is empty": at(1, named, `import x from ""; export { x };`),
  "an import that is put off": at(1, /./, `import defer * as x from "node:fs"; export { x };`),
  "the source of an import": at(1, /./, `import source x from "node:fs"; export { x };`),
  "all of a builtin exported": at(1, named, `export * from "node:fs";`),
  "a part of a builtin exported": at(1, named, `export { readFileSync } from "node:fs";`),
  "an import by equals": at(1, byCall, `import x = require("node:fs"); export { x };`),
  "an exported import by equals": at(1, byCall, `export import x = require("node:fs");`),
  "require in dead code": at(1, byCall, `if (false) require("node:fs");`),
  "require under another name": at(2, byCall, `\nexport const x = [require][0]("node:fs");`),
  "require without an argument": at(1, byCall, `export const x = require;`),
  "require.resolve": at(1, /./, `export const x = require.resolve("node:fs");`),
  "import() in dead code": at(1, byCall, `if (false) import("node:fs");`),
  "import() with attributes": at(
    1,
    byCall,
    `export const x = import("./p.ts", { with: { type: "macro" } });`,
  ),
  "import() of a template": at(1, byCall, "export const x = import(`node:fs`);"),
  "import() of what is computed": at(2, byCall, `\nexport const x = import(["node", "fs"].join(":"));`),
  "import.meta": at(1, /import\.meta/, `export const x = import.meta;`),
  "import.meta.url": at(1, /import\.meta/, `export const x = import.meta.url;`),
  "import.meta.require": at(1, /import\.meta/, `export const x = import.meta.require("node:fs");`),
  "import.meta.glob": at(1, /import\.meta/, `export const x = import.meta.glob("/etc/*");`),
  "exports of another kind of module": at(1, /./, `module.exports = 1;`),
  "export by equals": at(1, /./, `const x = 1; export = x;`),
  "an environment": at(1, /"process"/, `export const x = process.env.HOME;`),
  "an environment of the runtime": at(1, /"Bun"/, `export const x = Bun.env.HOME;`),
  "JSX, which imports by itself": at(
    2,
    /./,
    `/** @jsxImportSource node:fs */\nexport const x = <a href="b" />;`,
  ),
  "a comment of HTML": at(1, /./, `export const x = 1 <!-- y\n`),
  "a decorator from elsewhere": at(1, /"dec"/, `class A { @dec m() {} } export const x = A;`),
  "a member by pattern": at(1, /\.constructor/, `export const x = (({ constructor: f }) => f)(() => {});`),
  "a member by a pattern in quotes": at(
    1,
    /\.constructor/,
    `export const x = (({ "constructor": f }) => f)(() => {});`,
  ),
  "a member by template": at(1, /\.constructor/, "export const x = (() => {})[`constructor`];"),
  "a default that sees no variable of the body": at(
    1,
    /"fetch"/,
    `export const x = (a = fetch) => { var fetch; return a; };`,
  ),
  "a switch that sees no variable of its cases": at(
    2,
    /"fetch"/,
    `\nexport const x = () => { switch (fetch) { case 1: let fetch; } };`,
  ),
  "a loop over what it assigns": at(1, /"fetch"/, `export const x = () => { for (fetch of []); };`),
};

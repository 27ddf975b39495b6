/** Policies that try to get out, as an author could write them; each must be refused before anything of it runs. */

export interface HostileSource {
  /** Body of the module above a definition that is in order. */
  readonly text: string;
  /** What the refusal says. */
  readonly says: RegExp;
  /** Line of the finding, from 1. */
  readonly line: number;
}

export const hostileSources: Readonly<Record<string, HostileSource>> = {
  process: { text: "export const x = process.env;", says: /"process" does not exist/, line: 1 },
  "process by typeof": { text: "export const x = typeof process;", says: /"process"/, line: 1 },
  Bun: { text: "export const x = Bun.file('/etc/passwd');", says: /"Bun"/, line: 1 },
  fetch: { text: "\nexport const x = () => fetch('http://127.0.0.1');", says: /"fetch"/, line: 2 },
  require: { text: "export const x = require('node:fs');", says: /require|import/, line: 1 },
  eval: { text: "export const x = eval('1');", says: /"eval"/, line: 1 },
  "indirect eval": { text: "export const x = (0, eval)('1');", says: /"eval"/, line: 1 },
  Function: { text: "export const x = new Function('return 1');", says: /"Function"/, line: 1 },
  "maker of a function": {
    text: "export const x = (() => {}).constructor('return process')();",
    says: /\.constructor/,
    line: 1,
  },
  "maker of an async function": {
    text: "export const x = (async () => {})['constructor']('return 1');",
    says: /\.constructor/,
    line: 1,
  },
  "prototype by name": { text: "export const x = ({}).__proto__;", says: /__proto__/, line: 1 },
  caller: { text: "export const x = function f() { return f.caller; };", says: /caller/, line: 1 },
  "import at run time": { text: "export const x = (n: string) => import(n);", says: /import\(\)/, line: 1 },
  "import of a builtin at run time": { text: "export const x = import('node:fs');", says: /import/, line: 1 },
  "import of a builtin": {
    text: "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;",
    says: /node:fs/,
    line: 1,
  },
  "import of a package": { text: "import x from 'lodash';\nexport { x };", says: /lodash/, line: 1 },
  "import by absolute path": {
    text: "import x from '/etc/passwd';\nexport { x };",
    says: /\/etc\/passwd/,
    line: 1,
  },
  "import out of the folder": {
    text: "import x from '../../../../etc/passwd';\nexport { x };",
    says: /passwd/,
    line: 1,
  },
  "macro of a builtin": {
    text: "import { readFileSync } from 'node:fs' with { type: 'macro' };\nexport const x = readFileSync('/etc/passwd');",
    says: /attributes/,
    line: 1,
  },
  "macro by the old word": {
    text: "import { readFileSync } from 'node:fs' assert { type: 'macro' };\nexport const x = readFileSync('/etc/passwd');",
    says: /attributes/,
    line: 1,
  },
  "macro behind a comment": {
    text: "import { readFileSync } from 'node:fs' with /* \n */ // x\n { type: 'macro' };\nexport const x = readFileSync('/');",
    says: /attributes/,
    line: 1,
  },
  "macro by name": {
    text: "import { x } from 'macro:node:fs';\nexport { x };",
    says: /macro:node:fs/,
    line: 1,
  },
  "macro by an escaped name": {
    text: "import { x } from '\\u006dacro:node:fs';\nexport { x };",
    says: /without escapes/,
    line: 1,
  },
  "text of a file": {
    text: "import x from '/etc/passwd' with { type: 'text' };\nexport { x };",
    says: /attributes/,
    line: 1,
  },
  ShadowRealm: { text: "export const x = new ShadowRealm();", says: /"ShadowRealm"/, line: 1 },
  SharedArrayBuffer: {
    text: "export const x = new SharedArrayBuffer(8);",
    says: /"SharedArrayBuffer"/,
    line: 1,
  },
  Atomics: { text: "export const x = Atomics;", says: /"Atomics"/, line: 1 },
  WebAssembly: { text: "export const x = WebAssembly;", says: /"WebAssembly"/, line: 1 },
  Worker: { text: "export const x = () => new Worker('x');", says: /"Worker"/, line: 1 },
  setTimeout: { text: "export const x = () => setTimeout(() => {}, 1);", says: /"setTimeout"/, line: 1 },
  self: { text: "export const x = () => self.postMessage(1);", says: /"self"/, line: 1 },
  "shadowed elsewhere": {
    text: "export const x = () => { { const process = 1; void process; } return process; };",
    says: /"process"/,
    line: 1,
  },
  "hidden in a default": { text: "export const x = ({ a = fetch } = {}) => a;", says: /"fetch"/, line: 1 },
  "hidden in a template": { text: "export const x = `${process}`;", says: /"process"/, line: 1 },
  "hidden in a class": { text: "export class X { static { void process; } }", says: /"process"/, line: 1 },
  "hidden in a getter": { text: "export const x = { get y() { return Bun; } };", says: /"Bun"/, line: 1 },
};

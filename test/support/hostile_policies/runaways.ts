/**
 * Bundles that take what they can get, or answer what nobody asked, past every check: bodies of `run`, and what runs before. Each
 * may cost its own process and nothing else.
 */
import { scriptWith } from "./scripts.ts";

const next = `return '{"do":"next"}';`;

interface Runaway {
  readonly run: string;
  /** Runs when the bundle is loaded. */
  readonly before?: string;
  readonly settled?: string;
}

const runaways: Readonly<Record<string, Runaway>> = {
  // Processor
  "a loop": { run: "for (;;);" },
  "a loop behind an answer": { run: `Promise.resolve().then(() => { for (;;); }); ${next}` },
  "a loop in what is settled": { run: `return "";`, settled: "for (;;);" },
  "a loop in a getter of its decision": {
    run: "return JSON.stringify({ get do() { for (;;); } });",
  },
  "a loop in toJSON": { run: "return JSON.stringify({ toJSON() { for (;;); } });" },
  "a loop in a proxy": { run: "return JSON.stringify(new Proxy({}, { ownKeys() { for (;;); } }));" },
  "a loop in an iterator": { run: "return [...{ *[Symbol.iterator]() { for (;;) yield; } }].join();" },
  "a loop in a finally": { run: "for (;;) { try { continue; } finally { continue; } }" },
  "a chain of promises without end": {
    run: `const again = () => Promise.resolve().then(again); again(); ${next}`,
  },
  "a flood of promises": { run: `for (let i = 0; i < 1e6; i++) Promise.resolve().then(() => {}); ${next}` },
  "a promise that waits for itself": {
    run: `const p = Promise.resolve().then(() => p); p.catch(() => {}); return "";`,
  },
  "a thenable without end": {
    run: `const t = { then(resolve) { resolve(t) } }; Promise.resolve(t); ${next}`,
  },
  "an async generator without end": {
    run: `(async () => { for await (const x of (async function* () { for (;;) yield 1 })()); })(); ${next}`,
  },
  "an expression that backtracks": { run: `return String(/^(a+)+$/.test("a".repeat(60) + "b"));` },
  "a sort that never agrees": { run: `new Array(1e6).fill(0).sort(() => Math.random() - 0.5); for (;;);` },
  "arithmetic without end": { run: "let x = 3n; for (;;) x *= x;" },
  "rejections without end": {
    run: `const again = () => Promise.reject(new Error("x")); for (let i = 0; i < 1e5; i++) again(); ${next}`,
  },
  // Memory
  "a list without end": { run: "const all = []; for (;;) all.push(new Array(1 << 16).fill({}));" },
  "buffers without end": { run: "const all = []; for (;;) all.push(new Uint8Array(16 << 20).fill(1));" },
  "a string without end": { run: `let s = "x"; for (;;) s = (s + s).slice(0, 2 ** 29) + s.length;` },
  "a map without end": { run: "const m = new Map(); for (let i = 0; ; i++) m.set(i, [i]);" },
  "closures without end": { run: "let f = () => 1; for (;;) { const g = f; f = () => g; }" },
  "a leak from call to call": {
    run: `(globalThis.kept ??= []).push(new Uint8Array(16 << 20).fill(1)); ${next}`,
  },
  "memory when it is loaded": {
    before: "const all = []; for (;;) all.push(new Array(1 << 16).fill({}));",
    run: next,
  },
  // Stack
  "a call of itself": { run: "const f = () => 1 + f(); return String(f());" },
  "a toJSON of itself": {
    run: "const a = { toJSON() { return JSON.stringify(a) } }; return JSON.stringify(a);",
  },
  "an answer nested without end": {
    run: "let a = []; for (let i = 0; i < 1e6; i++) a = [a]; return JSON.stringify(a);",
  },
  "a chain of proxies": {
    run: `let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return String(p.x);`,
  },
  // Answers
  "an answer that is too long": { run: `return JSON.stringify("x".repeat(3_000_000));` },
  "an answer of very many parts": { run: `return '{"do":"next","x":[' + "{},".repeat(80_000) + "0]}";` },
  "an answer that says the same again and again": {
    run: `return "{" + '"do":"next",'.repeat(20_000) + '"do":"next"}';`,
  },
  "an answer nested as deep as it may": { run: `return "[".repeat(120_000) + "]".repeat(120_000);` },
  "an answer that is no JSON": { run: `return "[".repeat(1000);` },
  "an answer that closes what it stands in": { run: `return '1],[{"do":"respond","status":200}]';` },
  "an answer that looks like numbers": { run: `return "0,0,1,13;" + '{"do":"next"}';` },
  "an answer of half letters": { run: `return '"\\ud800';` },
  "an answer that is a number": { run: "return 1;" },
  "an answer that is an object": { run: "return { toString() { for (;;); } };" },
  "an answer that is a proxy": { run: "return new Proxy(function () {}, {});" },
  "no answer": { run: "return;" },
  "an error that cannot be told": { run: "throw { get message() { throw 1 }, toString() { throw 2 } };" },
  "a throw of nothing": { run: "throw undefined;" },
  // Its own entrance
  "an entrance that counts wrong": { before: "", run: next, settled: "" },
  "an entrance that changes under way": { run: `heddle.run = () => { for (;;); }; heddle.take = 1; ${next}` },
  "options that are never forgotten": {
    before: "setUnbind(() => { for (;;); });",
    run: next,
  },
  "what goes on after it was loaded": {
    before: "const t = { then(resolve) { resolve(t) } }; Promise.resolve(t);",
    run: next,
  },
  "a global object that it froze": { before: "Object.freeze(globalThis);", run: next },
  "a global object that it sealed under way": { run: `Object.seal(globalThis); ${next}` },
  "no entrance": { before: "globalThis.heddle = undefined;", run: next },
  "an entrance that is a proxy": {
    run: next,
    before: `setEntrance = (heddle) => new Proxy(heddle, { get(target, name) { return name === "run" ? new Proxy(() => {}, { apply(...all) { return all.length } }) : target[name] } });`,
  },
  "prototypes that lie": {
    before: `String.prototype.slice = Array.prototype.push = Array.prototype.join = () => { for (;;); };
      JSON.stringify = () => "}{"; Map.prototype.get = () => { throw 1 };`,
    run: "return JSON.stringify({});",
  },
  "a then on all objects": {
    before: "Object.prototype.then = function (resolve) { for (;;); };",
    run: `(async () => ({}))(); return "";`,
  },
  "setters on all objects": {
    before: `for (const name of ["data", "message", "text", "do"]) Object.defineProperty(Object.prototype, name, { set() { for (;;); }, configurable: true });`,
    run: `const x = {}; x.do = 1; ${next}`,
  },
  "a description without end": { before: "setDescription(() => { for (;;); });", run: next },
  "a description that is no JSON": { before: `setDescription(() => "}");`, run: next },
  "a description that is too long": {
    before: `setDescription(() => JSON.stringify("x".repeat(100_000)));`,
    run: next,
  },
  "options that are answered by nonsense": { before: `setBind(() => '{"issues":[{"path":1}]}');`, run: next },
  "options that are answered by a million issues": {
    before: `setBind(() => JSON.stringify({ issues: new Array(5_000).fill({ path: "x", message: "y" }) }));`,
    run: next,
  },
  "options that are never answered": { before: "setBind(() => { for (;;); });", run: next },
  "a bundle that never ends": { before: "for (;;);", run: next },
  "a bundle that throws": { before: "throw new Error('no');", run: next },
};

/** Lets what runs before choose other parts of the entrance. */
const choices = `let setEntrance = (heddle) => heddle;
const chosen = {};
const setDescription = (describe) => { chosen.describe = describe };
const setUnbind = (unbind) => { chosen.unbind = unbind };
const setBind = (bind) => { chosen.bind = bind };`;

export const runawayScripts: readonly (readonly [name: string, script: string])[] = Object.entries(
  runaways,
).map(([name, { run, before = "", settled }]) => {
  const script = scriptWith(run, `${choices} ${before}`, settled);
  return [name, `${script} globalThis.heddle = setEntrance({ ...globalThis.heddle, ...chosen });`];
});

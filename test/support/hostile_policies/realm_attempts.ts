/**
 * What code inside the realm could try once it got past the check of the bundle: expressions, and what may come of them.
 * They are run in a sealed host without that check.
 */

/** An error, or one of these words. */
export interface RealmAttempt {
  readonly code: string;
  readonly harmless: readonly string[];
}

const absent = ["undefined"];

export const realmAttempts: Readonly<Record<string, RealmAttempt>> = {
  "code from text": { code: `eval("1")`, harmless: [] },
  "code from text, indirectly": { code: `(0, eval)("1")`, harmless: [] },
  "maker of functions": { code: `(() => {}).constructor("return 1")()`, harmless: [] },
  "maker of functions by a class": { code: `(class {}).constructor.constructor("return 1")()`, harmless: [] },
  "maker of functions by Object": { code: `Object.constructor("return 1")()`, harmless: [] },
  "maker of async functions": { code: `(async () => {}).constructor("return 1")()`, harmless: [] },
  "maker of generators": { code: `(function* () {}).constructor("return 1")()`, harmless: [] },
  "maker of async generators": { code: `(async function* () {}).constructor("return 1")()`, harmless: [] },
  "maker of functions by Reflect": {
    code: `Reflect.getOwnPropertyDescriptor(Object.getPrototypeOf(function () {}), "constructor").value("return 1")()`,
    harmless: [],
  },
  "maker of functions by an error of the engine": {
    code: `(() => { try { null.x } catch (e) { return e.constructor.constructor("return 1")() } })()`,
    harmless: [],
  },
  "maker of functions by exhausted stack": {
    code: `(() => { const f = () => 1 + f(); try { f() } catch (e) { return e.constructor.constructor("return 1")() } })()`,
    harmless: [],
  },
  "maker of functions by a promise": {
    code: `(async () => {})().constructor.constructor("return 1")()`,
    harmless: [],
  },
  "maker of functions by import": { code: `import("x").constructor.constructor("return 1")()`, harmless: [] },
  "another realm": { code: `new ShadowRealm().evaluate("typeof process")`, harmless: [] },
  "shared memory": { code: `new SharedArrayBuffer(8).byteLength`, harmless: [] },
  "shared memory by WebAssembly": { code: `new WebAssembly.Memory({ initial: 1 })`, harmless: [] },
  "waiting without the event loop": { code: `Atomics.wait`, harmless: [] },
  "code after a collection": { code: `new FinalizationRegistry(() => {})`, harmless: [] },
  process: { code: `process.pid`, harmless: [] },
  "the process by globalThis": { code: `String(globalThis.process)`, harmless: absent },
  Bun: { code: `Bun.version`, harmless: [] },
  require: { code: `require("node:fs")`, harmless: [] },
  network: { code: `fetch("http://127.0.0.1")`, harmless: [] },
  timers: { code: `setTimeout(() => {}, 1)`, harmless: [] },
  "messages to the host": { code: `postMessage("x")`, harmless: [] },
  "the worker's scope": { code: `self`, harmless: [] },
  console: { code: `console.log("x")`, harmless: [] },
  "frames of the host by stack hooks": {
    code: `(() => { Error.prepareStackTrace = (_, frames) => frames; return Array.isArray(new Error().stack) })()`,
    harmless: ["false"],
  },
  "stack of the host": { code: `String(new Error("x").stack).includes("worker")`, harmless: ["false"] },
  "capture of the stack": { code: `Error.captureStackTrace({})`, harmless: [] },
  "the caller": { code: `(function f() { return f.caller })()`, harmless: [] },
  "the caller by arguments": { code: `(function () { return arguments.callee.caller })()`, harmless: [] },
  "the caller of the entrance": { code: `heddle.run.caller`, harmless: [] },
  "this of a plain function": { code: `String((function () { return this })())`, harmless: absent },
  "objects behind the global object": {
    code: `(() => { const names = []; for (let o = globalThis; o !== null; o = Object.getPrototypeOf(o)) names.push(...Object.getOwnPropertyNames(o)); return ["process", "Bun", "fetch", "require", "eval", "Function", "Loader", "self", "global", "Worker", "setTimeout", "queueMicrotask", "structuredClone"].filter((name) => names.includes(name)).join() })()`,
    harmless: [""],
  },
  "symbols of the global object": {
    code: `Object.getOwnPropertySymbols(globalThis).filter((symbol) => symbol !== Symbol.toStringTag).length`,
    harmless: ["0"],
  },
  "the host's inspector by a rejection": {
    code: `(() => { Promise.reject({ [Symbol.for("nodejs.util.inspect.custom")](...given) { globalThis.leak = given.length }, get stack() { globalThis.leak = 1 }, get message() { globalThis.leak = 1 } }); return String(globalThis.leak) })()`,
    harmless: absent,
  },
  "what the inspector left": { code: `String(globalThis.leak)`, harmless: absent },
  "a real clock": { code: `String(typeof Temporal) + String(typeof Intl)`, harmless: ["undefinedundefined"] },
};

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
const ours = ["ours"];

/** What the expression throws, or what it comes to: from the realm, or from outside? */
const caught = (code: string): RealmAttempt => ({
  code: `(() => { try { return foreign(${code}) } catch (error) { return foreign(error) } })()`,
  harmless: ours,
});
const rejected = (code: string): RealmAttempt => ({
  code: `${code}.then(foreign, foreign)`,
  harmless: ours,
});
/** The expression at every depth of the stack down to where it ends. */
const atTheEndOfTheStack = (code: string): RealmAttempt => ({
  code: `(() => {
    let found = "ours";
    const note = (value) => { if (foreign(value) !== "ours") found = "foreign" };
    let left = 200;
    const dive = () => {
      try { dive() } catch (error) { note(error) }
      if (left-- > 0) try { note(${code}) } catch (error) { note(error) }
    };
    dive();
    return found;
  })()`,
  harmless: ours,
});

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
  // Objects of this side would carry makers of functions, its own prototypes, and with them the thread's messages.
  "the error of a refused import": rejected(`import("x")`),
  "the error of a refused import of a builtin": rejected(`import("node:fs")`),
  "the error of a refused import of data": rejected(`import("data:text/javascript,export default 1")`),
  "the error of a refused import with attributes": rejected(`import("x", { with: { type: "json" } })`),
  "the error of a refused import with strange attributes": rejected(`import("x", 1)`),
  "the error of a refused import with attributes that throw": rejected(
    `import("x", { get with() { throw new Error("a") } })`,
  ),
  "the error of a refused import of a symbol": rejected(`import(Symbol())`),
  "the error of a refused import of what throws": rejected(`import({ toString() { return null.x } })`),
  "the error of an awaited import": rejected(`(async () => await import("x"))()`),
  "the error of an import in an async generator": rejected(
    `(async function* () { yield await import("x") })().next()`,
  ),
  "the promise of an import": { code: `foreign(import("x"))`, harmless: ours },
  "an import at the end of the stack": atTheEndOfTheStack(`import("x").then(note, note)`),
  "an import whose name exhausts the stack": rejected(
    `import({ toString() { const f = () => 1 + f(); return f() } })`,
  ),
  "an error of the engine by exhausted stack": caught(`(() => { const f = () => 1 + f(); return f() })()`),
  "an exhausted stack in a sort": caught(`(() => { const f = () => [2, 1].sort(f); return f() })()`),
  "an exhausted stack in a replacement": caught(
    `(() => { const f = () => "a".replace(/a/, f); return f() })()`,
  ),
  "an exhausted stack in JSON": caught(
    `(() => { let a = []; for (let i = 0; i < 20000; i++) a = [a]; return JSON.stringify(a) })()`,
  ),
  "names of the global object at the end of the stack": atTheEndOfTheStack(`Reflect.ownKeys(globalThis)`),
  "a new name of the global object at the end of the stack": atTheEndOfTheStack(`(globalThis.abc = {})`),
  "code from text at the end of the stack": atTheEndOfTheStack(`(() => {}).constructor("1")`),
  "a string that is too long": caught(`"x".repeat(2 ** 31)`),
  "an array that is too long": caught(`new Array(-1)`),
  "a buffer that is too long": caught(`new ArrayBuffer(2 ** 52)`),
  "a number that is too long": caught(`2n ** (2n ** 40n)`),
  "an expression that is too large": caught(`new RegExp("(".repeat(100000) + ")".repeat(100000))`),
  "an expression that is none": caught(`new RegExp("(")`),
  "JSON that is none": caught(`JSON.parse("{")`),
  "a locale that is none": caught(`(1).toLocaleString("@@")`),
  "a comparison in a locale that is none": caught(`"a".localeCompare("b", "@@")`),
  "a private name of another object": caught(
    `(() => { class A { #x; static of(o) { return o.#x } } return A.of({}) })()`,
  ),
  "a revoked proxy": caught(
    `(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy.x })()`,
  ),
  "nothing of all promises": rejected(`Promise.any([])`),
  "an iteration that cannot be": rejected(`Array.fromAsync({ get [Symbol.asyncIterator]() { return 1 } })`),
  "the iterator above all iterators": caught(
    `Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()))`,
  ),
  "the template of a tag": caught(`((strings) => strings)\`x\``),
  "the last match": caught(`(/a/.test("a"), RegExp.lastMatch)`),
  "the input of the last match": { code: `(/a/.test("a"), RegExp.input)`, harmless: ["a"] },
  "a species of its own": caught(
    `(class extends Array { static get [Symbol.species]() { return Array } }).from([1]).map((x) => x)`,
  ),
  "the prototype of the global object": caught(`Object.getPrototypeOf(globalThis)`),
  "another prototype of the global object": {
    code: `(() => { try { Object.setPrototypeOf(globalThis, {}); return "done" } catch (error) { return foreign(error) } })()`,
    harmless: ["ours", "done"],
  },
  "descriptors of the global object": caught(`Object.getOwnPropertyDescriptors(globalThis)`),
  "a maker of functions by what an import gives": {
    code: `import("x").catch((error) => error.constructor.constructor("return 1")())`,
    harmless: [],
  },
  "the prototypes of this side by an import": {
    code: `import("x").catch((error) => { Object.getPrototypeOf(Object.getPrototypeOf(Object.getPrototypeOf(error))).then = 1; return foreign(error) })`,
    harmless: ours,
  },
  "an import with attributes that throw": rejected(`import("x", { get with() { return null.x } })`),
  "an import with attributes that are none": rejected(`import("x", 1)`),
  "an import with an attribute that is no text": rejected(`import("x", { with: { type: 1 } })`),
  "an import with attributes of a proxy": rejected(
    `import("x", { with: new Proxy({ a: 1 }, { ownKeys() { return null.x } }) })`,
  ),
  "an import of a symbol": rejected(`import(Symbol())`),
  "a promise of a rejected import": rejected(`Promise.resolve(import("x"))`),
  "all of rejected imports": rejected(
    `Promise.allSettled([import("x")]).then(([{ reason }]) => { throw reason })`,
  ),
  "any of rejected imports": rejected(`Promise.any([import("x")])`),
  "an array of rejected imports": rejected(`Array.fromAsync([import("x")])`),
  "what a class of promises makes of an import": rejected(`(class extends Promise {}).resolve(import("x"))`),
  "an import in a generator": rejected(`(async function* () { yield import("x") })().next()`),
  "an import delegated to": rejected(`(async function* () { yield* await import("x") })().next()`),
  "a constant of the global object": caught(`Object.defineProperty(globalThis, "NaN", { value: 1 })`),
  "an assignment to a constant": caught(`(globalThis.undefined = 1)`),
  "a constant that is deleted": caught(`delete globalThis.NaN`),
  "an accessor that is none": caught(`Object.defineProperty(globalThis, "abd", { get: 1 })`),
  "an accessor of the global object": caught(
    `(Object.defineProperty(globalThis, "abe", { get() { return this }, configurable: true }), globalThis.abe)`,
  ),
  "a global object that is called": caught(`globalThis()`),
  "a global object that is constructed": caught(`new globalThis()`),
  "a class of the global object": caught(`class extends globalThis {}`),
  "entries of the global object": caught(`Object.entries(globalThis)`),
  "the global object as JSON": caught(`JSON.stringify(globalThis)`),
  "a name of the global object by a proxy": caught(
    `new Proxy(globalThis, { get(target, name, proxy) { return proxy } }).process`,
  ),
  "the global object under an object": caught(`Object.create(globalThis).process`),
  "the receiver of the global object": caught(`Reflect.get(globalThis, "process", {})`),
  "a setter below the global object": caught(`Reflect.set(Object.create(globalThis), "abf", 1)`),
  "what a foreign constructor would make": caught(
    `Reflect.construct(Object, [], new Proxy(function () {}, { get() { return undefined } }))`,
  ),
  "an error of its own kind by a proxy": caught(
    `Reflect.construct(TypeError, [], new Proxy(function () {}, { get() { return undefined } }))`,
  ),
  "a revoked proxy as constructor": caught(
    `(() => { const { proxy, revoke } = Proxy.revocable(function () {}, {}); revoke(); return Reflect.construct(Array, [], proxy) })()`,
  ),
  "an error's cause": caught(`new Error("x", { get cause() { return null.x } })`),
  "an error's stack": { code: `typeof new Error("x").stack`, harmless: ["string", "undefined"] },
  "an error that was suppressed": caught(`new SuppressedError(1, 2)`),
  "a disposal that fails": caught(
    `(() => { const stack = new DisposableStack(); stack.defer(() => null.x); stack.defer(() => null.y); return stack.dispose() })()`,
  ),
  "a disposal that fails later": rejected(
    `(() => { const stack = new AsyncDisposableStack(); stack.defer(() => null.x); return stack.disposeAsync() })()`,
  ),
  "a reviver of JSON": caught(`JSON.parse("[1]", function () { return this })`),
  "raw JSON": caught(`JSON.rawJSON("1")`),
  "an iterator of helpers": caught(`Iterator.from({ next() { return null.x } }).map((x) => x).next()`),
  "groups of a match": caught(`/(?<a>x)/.exec("x").groups`),
  "indices of a match": caught(`/(?<a>x)/d.exec("x").indices.groups`),
  "a date that is none": caught(`new Date(NaN).toISOString()`),
  "a date in a locale": caught(`new Date(0).toLocaleString("@@")`),
  "a normalisation that is none": caught(`"a".normalize("@@")`),
  "a symbol that is a number": caught(`+Symbol()`),
  "names of all symbols": caught(`Symbol.for("nodejs.util.inspect.custom")`),
  "bytes of a text that is none": caught(`Uint8Array.fromBase64("@@")`),
  "a buffer that was moved": caught(
    `(() => { const buffer = new ArrayBuffer(8); buffer.transfer(); return new Uint8Array(buffer) })()`,
  ),
  "errors of a getter at the end of the stack": atTheEndOfTheStack(`({ get x() { return null.x } }).x`),
  "a proxy at the end of the stack": atTheEndOfTheStack(`new Proxy({}, { get() { return null.x } }).x`),
  "JSON at the end of the stack": atTheEndOfTheStack(`JSON.parse("[[[[[[[[1]]]]]]]]")`),
  "a promise at the end of the stack": atTheEndOfTheStack(`Promise.reject(1).catch(note)`),
  "an async function at the end of the stack": atTheEndOfTheStack(`(async () => null.x)().catch(note)`),
  "a generator at the end of the stack": atTheEndOfTheStack(`[...(function* () { yield null.x })()]`),
  "an expression at the end of the stack": atTheEndOfTheStack(`new RegExp("(" + "a|".repeat(99))`),
  "a locale at the end of the stack": atTheEndOfTheStack(`"a".localeCompare("b", "@@")`),
  "a date at the end of the stack": atTheEndOfTheStack(`new Date(NaN).toISOString()`),
};

/** Bundles written by hand, past every check: for what the sealed host must withstand by itself. */

/** A script with the entrance that a worker looks for; `run` and `settled` are the bodies of what answers a call. */
export function scriptWith(run: string, before = "", settled = 'return "";'): string {
  return `"use strict"; ${before}
let calls = [];
globalThis.heddle = {
  describe: () => "{}",
  bind: () => '{"issues":[]}',
  unbind: () => "",
  take(batch) { calls = JSON.parse(batch)[1]; return calls.length; },
  run(index) { ${run} },
  settled(index) { ${settled} },
};`;
}

/**
 * `foreign(value)` says whether the value, or what it was made by, comes from outside of the realm: what it descends from is
 * not the realm's.
 */
const foreign = `const lineOf = (value) => {
  const line = [];
  for (let each = value; each !== null && each !== undefined; each = Object.getPrototypeOf(each)) line.push(each);
  return line;
};
const isThing = (value) => value !== null && (typeof value === "object" || typeof value === "function");
const ours = (value) => !isThing(value) || lineOf(value).at(-1) === Object.prototype || lineOf(value).length === 1;
const foreign = (value) => {
  if (!ours(value)) return "foreign";
  if (isThing(value) && !ours(value.constructor)) return "made by something foreign";
  return "ours";
};`;

/** Answers each call with what the expression named by the request's method gives, also when it gives it later. */
export function attemptScript(expressions: Readonly<Record<string, string>>): string {
  const table = Object.entries(expressions)
    .map(([name, code]) => `${JSON.stringify(name)}: () => ${code}`)
    .join(",\n");
  return scriptWith(
    `const gave = (value) => JSON.stringify({ gave: String(value) });
     const threw = (error) => JSON.stringify({ threw: error instanceof Error ? error.name : "?" });
     late.delete(index);
     try {
       const value = attempts[calls[index][2]]();
       if (!(value instanceof Promise)) return gave(value);
       value.then((value) => late.set(index, gave(value)), (error) => late.set(index, threw(error)));
       return "";
     } catch (error) { return threw(error) }`,
    `${foreign} const late = new Map(); const attempts = { ${table} };`,
    `return late.get(index) ?? "";`,
  );
}

/** Bodies of `run` that misbehave. */
export const misbehaving = {
  loop: "for (;;);",
  regex: `return String(/^(a+)+$/.test("a".repeat(60) + "b"));`,
  throw: `throw { get message() { throw 1 } };`,
  microtasks: `const again = () => Promise.resolve().then(again); again(); return '{"do":"next"}';`,
  number: "return 1;",
  nothing: "",
  brokenJson: `return "[".repeat(1000);`,
  hugeAnswer: `return JSON.stringify("x".repeat(3_000_000));`,
  leak: `(globalThis.kept ??= []).push(new Uint8Array(16 << 20).fill(1)); return '{"do":"next"}';`,
  exhaust: `const all = []; for (;;) all.push(new Array(1 << 16).fill({}));`,
} as const;

export const loadingForEver = "for (;;);";
export const throwingWhenLoaded = "throw { toString() { return 'told by itself' } };";
export const notAScript = "let let = (";

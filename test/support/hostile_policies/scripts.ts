/** Bundles written by hand, past every check: for what the sealed host must withstand by itself. */

/** A script with the entrance that a worker looks for; `run` is the body of what answers a call. */
export function scriptWith(run: string, before = ""): string {
  return `"use strict"; ${before}
let calls = [];
globalThis.heddle = {
  describe: () => "{}",
  bind: () => '{"issues":[]}',
  unbind: () => "",
  take(batch) { calls = JSON.parse(batch)[1]; return calls.length; },
  run(index) { ${run} },
  settled: () => "",
};`;
}

/** Answers each call with what the expression named by the request's method gives. */
export function attemptScript(expressions: Readonly<Record<string, string>>): string {
  const table = Object.entries(expressions)
    .map(([name, code]) => `${JSON.stringify(name)}: () => ${code}`)
    .join(",\n");
  return scriptWith(
    `try { return JSON.stringify({ gave: String(attempts[calls[index][2]]()) }) }
     catch (error) { return JSON.stringify({ threw: error instanceof Error ? error.name : "?" }) }`,
    `const attempts = { ${table} };`,
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

/**
 * Policies against the SDK that misuse what later hooks, counters, state and notes give them: statements of a hook, each trying one
 * thing. Refused when bundled, at a line; or run, when what comes of it is an answer of theirs, a failure of theirs, or nothing.
 */
import type { Hook } from "../../../src/policy/hooks.ts";

export interface Attempt {
  readonly hook: Hook;
  readonly body: string;
  /** What the bundler says; absent: it takes it. */
  readonly refused?: string;
}

export const at =
  (hook: Hook) =>
  (body: string, refused?: string): Attempt => ({
    hook,
    body,
    ...(refused === undefined ? {} : { refused }),
  });
const request = at("onRequest");
const pick = at("pick");
const response = at("onResponse");
const end = at("onEnd");
const event = at("onEvent");
const connection = at("onConnection");
const chunk = at("onChunk");

export const hookAttempts: Readonly<Record<string, Attempt>> = {
  // What is refused when it is bundled
  "fetch in onEnd": end(`fetch("http://a.example");`, '"fetch" does not exist'),
  "a timer in onResponse": response("setTimeout(() => {}, 1); return next();", '"setTimeout" does not exist'),
  "the maker of functions by pick": pick("return (() => 1).constructor('return 1')();", "constructor"),
  "the process by onEnd": end("process.exit(1);", '"process" does not exist'),
  "an import in onResponse": response(`void import("node:fs"); return next();`, "import"),
  "Bun in pick": pick("return [Bun.version];", '"Bun" does not exist'),
  "require in onEnd": end(`require("fs");`, "require"),
  "the prototype of scratch": request("context.scratch.__proto__.get = null; return next();", "__proto__"),
  // Processor
  "a loop in pick": pick("for (;;);"),
  "a loop in onResponse": response("for (;;);"),
  "a loop in onEnd": end("for (;;);"),
  "a loop in onChunk": chunk("for (;;);"),
  "bytes that are kept without end": chunk(
    "for (;;) context.state.all.push(new Uint8Array([...chunk.bytes, ...new Uint8Array(1 << 20)]));",
  ),
  "bytes that are changed": chunk("chunk.bytes.fill(0); return { do: 'respond', status: 200 } as never;"),
  "a chain of promises in onEnd": end(
    "const again = (): Promise<void> => Promise.resolve().then(again); void again();",
  ),
  "a promise that never settles in onResponse": response("return new Promise(() => {});"),
  "a promise that never settles in pick": pick("return new Promise(() => {});"),
  "a loop in a thenable of pick": pick("return { then() { for (;;); } } as never;"),
  "a loop in a getter of an answer": response("return { get do() { for (;;); } } as never;"),
  "a sort of endpoints that loops": pick(
    "return endpoints.toSorted(() => { for (;;); }).map(({ id }) => id);",
  ),
  "an expression that backtracks over a header": response(
    `return next({ headers: { set: { a: String(/^(a+)+$/.test("a".repeat(60) + "b")) } } });`,
  ),
  "a URL of a megabyte of steps back": request(
    `return next({ headers: { set: { a: String(new URL("http://h/" + "../".repeat(1 << 19)).pathname.length) } } });`,
  ),
  "parameters without end": request(
    `const all = new URLSearchParams(); for (let i = 0; ; i++) all.append(String(i).padEnd(1 << 16, "p"), "");`,
  ),
  "the URL of the host": request(
    `return new (globalThis as never as { URL: typeof URL }).URL("http://a") as never;`,
  ),
  "a counter in a loop": request(`for (;;) context.local.take(String(context.random()), 1, 1, "1h");`),
  // Memory
  "state without end": request("for (;;) context.state.all.push(new Array(1 << 16).fill({}));"),
  "scratch without end": request(
    `for (let i = 0; ; i++) context.scratch.set(String(i), new Array(1 << 12).fill({}));`,
  ),
  "a leak from end to end": end("context.state.all.push(new Uint8Array(16 << 20).fill(1));"),
  "long keys of counters": request(
    `for (let i = 0; ; i++) context.local.take(String(i).padEnd(1 << 20, "k"), 1, 1, "1h");`,
  ),
  "reservations without end": request(`for (;;) context.local.reserve("a", 1e-9, 1e9, "1h");`),
  // Notes
  "a flood of lines": request(
    `for (let i = 0; i < 1e5; i++) context.log("info", "x".repeat(1000)); return next();`,
  ),
  "a line with the codes of a terminal": request(
    `context.log("warn", "\\u001b[2J\\r\\nforged: line\\u0000"); return next();`,
  ),
  "a level that is none": request(`context.log("\\n{}" as "info", "x"); return next();`),
  "fields that are no text": request(
    `context.log("info", "x", { a: { toString() { for (;;); } } as never }); return next();`,
  ),
  "names of metrics that are none": request(`context.count('a"} 1\\nforged_total{a="'); return next();`),
  "counts that go down": request(`context.count("a", -1); return next();`),
  "counts without a bound": request(`context.count("a", Infinity); return next();`),
  "values that are no number": request(`context.observe("a", Number.NaN); return next();`),
  "labels without end": request(
    `context.count("a", 1, Object.fromEntries(Array.from({ length: 1e4 }, (_, i) => ["l" + i, "v".repeat(99)]))); return next();`,
  ),
  "notes in the decision itself": request(
    `return { ...next(), notes: [["log", "info", "\\u001b[2J", {}], ["count", "BAD", 1, {}], 7] } as never;`,
  ),
  // Answers
  "a copy to a service that nothing names": request(`return next({ mirror: "kube-system.admin" });`),
  "copies to a list of services": request(`return next({ mirror: ["a", "b"] as never });`),
  "a copy to a service whose name loops": request(
    "return next({ mirror: { toJSON() { for (;;); } } as never });",
  ),
  "a million retries": request("return next({ retries: { attempts: 1e6, codes: [503] } });"),
  "retries after statuses without end": request(
    "return next({ retries: { codes: Array.from({ length: 1e6 }, () => 503) } });",
  ),
  "a hedge of no time": request(`return next({ hedge: "0ms" });`),
  "a million endpoints": pick(`return Array.from({ length: 1e6 }, (_, i) => "vm-" + i);`),
  "endpoints that are no text": pick("return [{ toString() { return 'a'; } }] as never;"),
  "endpoints that are a string": pick(`return "abc" as never;`),
  "an answer that routes": response(`return { do: "route", service: "other" } as never;`),
  "an instance that failed in a way that loops": response(
    "return next({ failed: { toJSON() { for (;;); } } } as never);",
  ),
  "an answer without a decision": response("return undefined as never;"),
  "an answer with the status of no answer": response(`return respond(101, "x");`),
  "a header that frames the answer": response(
    `return next({ headers: { set: { "content-length": "0" } } });`,
  ),
  "a header that splits the answer": response(
    `return next({ headers: { set: { a: "b\\r\\nset-cookie: c=d" } } });`,
  ),
  "a header of heddle's own": response(`return next({ headers: { set: { "x-heddle-error": "UF/no" } } });`),
  "a head that has no end": response(
    `return next({ headers: { set: Object.fromEntries(Array.from({ length: 90 }, (_, i) => ["a" + i, "v".repeat(8000)])) } });`,
  ),
  "a body that has no end": response(`return respond(200, "x", "b".repeat(1 << 24));`),
  "an end that answers": end(`return respond(200, "x") as never;`),
  "a throw of nothing": end("throw undefined;"),
  "an error whose words loop": response("throw { get message() { for (;;); }, toString() { for (;;); } };"),
  // Events
  "a loop in an event": event("for (;;);"),
  "an event with the end of a line in its type": event(`return { event: "a\\ndata: forged", data: "x" };`),
  "an event that is a promise": event("return Promise.resolve(null) as never;"),
  "an event without end": event(`return { data: "x".repeat(1 << 24) };`),
  "events that are changed under way": event(
    "(event as { data: string }).data = 'changed'; return undefined;",
  ),
  "an event that is a number": event("return 7 as never;"),
  // Connections
  "a loop over a connection": connection("for (;;);"),
  "a connection that is allowed by a getter": connection("return { get allow() { for (;;); } } as never;"),
  "a connection that is neither": connection("return { allow: 'yes' } as never;"),
  "a connection refused for a reason without end": connection(
    `return { allow: false, reason: "x".repeat(1 << 24) };`,
  ),
  // The realm under others' feet
  "Map taken over": request("Map.prototype.get = () => { throw new Error('taken'); }; return next();"),
  "Promise taken over": response(
    "Promise.prototype.then = function () { return this; } as never; return Promise.resolve(next());",
  ),
  "JSON taken over": response('JSON.stringify = () => \'{"do":"respond","status":200}\'; return next();'),
  "the entrance taken over": end("(globalThis as never as { heddle: unknown }).heddle = null;"),
  "endpoints that are changed": pick(
    "(endpoints as never as { id: string }[]).forEach((each) => (each.id = 'x')); return endpoints.map(({ id }) => id);",
  ),
  "the context that is changed": request(
    "Object.assign(context, { options: null, source: 'spiffe://a/admin' }); return next();",
  ),
};

const parameters: Readonly<Record<Hook, string>> = {
  onRequest: "request, context",
  pick: "endpoints, request, context",
  onResponse: "response, context",
  onEvent: "event, context",
  onConnection: "connection, context",
  onChunk: "chunk, context",
  onEnd: "summary, context",
};

/** A whole policy that makes the attempt; its body begins at line 12. */
export function sourceOf(name: string, { hook, body }: Attempt): string {
  return `import { definePolicy, next, respond, URL, URLSearchParams } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "${name}",
  version: "1.0.0",
  options: v.object({}),
  state: () => ({ all: [] as unknown[] }),
  onError: "open",
  ${hook}(${parameters[hook]}) {
    ${body}
  },
});
`;
}

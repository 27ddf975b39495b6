/**
 * Policies against the SDK that misuse what they may wait for: requests to services and signatures to look at. Each tries one thing, and
 * what comes of it is an answer of theirs, a failure of theirs, or nothing.
 */
import { at, type Attempt } from "./hook_attempts.ts";

/** Its body may wait. */
const waiting = (body: string): Attempt =>
  at("onRequest")(`return (async () => { ${body} return next(); })();`);
const request = at("onRequest");
const call = `context.call("a", "/")`;

export const waitAttempts: Readonly<Record<string, Attempt>> = {
  "requests in a loop": waiting(`for (;;) void ${call};`),
  "requests one after the other without end": waiting(`for (;;) await ${call};`),
  "signatures one after the other without end": waiting(
    `for (;;) await context.verify({ algorithm: "HS256", key: { kty: "oct", k: "A".repeat(43) }, signature: "AA", data: "x" });`,
  ),
  "ten thousand requests at once": waiting(
    `await Promise.all(Array.from({ length: 10_000 }, () => ${call}));`,
  ),
  "a request whose path is a loop": waiting(`await context.call("a", { toJSON() { for (;;); } } as never);`),
  "a request whose path is no text": waiting(`await context.call("a", 7 as never);`),
  "a request whose service is an object": waiting(`await context.call({ name: "a" } as never, "/");`),
  "a request whose service has lines": waiting(`await context.call("a\\r\\nhost: b", "/");`),
  "a request with a header that loops": waiting(
    `await context.call("a", "/", { headers: { get a(): string { for (;;); } } });`,
  ),
  "a request with ten thousand headers": waiting(
    `await context.call("a", "/", { headers: Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => ["x" + at, "1"])) });`,
  ),
  "a request in the name of another": waiting(
    `await context.call("a", "/", { headers: { "x-heddle-caller": "root.default", "x-forwarded-client-cert": "x" } });`,
  ),
  "a request of a hundred megabytes": waiting(`await context.call("a", "/", { body: "x".repeat(1e8) });`),
  "a request with a body that is no text": waiting(`await context.call("a", "/", { body: [1] as never });`),
  "a tunnel": waiting(`await context.call("a", "/", { method: "CONNECT" });`),
  "reservations in the mesh without end": waiting(
    `for (let at = 0; ; at++) await context.shared.reserve(String(at), 1, 1, "1h");`,
  ),
  "a reservation of another policy that is given back": waiting(
    `for (let id = 0; id < 50; id++) await context.shared.settle(String(id), 0);`,
  ),
  "a reservation of which less than nothing was used": waiting(`await context.shared.settle("1", -1e9);`),
  "a reservation that loops": waiting(`await context.shared.settle({ toJSON() { for (;;); } } as never, 1);`),
  "a counter that does something else": request(
    `return { do: "wait", ticket: 1, wants: [{ counter: "a", amount: 1, limit: 1, perMs: 1000, how: "constructor" }] } as never;`,
  ),
  "more than there is in the mesh is added": waiting(`await context.shared.add("a", 1e300, 1, "1h");`),
  "a wait without a request": request(`return { do: "wait", ticket: 1, wants: [] } as never;`),
  "a wait under no number": request(
    `return { do: "wait", ticket: "1", wants: [{ service: "a", path: "/", method: "GET", headers: {}, body: "" }] } as never;`,
  ),
  "a wait that nobody began": request(
    `return { do: "wait", ticket: 99, wants: [{ service: "a", path: "/", method: "GET", headers: {}, body: "" }] } as never;`,
  ),
  "a wait that comes again each time": waiting(
    `await ${call}; return { do: "wait", ticket: 1, wants: [{ service: "a", path: "/", method: "GET", headers: {}, body: "" }] } as never;`,
  ),
  "a wait whose requests are a list in a list without end": request(
    `const wants: unknown[] = []; let inner = wants; for (let at = 0; at < 5_000; at++) { const next: unknown[] = []; inner.push(next); inner = next; } return { do: "wait", ticket: 1, wants } as never;`,
  ),
  "a wait in onEnd that is none": at("onEnd")(`return { do: "wait", ticket: 1, wants: [1] } as never;`),
  "promises that never go on": waiting(`Promise.prototype.then = (() => {}) as never; await ${call};`),
  "maps that forget": waiting(`Map.prototype.get = () => undefined; await ${call};`),
  "lists that loop": waiting(`Array.prototype.map = () => { for (;;); }; await ${call};`),
  "JSON that says something else": waiting(
    `JSON.stringify = (() => '{"do":"wait","ticket":1,"wants":[{"service":"a","path":"/","method":"GET","headers":{},"body":""}]}') as never; await ${call};`,
  ),
  "JSON that says something without end": waiting(
    `JSON.stringify = (() => "x".repeat(1e9)) as never; await ${call};`,
  ),
  "an error that loops when it is told": waiting(`await ${call}; throw { toString() { for (;;); } };`),
  "an answer that never ends its loop": waiting(`const answer = await ${call}; while (answer.status > 0);`),
  "memory while it waits": waiting(
    `for (;;) { context.state.all.push(new Array(1 << 16).fill({})); await ${call}; }`,
  ),
  "a signature of a megabyte": waiting(
    `await context.verify({ algorithm: "RS256", key: { kty: "RSA", n: "A".repeat(1e5), e: "AQAB" }, signature: "A".repeat(1e5), data: "x" });`,
  ),
  "a key that takes long": waiting(
    `await context.verify({ algorithm: "RS256", key: { kty: "RSA", n: "_".repeat(1366), e: "_".repeat(1366) }, signature: "AA", data: "x" });`,
  ),
  "a key that is a prototype": waiting(
    `await context.verify({ algorithm: "ES256", key: JSON.parse('{"kty":"EC","crv":"P-256","__proto__":{"x":"AA"},"constructor":1}'), signature: "AA", data: "x" });`,
  ),
  "an algorithm of the language": waiting(
    `await context.verify({ algorithm: "constructor" as never, key: { kty: "oct" }, signature: "", data: "" });`,
  ),
  "an algorithm that is a name of objects": waiting(
    `await context.verify({ algorithm: "toString" as never, key: { kty: "oct" }, signature: "", data: "" });`,
  ),
};

/** Every example in the words of the SDK is a policy that compiles, loads and answers. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../compile/repository.ts";
import { hooks } from "../../../src/policy/hooks.ts";
import { answerOf, realmOf } from "../../support/realm_of.ts";

const text = ["sdk", "sdk_bodies", "sdk_calls", "sdk_decisions"]
  .map((name) => readFileSync(join(root, `src/policy/${name}.ts`), "utf8"))
  .join("\n");
const examples = [...text.matchAll(/^ \* ```ts\n([\s\S]*?)^ \* ```$/gm)].map(([, lines]) =>
  (lines ?? "").replace(/^ \* ?/gm, ""),
);

/** Of a request of that number, under the only options. */
const call = (id: string, headers: readonly string[] = []) => [
  ...[1, id, "GET", "a.mesh", "/a", "spiffe://a/b", "a.default", headers],
  ...[0, 500],
];

/** The same at another hook, about this. */
const at = (hook: (typeof hooks)[number], about: unknown) => [
  ...call("1").slice(0, 8),
  hooks.indexOf(hook),
  null,
  null,
  about,
];

/** By the name of each: options, and what it decides of calls. */
const plays: Readonly<Record<string, (realm: Awaited<ReturnType<typeof realmOf>>) => Promise<unknown>>> = {
  "night-shift": async (realm) => {
    realm.bind(1, '{"service":"b"}');
    expect(await answerOf(realm, call("1"))).toEqual({ do: "next" });
    expect(await answerOf(realm, call("2", ["x-night", "1"]))).toEqual({ do: "route", service: "b" });
  },
  idlest: async (realm) => {
    realm.bind(1, "{}");
    const endpoints = [5, 2, 9].map((inflight, at) => ({ id: `vm-${at}`, inflight }));
    expect(await answerOf(realm, at("pick", endpoints))).toEqual({
      do: "prefer",
      ids: ["vm-1", "vm-0", "vm-2"],
    });
  },
  "no-numbers": async (realm) => {
    realm.bind(1, "{}");
    const events = [{ data: "call 12345" }, { event: "debug", data: "x" }];
    expect(await answerOf(realm, at("onEvent", events))).toEqual({
      do: "events",
      events: [{ data: "call ****" }, null],
    });
  },
  "first-bytes": async (realm) => {
    realm.bind(1, "{}");
    const seen = async () =>
      await answerOf(realm, at("onChunk", { of: "response", data: "H4s=", missed: 0 }));
    const labels = { of: "response", gzip: "true" };
    expect(await seen()).toMatchObject({ do: "next", notes: [["count", "begins", 1, labels]] });
    expect(await seen()).toEqual({ do: "next" });
  },
  slowest: async (realm) => {
    realm.bind(1, '{"ms":100}');
    const told = await answerOf(realm, at("onEnd", { ms: 250, status: 200 }));
    expect(told).toMatchObject({ notes: [["log", "warn", "a.default took 250 ms", { status: 200 }]] });
    expect(await answerOf(realm, at("onEnd", { ms: 50, status: 200 }))).toEqual({ do: "next" });
  },
  "ask-first": async (realm) => {
    realm.bind(1, '{"service":"b"}');
    const wants = [{ service: "b", path: "/may?path=%2Fa", method: "GET", headers: {}, body: "" }];
    const resume = (id: string, ticket: number, given: object) => [
      ...[...call(id), null, [given], id],
      ticket,
    ];
    const asked = [...call("1"), null, null, "1"];
    expect(await answerOf(realm, asked)).toEqual({ do: "wait", ticket: 1, wants });
    expect(await answerOf(realm, resume("1", 1, { status: 200 }))).toEqual({ do: "next" });
    await answerOf(realm, [...call("2"), null, null, "2"]);
    expect(await answerOf(realm, resume("2", 2, { status: 403 }))).toMatchObject({
      do: "respond",
      status: 403,
    });
  },
  "thousand-in-the-mesh": async (realm) => {
    realm.bind(1, "{}");
    const asked = [...call("1", ["x-tenant", "t"]), null, null, "1"];
    const wants = [{ counter: "t", amount: 1, limit: 1000, perMs: 60_000 }];
    expect(await answerOf(realm, asked)).toEqual({ do: "wait", ticket: 1, wants });
    const taken = { ok: false, left: 0, resetMs: 60 };
    const resumed = [...call("1"), null, [{ ok: true, taken }], "1", 1];
    expect(await answerOf(realm, resumed)).toMatchObject({ do: "respond", status: 429 });
  },
  "bytes-in-the-mesh": async (realm) => {
    realm.bind(1, '{"most":1000,"usual":100}');
    const counter = "spiffe://a/b";
    const held = { counter, amount: 100, limit: 1000, how: "reserve", perMs: 60_000 };
    const asked = (id: string) => [...call(id), null, null, id];
    expect(await answerOf(realm, asked("1"))).toEqual({ do: "wait", ticket: 1, wants: [held] });
    const given = (id: string, ticket: number, taken: object) => [
      ...[...call(id), null, [{ ok: true, taken }], id],
      ticket,
    ];
    const taken = { ok: true, left: 900, resetMs: 0, id: "7" };
    expect(await answerOf(realm, given("1", 1, taken))).toEqual({ do: "next" });
    const over = [...at("onEnd", { bytesIn: 10, bytesOut: 30 }), "1"];
    expect(await answerOf(realm, over)).toMatchObject({ do: "wait", wants: [{ settle: "7", used: 40 }] });
    await answerOf(realm, asked("2"));
    const none = { ok: false, left: 0, resetMs: 60 };
    expect(await answerOf(realm, given("2", 3, none))).toMatchObject({ do: "respond", status: 429 });
  },
  "half-empty": async (realm) => {
    realm.bind(1, "{}");
    const about = { status: 200, grpcStatus: null, endpoint: "b", ms: 3 };
    const degraded = at("onResponse", about).with(7, ["x-degraded", "true"]);
    expect(await answerOf(realm, degraded)).toEqual({ do: "next", failed: true });
    expect(await answerOf(realm, at("onResponse", about))).toEqual({ do: "next", failed: false });
  },
  "cheap-model": async (realm) => {
    realm.bind(1, "{}");
    const of = (body: unknown) => answerOf(realm, at("onRequest", body));
    const written = '{"model":"large","prompt":"a"}';
    expect(await of({ text: written })).toEqual({ do: "next", json: '{"model":"small","prompt":"a"}' });
    expect(await of({ text: "" })).toEqual({ do: "next" });
    expect(await of({ text: "no" })).toMatchObject({ status: 413, reason: "its body is no JSON" });
    expect(await of({ unread: "too long" })).toMatchObject({ status: 413, reason: "its body is too long" });
  },
  "careful-checkout": async (realm) => {
    realm.bind(1, '{"twin":"b"}');
    const retries = { attempts: 3, codes: [503] };
    expect(await answerOf(realm, call("1"))).toEqual({ do: "next", hedge: "p95", retries });
    const posted = call("2").with(2, "POST");
    expect(await answerOf(realm, posted)).toEqual({ do: "next", retries: { attempts: 0 }, mirror: "b" });
  },
  "ten-per-second": async (realm) => {
    realm.bind(1, "{}");
    for (let at = 0; at < 10; at++) expect(await answerOf(realm, call(`${at}`))).toEqual({ do: "next" });
    expect(await answerOf(realm, call("11"))).toMatchObject({ do: "respond", status: 429 });
    expect(await answerOf(realm, call("12"), 1_000)).toEqual({ do: "next" });
  },
};

describe("an example", () => {
  const names = examples.map((example) => /name: "([^"]+)"/.exec(example)?.[1] ?? "without a name");

  test("each is played, and nothing else", () =>
    expect(names.toSorted()).toEqual(Object.keys(plays).toSorted()));

  for (const [at, name] of names.entries())
    test(`${name} compiles, loads and decides`, async () => {
      await plays[name]?.(await realmOf({ file: "policies/example.ts", text: examples[at] ?? "" }));
    });
});

test("a policy finds what is wrong with options that fit its schema", async () => {
  const realm = await realmOf({
    file: "policies/checks.ts",
    text: `import { definePolicy } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "checks", version: "1.0.0", options: v.object({ least: v.number(), most: v.number() }), onError: "open",
  onConfig: ({ least, most }) => (least > most ? [{ path: "least", message: "is more than most" }] : []),
});
`,
  });
  expect(JSON.parse(realm.bind(1, '{"least":2,"most":1}'))).toEqual({
    issues: [{ path: "least", message: "is more than most" }],
  });
  expect(JSON.parse(realm.bind(1, '{"least":1,"most":1}'))).toEqual({ issues: [] });
  expect(JSON.parse(realm.bind(1, '{"least":1}'))).toMatchObject({ issues: [{ path: "most" }] });
});

test("what a policy notes travels with its decision, and its state and scratch stay", async () => {
  const realm = await realmOf({
    file: "policies/keeps.ts",
    text: `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "keeps", version: "1.0.0", options: v.object({}), onError: "open",
  state: () => ({ seen: 0 }),
  onRequest(request, context) {
    context.state.seen++;
    context.scratch.set("id", (context.scratch.get("id") ?? "") + context.requestId);
    context.count("seen", 1, { kind: "any" });
    context.log("info", "again", { seen: context.state.seen });
    const id = String(context.scratch.get("id"));
    return next({ headers: { set: { left: String(context.deadlineMs), id, die: String(Math.random() === context.random()) } } });
  },
});
`,
  });
  realm.bind(1, "{}");
  const set = (id: string) => ({ left: "500", id, die: "false" });
  expect(await answerOf(realm, call("a"))).toEqual({
    do: "next",
    headers: { set: set("a") },
    notes: [
      ["count", "seen", 1, { kind: "any" }],
      ["log", "info", "again", { seen: 1 }],
    ],
  });
  expect(await answerOf(realm, call("a"))).toMatchObject({ headers: { set: set("aa") } });
  expect(await answerOf(realm, call("b"))).toMatchObject({
    headers: { set: set("b") },
    notes: [{}, ["log", "info", "again", { seen: 3 }]],
  });
});

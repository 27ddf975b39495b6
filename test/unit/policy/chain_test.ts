/** The policies of one request: in order, ended by the first answer, and failing as each says it fails. */
import { describe, expect, test } from "bun:test";
import type { PolicyBinding, PolicyRef } from "../../../src/model/snapshot.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { PolicyVerdict, Reach } from "../../../src/policy/verdict.ts";
import type { PolicyAnswer, PolicyCall } from "../../../src/policy/policy_call.ts";
import { HeadFields } from "../../../src/wire/head_fields.ts";
import { readTarget } from "../../../src/wire/target.ts";
import { runtime } from "../../support/runtime_under_test.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";

const call: PolicyCall = {
  hook: "onRequest",
  method: "GET",
  authority: "cart.mesh",
  target: "/",
  fields: new HeadFields(),
  sourceId: "",
  service: { name: "cart", namespace: "shop" },
  requestId: "1",
};

/** The service that was called takes no escaped slash, every other one does; `ghost` and its like are not there. */
const reach: Reach = {
  has: (service, subset) => !service.startsWith("ghost") && subset !== "v9",
  read: (service, target) =>
    readTarget({ escapedSlashes: service === "cart.shop" ? "refuse" : "keep" }, target.target),
};

interface Played {
  readonly verdict: PolicyVerdict;
  readonly asked: readonly string[];
  readonly tripped: readonly string[];
}

/** Runs policies whose answers are given, all with these options; the names of those that fail open begin with `open`. */
function play(
  answers: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, unknown>> = {},
): Played {
  const asked: string[] = [];
  const tripped: string[] = [];
  let verdict: PolicyVerdict | null = null;
  const host = {
    refOf: (hash: string): PolicyRef | null =>
      hash === "absent"
        ? null
        : {
            hash,
            name: hash,
            version: "1",
            onError: hash.startsWith("open") ? "open" : "closed",
            cpuMs: 2,
          },
    evaluate(binding: PolicyBinding, _call: unknown, answer: (answer: PolicyAnswer) => void) {
      asked.push(binding.hash);
      const decision = answers[binding.hash];
      if (decision instanceof Error) answer({ ok: false, reason: decision.message, us: 0 });
      else answer({ ok: true, decision, us: 1 });
    },
    trip: (hash: string) => void tripped.push(hash),
  };
  const bindings = Object.keys(answers).map((hash) => ({ hash, name: hash, options }));
  createPolicyChain(host, runtime.clock).evaluate(bindings, call, (given) => (verdict = given), reach);
  if (verdict === null) throw new Error("There was no verdict");
  return { verdict, asked, tripped };
}

test("without policies the verdict comes at once", () => {
  expect(play({}).verdict).toEqual({
    do: "next",
    edits: { remove: [], set: [], add: [] },
    target: null,
    records: [],
  });
});

test("of times that several give the shortest counts", () => {
  const says = (timeout: string) => ({ do: "next", timeout });
  const { verdict } = play({ a: says("2s"), b: says("100ms"), c: says("1s") });
  expect(verdict).toMatchObject({ do: "next", timeoutMs: 100 });
});

test("of retries each field is the last one that says it, and copies go to each service once", () => {
  const { verdict } = play(
    {
      a: { do: "next", retries: { attempts: 3, perTry: "1s" }, hedge: "p95", mirror: "twin" },
      b: { do: "next", mirror: "other" },
      c: { do: "next", retries: { attempts: 1 }, hedge: "off", mirror: "twin.shop" },
      d: { do: "next", mirror: "ghost" },
    },
    { to: ["twin", "other", "ghost"] },
  );
  expect(verdict).toMatchObject({
    do: "next",
    retries: { attempts: 1, perTryMs: 1_000 },
    hedge: "off",
    mirrors: ["twin", "other"].map((name) => ({ name, namespace: "shop" })),
  });
});

test("a copy goes only where the options lead", () => {
  const { verdict, tripped } = play({ a: { do: "next", mirror: "elsewhere" } }, { to: "twin" });
  expect([verdict.do, tripped]).toEqual(["error", ["a"]]);
});

test("one that has nothing to decide at this hook is not asked, even where it is not known", () => {
  const host = { refOf: () => null, evaluate: () => expect.unreachable(), trip: () => expect.unreachable() };
  const bindings = [{ hash: "a", name: "a", options: {}, hooks: [] }];
  const verdicts: PolicyVerdict[] = [];
  createPolicyChain(host, runtime.clock).evaluate(bindings, call, (given) => verdicts.push(given), reach);
  expect(verdicts).toMatchObject([{ do: "next", records: [] }]);
});

test("one that is gone lets no connection pass: nobody can say that it would have", () => {
  const asked: string[] = [];
  const host = {
    refOf: () => null,
    evaluate: ({ hash }: PolicyBinding, _call: unknown, answer: (answer: PolicyAnswer) => void) => {
      asked.push(hash);
      answer({ ok: false, reason: "its bundle is not here", us: 0 });
    },
    trip: () => {},
  };
  const chain = createPolicyChain(host, runtime.clock);
  const verdicts = ["", "of requests alone"].map((hash) => {
    let verdict: PolicyVerdict | null = null;
    const gone = [{ hash, name: "limits", options: {} }];
    chain.evaluate(
      gone,
      { ...call, hook: "onConnection", method: "tcp" },
      (given) => (verdict = given),
      null,
    );
    return verdict;
  });
  expect(verdicts).toMatchObject([{ do: "error", outcome: { flag: "PE" } }, { do: "next" }]);
  expect(asked).toEqual([""]);
});

test("each is asked in order and all edits are taken", () => {
  const { verdict, asked } = play({
    a: { do: "next", headers: { set: { x: "1" } }, path: "/a" },
    b: { do: "next", headers: { set: { y: "2" } } },
  });
  expect(asked).toEqual(["a", "b"]);
  expect(verdict).toMatchObject({
    do: "next",
    edits: { set: ["x", "1", "y", "2"] },
    target: { target: "/a" },
  });
  expect(verdict.records.map(({ name, hook, action }) => [name, hook, action])).toEqual([
    ["a", "onRequest", "next"],
    ["b", "onRequest", "next"],
  ]);
});

test("policies that write more than a head has room for only together fail where it is too much", () => {
  const fields = (name: string) => ({
    set: Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`${name}-${at}`, "v".repeat(4_000)])),
  });
  const { verdict, tripped } = play({
    a: { do: "next", headers: fields("a") },
    openly: { do: "next", headers: fields("b"), path: "/b" },
    c: { do: "next", headers: fields("a") },
  });
  expect(tripped).toEqual(["openly"]);
  expect(verdict).toMatchObject({ do: "next", edits: fieldsOf(fields("a").set), target: null });
  expect(verdict.records).toMatchObject([{ failure: null }, { failure: "invalid" }, { failure: null }]);
});

function fieldsOf(set: Readonly<Record<string, string>>): unknown {
  return { set: Object.entries(set).flat() };
}

test("the first route ends it, in the namespace of the service when none is said", () => {
  const options = { values: [{ service: "cart" }, "cart.other"] };
  const to = (service: string): Played =>
    play({ a: { do: "route", service, subset: "v2" }, b: { do: "next" } }, options);
  const { verdict, asked } = to("cart");
  expect(asked).toEqual(["a"]);
  expect(verdict).toMatchObject({ do: "route", service: { name: "cart", namespace: "shop" }, subset: "v2" });
  expect(verdict).toMatchObject({ policy: "a" });
  expect(verdict.records).toMatchObject([{ action: "route", said: "cart/v2", failure: null, reason: "" }]);
  expect(to("cart.shop").verdict).toMatchObject({ service: { name: "cart", namespace: "shop" } });
  expect(to("cart.other").verdict).toMatchObject({ service: { name: "cart", namespace: "other" } });
});

test("a route to a service that the options do not name is a failure of the policy", () => {
  const options = { service: "beta", deep: { list: ["gamma.other"] }, delta: 1 };
  const to = (service: string): Played => play({ a: { do: "route", service } }, options);
  for (const allowed of ["beta", "beta.shop", "gamma.other"]) expect(to(allowed).verdict.do).toBe("route");
  for (const refused of ["cart", "beta.other", "gamma", "gamma.shop", "delta", "Beta", "beta.shop.x"]) {
    const { verdict, tripped } = to(refused);
    expect([refused, verdict.do, tripped]).toEqual([refused, "error", ["a"]]);
    expect(verdict.records).toMatchObject([{ action: "error", failure: "invalid" }]);
    expect(verdict.records[0]?.reason).toBe(`it routes to "${refused}", which its options do not name`);
  }
  const open = play({ open: { do: "route", service: "cart", headers: { set: { x: "1" } } } }, options);
  expect(open.verdict).toMatchObject({ do: "next", edits: { set: [] } });
});

test("a route to what is named and not there is a failure that is not held against the policy", () => {
  const options = { to: ["ghost", "beta"] };
  for (const [service, subset, says] of [
    ["ghost", undefined, "it routes to ghost.shop, which is not known here"],
    ["beta", "v9", 'it routes to the subset "v9" of beta.shop, which is not known here'],
  ] as const) {
    const route = { do: "route", service, subset };
    const { verdict, tripped } = play({ a: route }, options);
    expect([verdict.do, tripped]).toEqual(["error", []]);
    expect(verdict.records).toMatchObject([{ action: "error", failure: "invalid", reason: says }]);
    expect(play({ open: route }, options).verdict.do).toBe("next");
  }
});

test("a path is one that the service takes for which the request is then, or the policy failed", () => {
  const options = { to: "beta" };
  const path = "/a%2fb";
  expect(play({ a: { do: "route", service: "beta", path } }, options).verdict).toMatchObject({
    do: "route",
    target: { target: "/a%2Fb" },
  });
  const { verdict, tripped } = play({ a: { do: "next", path } });
  expect([verdict.do, tripped]).toEqual(["error", ["a"]]);
  expect(verdict.records[0]?.reason).toBe('cart.shop takes no path like "/a%2Fb"');
  const headers = { set: { x: "1" } };
  expect(play({ open: { do: "next", path, headers } }).verdict).toMatchObject({
    do: "next",
    edits: { set: [] },
    target: null,
  });
});

test("the first answer ends it, and its reason is in the record alone", () => {
  const { verdict, asked } = play({ a: { do: "respond", status: 403, reason: "no" }, b: { do: "next" } });
  expect(asked).toEqual(["a"]);
  expect(verdict).toMatchObject({ do: "respond", status: 403, body: "", policy: "a" });
  expect(verdict.records).toMatchObject([{ action: "respond", said: "403", reason: "no" }]);
});

describe("a failure", () => {
  test("of one that fails open is passed over", () => {
    const { verdict, asked } = play({
      open: new Error("it hangs"),
      b: { do: "next", headers: { set: { y: "2" } } },
    });
    expect(asked).toEqual(["open", "b"]);
    expect(verdict).toMatchObject({ do: "next", edits: { set: ["y", "2"] } });
    expect(verdict.records[0]).toMatchObject({ action: "error", failure: "unanswered", reason: "it hangs" });
  });

  test("of one that fails closed ends the request with its name", () => {
    const { verdict, asked } = play({ closed: new Error("it hangs"), b: { do: "next" } });
    expect(asked).toEqual(["closed"]);
    expect(verdict).toMatchObject({ do: "error", outcome: { flag: "PE", side: "policy", status: 503 } });
    expect(verdict.do === "error" && verdict.outcome.detail).toContain('"closed" of cart.shop');
  });

  test("tells its caller the name of the policy, and the record why", () => {
    const reason = "policies/a.ts:3:4: TypeError: the secret is undefined";
    const { verdict } = play({ closed: { do: "fail", reason } });
    expect(JSON.stringify(verdict.do === "error" && verdict.outcome)).not.toContain("TypeError");
    expect(verdict.records).toMatchObject([{ action: "error", failure: "throw", reason }]);
  });

  test("of one that is not here fails closed", () => {
    expect(play({ absent: new Error("its bundle is not here") }).verdict.do).toBe("error");
  });

  test("to decide counts against the policy; one of its host was counted there", () => {
    expect(play({ closed: { do: "explode" } }).tripped).toEqual(["closed"]);
    expect(play({ open: { do: "fail", reason: "it threw" } }).tripped).toEqual(["open"]);
    expect(play({ open: new Error("it hangs") }).tripped).toEqual([]);
  });
});

test("what is asked about the rest of an exchange keeps no body of its request", () => {
  const policies = new ScriptedPolicies();
  const binding = { ...policies.binding(), bodies: { request: 100 } };
  const body = { text: '"of the request"', bytes: 16, unread: null };
  let verdict: PolicyVerdict | null = null;
  createPolicyChain(policies, runtime.clock).evaluate(
    [binding],
    { ...call, body },
    (said) => (verdict = said),
    null,
  );
  expect(policies.asked[0]?.body).toEqual(body);
  policies.asked.length = 0;
  const { later } = verdict as unknown as PolicyVerdict;
  const kept = Bun.inspect(later, { depth: 9 });
  expect(kept).toContain("cart.mesh");
  expect(kept).not.toContain("of the request");
});

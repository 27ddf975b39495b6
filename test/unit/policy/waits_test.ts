/** A hook that waits: what its realm asks for, what it is given, and what it decides then. */
import { describe, expect, test } from "bun:test";
import { answerOf, realmOf } from "../../support/realm_of.ts";

const source = (body: string) => ({
  file: "policies/asks.ts",
  text: `import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "asks", version: "1.0.0", options: v.strictObject({}), onError: "closed",
  async onRequest(request, context) {
${body}
  },
});
`,
});

const request = (id: string) => [1, id, "GET", "a.mesh", "/a", "", "a.default", [], 0, null, null, null, id];
const resumed = (id: string, ticket: number, given: readonly unknown[], exchange = id) => [
  ...[1, id, "", "", "", "", "a.default", []],
  ...[0, null, null, given, exchange, ticket],
];

const realmWith = async (body: string) => {
  const realm = await realmOf(source(body));
  realm.bind(1, "{}");
  return realm;
};

describe("a hook that asks a service", () => {
  const body = `const first = await context.call("keys", "/one", { method: "POST", headers: { a: "b" }, body: "hello" });
    const second = await context.call("keys", "/two");
    return respond(200, "told", first.text() + " " + second.json().word + " " + second.status + second.headers.get("x"));`;

  test("says what it asks, and decides once it is told", async () => {
    const realm = await realmWith(body);
    expect(await answerOf(realm, request("r"))).toEqual({
      do: "wait",
      ticket: 1,
      wants: [{ service: "keys", path: "/one", method: "POST", headers: { a: "b" }, body: "hello" }],
    });
    const second = await answerOf(realm, resumed("r", 1, [{ status: 200, headers: [], body: "hi" }]));
    expect(second).toMatchObject({
      do: "wait",
      ticket: 2,
      wants: [{ path: "/two", method: "GET", body: "" }],
    });
    const given = [{ status: 404, headers: ["x", "y"], body: '{"word":"there"}' }];
    expect(await answerOf(realm, resumed("r", 2, given))).toMatchObject({
      do: "respond",
      body: "hi there 404y",
    });
  });

  test("fails where nobody catches that there was no answer", async () => {
    const realm = await realmWith(body);
    await answerOf(realm, request("r"));
    const failed = await answerOf(realm, resumed("r", 1, [{ problem: "it is away" }]));
    expect(failed).toEqual({ do: "fail", reason: "Error: it is away" });
  });

  test("is told once, and by whoever asked alone", async () => {
    const realm = await realmWith(body);
    await answerOf(realm, request("r"));
    const gone = { do: "fail", reason: "it does not wait for this any more" };
    expect(await answerOf(realm, resumed("r", 1, [{ status: 200 }], "another"))).toEqual(gone);
    await answerOf(realm, resumed("r", 1, [{ status: 200 }]));
    expect(await answerOf(realm, resumed("r", 1, [{ status: 200 }]))).toEqual(gone);
  });
});

test("asks for everything that it waits for at once in one go", async () => {
  const realm = await realmWith(`const [one, right] = await Promise.all([
      context.call("a", "/"), context.verify({ algorithm: "HS256", key: { kty: "oct", k: "x" }, signature: "s", data: "d" }),
    ]);
    return respond(200, "told", one.text() + right);`);
  const asked = await answerOf(realm, request("r"));
  expect(asked).toMatchObject({ wants: [{ service: "a" }, { algorithm: "HS256", data: "d" }] });
  const told = await answerOf(realm, resumed("r", 1, [{ status: 200, body: "ok " }, { value: true }]));
  expect(told).toMatchObject({ body: "ok true" });
});

test("goes on with a decision that waits for nothing: what is not awaited is not asked", async () => {
  const realm = await realmWith(`void context.call("a", "/"); return next();`);
  expect(await answerOf(realm, request("r"))).toEqual({ do: "next" });
});

test("forgets the oldest of too many that wait", async () => {
  const realm = await realmWith(`await context.call("a", "/"); return next();`);
  for (let at = 1; at <= 1_025; at++) await answerOf(realm, request(`r${at}`));
  expect(await answerOf(realm, resumed("r1", 1, [{ status: 200 }]))).toMatchObject({ do: "fail" });
  expect(await answerOf(realm, resumed("r2", 2, [{ status: 200 }]))).toEqual({ do: "next" });
});

/** ext-authz passes what its service lets pass, gives the client its refusals, and lets nothing pass when it cannot ask. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./ext_authz.ts";

const asking = (more: object = {}) => {
  const under = new PolicyUnderTest(policy, { service: "authz", path: "/check", copy: ["X-User"], ...more });
  const asked: Readonly<Record<string, unknown>>[] = [];
  under.gives = (call) => {
    asked.push(call);
    return { status: 200, headers: ["x-user", "ann", "x-other", "1"], body: "" };
  };
  return { under, asked };
};

test("asks with what the request is, and hands on what it is told about it", async () => {
  const { under, asked } = asking();
  const headers = ["authorization", "Bearer x", "x-secret", "y", "x-user", "root"];
  const decision = await under.request({ method: "POST", path: "/a?b=1", headers });
  expect(decision).toEqual({ do: "next", headers: { remove: ["x-user"], set: { "x-user": "ann" } } });
  const sent = {
    "x-forwarded-method": "POST",
    "x-forwarded-host": "orders.mesh",
    "x-forwarded-uri": "/a?b=1",
  };
  expect(asked).toEqual([
    {
      service: "authz",
      path: "/check",
      method: "GET",
      headers: { ...sent, authorization: "Bearer x" },
      body: "",
    },
  ]);
});

test("what poses as a header that is copied by an underscore is left out, too", async () => {
  const { under } = asking();
  const decision = await under.request({ headers: ["x_user", "root", "x_other", "1"] });
  expect(decision).toMatchObject({ headers: { remove: ["x-user", "x_user"], set: { "x-user": "ann" } } });
});

test("gives the client the refusal, with what it needs of its headers", async () => {
  const { under } = asking();
  under.gives = () => ({ status: 302, headers: ["location", "/login", "x-inside", "1"], body: "log in" });
  expect(await under.request()).toEqual({
    ...{ do: "respond", status: 302, reason: "authz answered 302", body: "log in" },
    headers: { location: "/login" },
  });
});

test("fails where nobody answers, or the service itself fails", async () => {
  const { under } = asking();
  under.gives = () => ({ status: 503 });
  expect(await under.request().catch(String)).toBe("Error: authz answered 503");
  under.gives = () => ({ problem: "authz.default did not answer within 200 ms" });
  expect(await under.request().catch(String)).toContain("did not answer");
});

test("keeps an answer for the same request of the same client, for a while", async () => {
  const { under, asked } = asking({ cache: { by: ["Authorization"], for: "10s" } });
  const ask = (token: string, path = "/") => under.request({ path, headers: ["authorization", token] });
  for (const token of ["one", "one", "two"]) await ask(token);
  expect(asked.length).toBe(2);
  await ask("one", "/other");
  under.nowMs += 10_001;
  expect(await ask("one")).toMatchObject({ do: "next", headers: { set: { "x-user": "ann" } } });
  expect(asked.length).toBe(4);
});

test("keeps no answer about a request that is long: many such would fill the memory", async () => {
  const { under, asked } = asking({ cache: { by: ["authorization"], for: "10s" } });
  const path = `/${"x".repeat(1_000)}`;
  for (let times = 0; times < 2; times++) await under.request({ path });
  expect(asked.length).toBe(2);
});

test("does not keep a refusal", async () => {
  const { under } = asking({ cache: { by: ["authorization"], for: "10s" } });
  under.gives = () => ({ status: 403 });
  expect(await under.request()).toMatchObject({ status: 403 });
  under.gives = () => ({ status: 204 });
  expect(await under.request()).toMatchObject({ do: "next" });
});

test("does not ask a service about requests to itself", async () => {
  const { under, asked } = asking();
  expect(await under.request({}, { service: "authz.default" })).toEqual({ do: "next" });
  expect(asked).toEqual([]);
  await under.request({}, { service: "authz.other" });
  expect(asked).toEqual([]);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { service: "", path: "check", cache: { by: [], for: "long" } })).toEqual([
    "service",
    "path",
    "cache.by",
    "cache.for",
  ]);
});

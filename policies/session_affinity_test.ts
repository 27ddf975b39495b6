/** session-affinity brings a client back to where it was answered. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./session_affinity.ts";

const endpoints = ["vm-1/a/80", "vm-2/a/80"].map((id) => ({
  ...{ id, zone: "", inflight: 0 },
  ...{ weight: 1, labels: {}, ewmaMs: 1 },
}));

test("the cookie of an answer leads back, and is told once", async () => {
  const under = new PolicyUnderTest(policy, { cookie: "s", maxAge: 60 });
  const told = await under.response({ endpoint: "vm-2/a/80" }, { requestId: "1" });
  const cookie = told.do === "next" ? (told.headers?.add?.["set-cookie"] ?? "") : "";
  expect(cookie).toMatch(/^s=\d+; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=60$/);
  expect(cookie).not.toContain("vm-2");
  const headers = ["cookie", `other=1; ${cookie.split(";")[0]}`];
  await under.request({ headers }, { requestId: "2" });
  expect(await under.pick(endpoints, { headers }, { requestId: "2" })).toEqual(["vm-2/a/80"]);
  expect(await under.response({ endpoint: "vm-2/a/80" }, { requestId: "2" })).toEqual({ do: "next" });
  expect(await under.response({ endpoint: "vm-1/a/80" }, { requestId: "2" })).toMatchObject({ headers: {} });
});

test("a client without the cookie, or with one of nobody, goes where the balancer says", async () => {
  const under = new PolicyUnderTest(policy, { cookie: "s" });
  await under.request({ headers: ["cookie", "s=12; xs=3"] }, { requestId: "3" });
  expect(await under.pick(endpoints, {}, { requestId: "3" })).toBeNull();
  expect(await under.pick(endpoints, {}, { requestId: "4" })).toBeNull();
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { cookie: "a b", path: "x", maxAge: 0 })).toEqual(["cookie", "maxAge", "path"]);
});

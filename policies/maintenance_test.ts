/** maintenance closes what is worked on, but for those who test it. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./maintenance.ts";

test("all of it is closed, and says when to come back", async () => {
  const under = new PolicyUnderTest(policy, { except: { "X-Tester": "yes" }, retryAfter: 300 });
  expect(await under.request()).toMatchObject({ status: 503, headers: { "retry-after": "300" } });
  expect(await under.request({ headers: ["x-tester", "yes"] })).toEqual({ do: "next" });
  expect(await under.request({ headers: ["x-tester", "no"] })).toMatchObject({ status: 503 });
});

test("or only what is below some paths; off, nothing", async () => {
  const under = new PolicyUnderTest(policy, { paths: ["/checkout"] });
  const closed = { "/checkout": true, "/checkout/x": true, "/checkouts": false, "/": false };
  for (const [path, isClosed] of Object.entries(closed))
    expect([path, (await under.request({ path })).do]).toEqual([path, isClosed ? "respond" : "next"]);
  expect(await new PolicyUnderTest(policy, { on: false }).request()).toEqual({ do: "next" });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { paths: ["x"], retryAfter: 0 })).toEqual(["retryAfter", "paths.0"]);
});

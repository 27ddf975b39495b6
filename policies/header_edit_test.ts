/** header-edit edits what its options say, each way. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./header_edit.ts";

test("requests and answers are edited apart", async () => {
  const under = new PolicyUnderTest(policy, {
    request: { set: { "X-Env": "prod" } },
    response: { remove: ["Server"] },
  });
  expect(await under.request()).toEqual({
    do: "next",
    headers: { set: { "x-env": "prod" }, add: {}, remove: [] },
  });
  expect(await under.response()).toEqual({ do: "next", headers: { set: {}, add: {}, remove: ["server"] } });
  const none = new PolicyUnderTest(policy, {});
  expect([await none.request(), await none.response()]).toEqual([{ do: "next" }, { do: "next" }]);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { request: { set: { "a b": "x" } }, more: 1 })).toEqual(["request.set.a b", "more"]);
});

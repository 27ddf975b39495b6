/** deadline-propagate tells what is left, and ends what has too little. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./deadline_propagate.ts";

test("the app learns what is left; too little is answered at once; nobody makes it up", async () => {
  const under = new PolicyUnderTest(policy, { tell: "X-Left", least: 20 });
  expect(await under.request({}, { deadlineMs: 480.4 })).toEqual({
    do: "next",
    headers: { set: { "x-left": "480" } },
  });
  expect(await under.request({}, { deadlineMs: 19 })).toMatchObject({ do: "respond", status: 504 });
  expect(await under.request({ headers: ["x-left", "9"] })).toEqual({
    do: "next",
    headers: { remove: ["x-left"] },
  });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { tell: "", least: -1 })).toEqual(["tell", "least"]);
});

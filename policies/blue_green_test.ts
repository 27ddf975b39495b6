/** blue-green sends all to one subset, and who asks to the other. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./blue_green.ts";

test("the active one gets everything but what asks for the preview", async () => {
  const preview = { header: "X-Preview", subset: "green" };
  const under = new PolicyUnderTest(policy, { service: "orders", active: "blue", preview });
  expect(await under.request()).toEqual({ do: "route", service: "orders", subset: "blue" });
  expect(await under.request({ headers: ["x-preview", ""] })).toMatchObject({ subset: "green" });
  const alone = new PolicyUnderTest(policy, { service: "orders", active: "blue" });
  expect(await alone.request({ headers: ["x-preview", "1"] })).toMatchObject({ subset: "blue" });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { service: "", active: "" })).toEqual(["service", "active"]);
});

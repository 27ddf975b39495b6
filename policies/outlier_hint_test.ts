/** outlier-hint says which answers mean that an instance failed. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./outlier_hint.ts";

const failed = { do: "next", failed: true } as const;

test("what has the field, the status, or took too long says that its instance failed", async () => {
  const under = new PolicyUnderTest(policy, { fields: { "X-Degraded": "true" }, codes: [429] });
  expect(await under.response({ headers: ["x-degraded", "true"] })).toEqual(failed);
  expect(await under.response({ headers: ["x-degraded", "false"] })).toEqual({ do: "next" });
  expect(await under.response({ status: 429 })).toEqual(failed);
  expect(await under.response()).toEqual({ do: "next" });
  const [note] = under.notes;
  expect(note).toEqual(["count", "failed", 1, { service: "orders.default" }]);
  const quick = new PolicyUnderTest(policy, { slowMs: 1 });
  expect(await quick.response()).toEqual({ do: "next" });
  expect(await quick.response({ ms: 2 })).toEqual(failed);
  // Its client, or another instance, was slow.
  expect(await quick.response({ ms: 2, instanceMs: 1 })).toEqual({ do: "next" });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { codes: [500], slowMs: 0 }).toSorted()).toEqual(["codes.0", "slowMs"]);
});

/** concurrency-limit counts what is under way, to its end. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./concurrency_limit.ts";

test("so many of a caller may be under way, and each that ends makes room", async () => {
  const under = new PolicyUnderTest(policy, { limit: 2, overrides: { big: 3 } });
  const begin = async (requestId: string, source: string) =>
    (await under.request({}, { requestId, source })).do;
  expect([await begin("1", "one"), await begin("2", "one"), await begin("3", "one")]).toEqual([
    "next",
    "next",
    "respond",
  ]);
  expect(await begin("4", "two")).toBe("next");
  for (const id of ["5", "6", "7"]) expect(await begin(id, "big")).toBe("next");
  // What was refused ends, too, and gives nothing back.
  await under.end({ status: 429 }, { requestId: "3", source: "one" });
  expect(await begin("8", "one")).toBe("respond");
  await under.end({ status: 0, flag: "DC" }, { requestId: "1", source: "one" });
  expect(await begin("9", "one")).toBe("next");
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { limit: 1.5, overrides: { a: 0 } })).toEqual(["limit", "overrides.a"]);
});

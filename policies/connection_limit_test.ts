/** connection-limit counts what is open, to its end. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./connection_limit.ts";

test("so many of a caller may be open, and each that ends makes room", async () => {
  const under = new PolicyUnderTest(policy, { limit: 1, overrides: { big: 2 } });
  const isLetIn = async (requestId: string, source: string) =>
    (await under.connection({}, { requestId, source })).allow;
  expect([await isLetIn("1", "one"), await isLetIn("2", "one")]).toEqual([true, false]);
  expect([await isLetIn("3", "big"), await isLetIn("4", "big"), await isLetIn("5", "big")]).toEqual([
    true,
    true,
    false,
  ]);
  // What was refused ends, too, and gives nothing back.
  await under.end({ status: 0, flag: "PD" }, { requestId: "2", source: "one" });
  expect(await isLetIn("6", "one")).toBe(false);
  await under.end({ status: 0 }, { requestId: "1", source: "one" });
  expect(await isLetIn("7", "one")).toBe(true);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { limit: 0 })).toEqual(["limit"]);
});

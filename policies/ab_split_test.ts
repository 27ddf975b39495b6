/** ab-test divides callers by weight, each always into the same variant. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./ab_split.ts";

const variants = [
  { name: "a", weight: 1 },
  { name: "b", weight: 3, service: "shop", subset: "v2" },
  { name: "never", weight: 0 },
];
const under = new PolicyUnderTest(policy, { experiment: "one", by: "X-User", variants });

test("callers stay in their variant, the app learns it, and weights count", async () => {
  const counts: Record<string, number> = {};
  for (let at = 0; at < 2_000; at++) {
    const headers = ["x-user", `u-${at}`];
    const decision = await under.request({ headers });
    expect(await under.request({ headers }, { requestId: "other" })).toEqual(decision);
    if (decision.do === "respond") throw new Error("It answers nobody");
    const name = decision.headers?.set?.["x-variant"] ?? "";
    counts[name] = (counts[name] ?? 0) + 1;
    expect(decision.do).toBe(name === "b" ? "route" : "next");
  }
  expect(Object.keys(counts).sort()).toEqual(["a", "b"]);
  expect((counts["b"] ?? 0) / (counts["a"] ?? 1)).toBeGreaterThan(2.4);
  expect((counts["b"] ?? 0) / (counts["a"] ?? 1)).toBeLessThan(3.7);
});

test("who cannot be told takes no part, and cannot say that it does", async () => {
  expect(await under.request({ headers: ["x-variant", "b"] })).toEqual({
    do: "next",
    headers: { remove: ["x-variant"] },
  });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { experiment: "a", by: "x", variants: [{ name: "a", weight: 0 }] })).toEqual([
    "variants",
  ]);
});

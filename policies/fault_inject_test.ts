/** fault-inject touches only who asked for it. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./fault_inject.ts";

const guard = { header: "X-Chaos", value: "on" };

test("a share of those with the guard's header fails, and nobody else", async () => {
  const under = new PolicyUnderTest(policy, { percent: 25, status: 500, guard });
  let failed = 0;
  for (let at = 0; at < 1_000; at++) {
    const asked = { requestId: `r-${at}` };
    expect(await under.request({}, asked)).toEqual({ do: "next" });
    expect(await under.request({ headers: ["x-chaos", "off"] }, asked)).toEqual({ do: "next" });
    const decision = await under.request({ headers: ["x-chaos", "on"] }, asked);
    expect(await under.request({ headers: ["x-chaos", "on"] }, asked)).toEqual(decision);
    if (decision.do === "respond") failed++;
  }
  expect(failed).toBeGreaterThan(190);
  expect(failed).toBeLessThan(310);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { percent: 1, status: 200, guard })).toEqual(["status"]);
  expect(wrongIn(policy, { percent: 1 })).toEqual(["guard"]);
});

/** canary takes its share, and the same callers each time. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./canary.ts";

const chosenOf = async (percent: number, by: object, requests: number) => {
  const under = new PolicyUnderTest(policy, { service: "orders", subset: "v2", percent, ...by });
  const chosen = new Set<number>();
  for (let at = 0; at < requests; at++) {
    const asked = { requestId: `r-${at}`, source: `spiffe://a/${at}` };
    const decision = await under.request({ headers: ["x-user", `u-${at}`] }, asked);
    if (decision.do === "route") chosen.add(at);
  }
  return chosen;
};

for (const by of [{ by: "identity" }, { by: "header", header: "X-User" }, { by: "request" }])
  test(`takes its share by ${by.by}, the same again, and more when it grows`, async () => {
    const tenth = await chosenOf(10, by, 2_000);
    expect(tenth.size).toBeGreaterThan(140);
    expect(tenth.size).toBeLessThan(260);
    expect(await chosenOf(10, by, 2_000)).toEqual(tenth);
    expect((await chosenOf(30, by, 2_000)).isSupersetOf(tenth)).toBe(true);
    expect((await chosenOf(0, by, 100)).size).toBe(0);
    expect((await chosenOf(100, by, 100)).size).toBe(100);
  });

test("leads to its service and subset", async () => {
  const under = new PolicyUnderTest(policy, { service: "orders", subset: "v2", percent: 100 });
  expect(await under.request()).toEqual({ do: "route", service: "orders", subset: "v2" });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { service: "", percent: 101 })).toEqual(["service", "percent"]);
  expect(wrongIn(policy, { service: "a", percent: 1, by: "header" })).toEqual(["header"]);
});

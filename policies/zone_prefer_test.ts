/** zone-prefer goes by zones, then by what is under way. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./zone_prefer.ts";

const endpoint = (id: string, zone: string, inflight = 0) => ({
  ...{ id, zone, inflight },
  ...{ weight: 1, labels: {}, ewmaMs: 1 },
});
const endpoints = [
  endpoint("far", "x"),
  endpoint("b", "eu-b"),
  endpoint("a2", "eu-a", 3),
  endpoint("a1", "eu-a", 1),
];

test("the first zone comes first, in it the idlest, and others are left out", async () => {
  const under = new PolicyUnderTest(policy, { zones: ["eu-a", "eu-b"] });
  for (let at = 0; at < 20; at++)
    expect(await under.pick(endpoints, {}, { requestId: `${at}` })).toEqual(["a1", "a2", "b"]);
});

test("who is busy is passed over, and without anybody near the balancer chooses", async () => {
  expect(await new PolicyUnderTest(policy, { zones: ["eu-a"], busy: 2 }).pick(endpoints)).toEqual(["a1"]);
  expect(await new PolicyUnderTest(policy, { zones: ["eu-c"] }).pick(endpoints)).toBeNull();
});

test("a share goes anywhere, and equals take turns", async () => {
  const under = new PolicyUnderTest(policy, { zones: ["eu-a"], spillover: 20 });
  const equals = [endpoint("one", "eu-a"), endpoint("two", "eu-a")];
  const first = { one: 0, two: 0, anywhere: 0 };
  for (let at = 0; at < 1_000; at++) {
    const picked = await under.pick(equals, {}, { requestId: `${at}` });
    first[(picked?.[0] ?? "anywhere") as keyof typeof first]++;
  }
  expect(first.anywhere).toBeGreaterThan(140);
  expect(first.anywhere).toBeLessThan(260);
  expect(Math.min(first.one, first.two)).toBeGreaterThan(300);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { zones: [], spillover: -1 })).toEqual(["zones", "spillover"]);
});

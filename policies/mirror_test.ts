/** mirror copies its share, by method and by user. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./mirror.ts";

const copied = { do: "next", mirror: "orders-next" } as const;

test("copies requests of its methods alone", async () => {
  const under = new PolicyUnderTest(policy, { to: "orders-next", methods: ["get"] });
  expect(await under.request({ method: "GET" })).toEqual(copied);
  expect(await under.request({ method: "POST" })).toEqual({ do: "next" });
});

test("copies about its share, and all of one user or nothing", async () => {
  const under = new PolicyUnderTest(policy, { to: "orders-next", percent: 20, by: "X-User" });
  let copies = 0;
  for (let user = 0; user < 1_000; user++) {
    const asked = async (id: string) =>
      await under.request({ headers: ["x-user", `u-${user}`] }, { requestId: id });
    const decision = await asked(`a-${user}`);
    expect(await asked(`b-${user}`)).toEqual(decision);
    if (decision.do === "next" && decision.mirror !== undefined) copies++;
  }
  expect(copies).toBeGreaterThan(140);
  expect(copies).toBeLessThan(260);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { to: "", percent: 101 })).toEqual(["to", "percent"]);
});

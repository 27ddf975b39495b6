/** rate-limit lets each caller have its bucket, and says when there is more. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./rate_limit.ts";

test("each identity has so many within the time, and is told when to come back", async () => {
  const under = new PolicyUnderTest(policy, { limit: 2, within: "10s" });
  const ask = (source: string | null, service = "a") => under.request({}, { source, service });
  for (let at = 0; at < 2; at++) expect(await ask("one")).toEqual({ do: "next" });
  expect(await ask("one")).toMatchObject({ do: "respond", status: 429, headers: { "retry-after": "5" } });
  expect(await ask("two")).toEqual({ do: "next" });
  expect(await ask("one", "b")).toEqual({ do: "next" });
  under.nowMs += 5_000;
  expect(await ask("one")).toEqual({ do: "next" });
  expect(under.notes).toEqual([["count", "refused", 1, {}]]);
});

test("a header tells callers apart, and some have more", async () => {
  const options = { limit: 1, within: "1m", by: "X-Key", overrides: { gold: 3 } };
  const under = new PolicyUnderTest(policy, options);
  const statuses = async (key: string) => {
    const decisions = [];
    for (let at = 0; at < 4; at++) decisions.push((await under.request({ headers: ["x-key", key] })).do);
    return decisions;
  };
  expect(await statuses("tin")).toEqual(["next", "respond", "respond", "respond"]);
  expect(await statuses("gold")).toEqual(["next", "next", "next", "respond"]);
  expect(await statuses("constructor")).toEqual(["next", "respond", "respond", "respond"]);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { limit: 0, within: "1 day" })).toEqual(["limit", "within"]);
});

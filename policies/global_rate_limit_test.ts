/** global-rate-limit counts each caller for the whole mesh, and says when there is more. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./global_rate_limit.ts";

test("what the mesh has left decides, by identity or by a header", async () => {
  for (const [options, key, limit] of [
    [{ limit: 5, within: "10s" }, "spiffe://a", 5],
    [{ limit: 5, within: "10s", by: "X-Key", overrides: { gold: 50 } }, "gold", 50],
    [{ limit: 5, within: "10s", by: "X-Other" }, "", 5],
  ] as const) {
    const under = new PolicyUnderTest(policy, options);
    const asked: unknown[] = [];
    let ok = true;
    under.gives = (want) => {
      asked.push(want);
      return { taken: { ok, left: 0, resetMs: 2_400 } };
    };
    const ask = () => under.request({ headers: ["x-key", "gold"] }, { source: "spiffe://a" });
    expect(await ask()).toEqual({ do: "next" });
    ok = false;
    expect(await ask()).toMatchObject({ do: "respond", status: 429, headers: { "retry-after": "3" } });
    expect(asked[0]).toEqual({ counter: key, amount: 1, limit, perMs: 10_000 });
    expect(under.notes).toEqual([["count", "refused", 1, {}]]);
  }
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { limit: 1.5, within: "1 day" })).toEqual(["limit", "within"]);
});

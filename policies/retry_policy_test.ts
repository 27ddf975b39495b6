/** retry-policy says of each request what the first rule that fits says. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./retry_policy.ts";

const rules = [
  { methods: ["get"], path: "/search/", attempts: 3, codes: [429, 503], perTry: "300ms", hedge: "p95" },
  { path: "/payments/", attempts: 0 },
];

test("the first rule that fits says how a request is sent", async () => {
  const under = new PolicyUnderTest(policy, { rules });
  expect(await under.request({ path: "/search/a" })).toEqual({
    do: "next",
    retries: { attempts: 3, codes: [429, 503], perTry: "300ms" },
    hedge: "p95",
  });
  expect(await under.request({ path: "/payments/1" })).toEqual({ do: "next", retries: { attempts: 0 } });
  expect(await under.request({ path: "/search/a", method: "POST" })).toEqual({ do: "next", retries: {} });
});

test("a request with a key may be sent again whatever its method is", async () => {
  const under = new PolicyUnderTest(policy, { rules, keyed: "Idempotency-Key" });
  const keyed = await under.request({ method: "POST", headers: ["idempotency-key", "k"] });
  expect(keyed).toEqual({ do: "next", retries: { idempotent: true } });
  expect(await under.request({ method: "POST" })).toEqual({ do: "next", retries: {} });
});

test("settings that do not fit are named", () => {
  const wrong = { attempts: 11, codes: [200], perTry: "soon", hedge: "0ms", path: "x" };
  expect(wrongIn(policy, { rules: [wrong] }).toSorted()).toEqual(
    ["attempts", "codes.0", "hedge", "path", "perTry"].map((name) => `rules.0.${name}`),
  );
  expect(wrongIn(policy, { rules: [] })).toEqual(["rules"]);
});

/** What a policy waits for, and what is wrong with it, concerns the version that was asked. */
import { expect, test } from "bun:test";
import type { PolicyBinding } from "../../../src/model/snapshot.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { Answer, PolicyCall } from "../../../src/policy/policy_call.ts";
import { HeadFields } from "../../../src/wire/head_fields.ts";
import { runtime } from "../../support/runtime_under_test.ts";

test("goes on with the version that waits, and counts its failure against that", () => {
  const meant: PolicyBinding = { hash: "new", name: "a", options: {} };
  const before = { ...meant, hash: "old" };
  const [asked, trips]: [string[], string[]] = [[], []];
  const host = {
    refOf: () => null,
    trip: (hash: string) => void trips.push(hash),
    evaluate(binding: PolicyBinding, { resumes }: PolicyCall, answer: Answer) {
      asked.push(binding.hash);
      const wants = [{ counter: "k", amount: 1, limit: 1, perMs: 1_000 }];
      if (resumes === undefined)
        return answer({ ok: true, decision: { do: "wait", ticket: 3, wants }, us: 1 }, 0, before);
      answer({ ok: true, decision: { do: "fail", reason: "it throws" }, us: 1 }, 0);
    },
  };
  const call: PolicyCall = {
    ...{ hook: "onRequest", method: "GET", authority: "cart.mesh", target: "/", sourceId: "" },
    ...{ fields: new HeadFields(), service: { name: "cart", namespace: "shop" }, requestId: "1" },
  };
  createPolicyChain(host, runtime.clock).evaluate([meant], call, () => {}, null);
  expect(asked).toEqual(["new", "old"]);
  expect(trips).toEqual(["old"]);
});

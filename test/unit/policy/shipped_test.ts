/** Every policy that ships: its example is right, it is in the list, and the same calls asked again give the same decisions. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { root } from "../../../compile/repository.ts";
import { checkDecision } from "../../../src/policy/decision.ts";
import { hooks } from "../../../src/policy/hooks.ts";
import { shippedPolicies } from "../../../src/policy/shipped.ts";
import { answerOf, realmOf } from "../../support/realm_of.ts";

test("each file of policies/ ships, and has a test", () => {
  const files = readdirSync(join(root, "policies"));
  const sources = files.filter((name) => !name.endsWith("_test.ts")).map((name) => `policies/${name}`);
  expect([...shippedPolicies.values()].map(({ file }) => file).toSorted()).toEqual(sources.toSorted());
  for (const source of sources) expect(files).toContain(source.slice(9).replace(".ts", "_test.ts"));
});

interface Use {
  readonly use: string;
  readonly with: unknown;
}

/** The options of its example. */
function exampleOf(text: string): Use {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(text)?.[1]?.replace(/^ \* ?/gm, "") ?? "";
  const { policies = [] } = parse(yaml) as { readonly policies?: readonly Use[] };
  return policies[0] ?? { use: "", with: null };
}

const endpoints = ["a", "b", "c"].map((id, at) => ({
  ...{ id, weight: 1, zone: `eu-1${id}`, labels: {}, inflight: at, ewmaMs: at },
}));
const about: Readonly<Record<string, unknown>> = {
  onRequest: { text: '{"user":"ada@example.org","model":"large"}' },
  onEvent: [{ data: "one" }, { data: '{"to":"ada@example.org"}' }],
  pick: endpoints,
  onChunk: { of: "request", data: "YWJj", missed: 0 },
  onResponse: { status: 200, grpcStatus: null, endpoint: "b", ms: 3 },
  onEnd: { status: 200, flag: "", bytesIn: 0, bytesOut: 1, ms: 2, ttfbMs: 1, endpoint: "b", retries: 0 },
};
const names = [
  "x-user",
  "x-user-group",
  "x-api-key",
  "x-tenant",
  "x-chaos",
  "origin",
  "idempotency-key",
  "cookie",
];

/** Exchanges from their requests to their ends, some of them beside others. */
function* calls(): Generator<{ readonly hook: number; readonly nowMs: number; readonly call: unknown[] }> {
  for (let at = 0; at < 60; at++) {
    const fields = names.flatMap((name, index) =>
      (at + index) % 3 === 0 ? [name, at % 2 === 0 ? "on" : `v${at % 7}`] : [],
    );
    const head = [at % 4 === 0 ? "POST" : "GET", "orders.mesh", "/api/v1/x?a=1", `spiffe://a/${at % 5}`];
    for (const [hook, name] of hooks.entries()) {
      const call = [1, `r-${at}`, ...head, "orders.default", fields, hook, 500 - at, "10.0.0.1", about[name]];
      yield { hook, nowMs: 1_000 + at * 40, call };
    }
  }
}

for (const [name, source] of shippedPolicies) {
  describe(name, () => {
    const example = exampleOf(source.text);

    test("has an example of its use that fits its own schema", async () => {
      expect(example.use).toBe(name);
      const realm = await realmOf(source);
      expect(JSON.parse(realm.bind(1, JSON.stringify(example.with)))).toEqual({ issues: [] });
    });

    test("decides the same when the same calls are asked again, and nothing that is refused", async () => {
      const answersOfOne = async (): Promise<unknown[]> => {
        const realm = await realmOf(source);
        realm.bind(1, JSON.stringify(example.with));
        const answers: unknown[] = [];
        for (const { hook, nowMs, call } of calls()) {
          const answer = await answerOf(realm, call, nowMs);
          const decision = checkDecision(answer, hooks[hook] ?? "onRequest");
          expect(["fail", "invalid"]).not.toContain(decision.do);
          answers.push(answer);
        }
        return answers;
      };
      expect(await answersOfOne()).toEqual(await answersOfOne());
    });
  });
}

/**
 * Policies that misuse the hooks, in dist/heddle: each is refused when it is bundled, at its line, or costs its own process and
 * nothing else. Beside each of them a friendly policy is asked all the time and answers every call.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { checkDecision } from "../../src/policy/decision.ts";
import { notesIn } from "../../src/policy/notes.ts";
import { compileSealed } from "../../src/policy/sealed_compiler.ts";
import { hookAttempts, sourceOf } from "../support/hostile_policies/hook_attempts.ts";
import { waitAttempts } from "../support/hostile_policies/wait_attempts.ts";
import { scriptWith } from "../support/hostile_policies/scripts.ts";
import type { Hook } from "../../src/policy/hooks.ts";
import { limits } from "../../src/model/limits.ts";
import type { PolicyAnswer } from "../../src/policy/policy_call.ts";
import { checkSignature } from "../../src/policy/signature.ts";
import { friendlyBeside, startTestHost, type TestHost } from "../support/policy_host.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { testMs } from "../support/patience.ts";

const calls = 3;
const line = 12;
const endpoints = ["a", "b"].map((id) => ({
  ...{ id, weight: 1, zone: "", labels: {} },
  ...{ inflight: 0, ewmaMs: 1 },
}));
const about = {
  onRequest: undefined,
  onConnection: undefined,
  pick: endpoints,
  onResponse: { status: 200, grpcStatus: null, endpoint: "a", ms: 1 },
  onEvent: [{ data: "one" }, { event: "e", id: "1", data: "two" }],
  onChunk: { of: "response", data: "YWJj", missed: 0 },
  onEnd: { status: 200, flag: "", bytesIn: 0, bytesOut: 0, ms: 1, ttfbMs: 1, endpoint: "a", retries: 0 },
};

/** As the proxy does it: what it waits for is given, so often and not for ever. */
async function askWaiting(there: TestHost, name: string, hook: Hook): Promise<PolicyAnswer> {
  const exchange = "e";
  let answer: PolicyAnswer = await there.ask(name, "GET", undefined, { hook, about: about[hook], exchange });
  for (let round = 0; round < limits.policyWantsMax; round++) {
    const decision = answer.ok ? checkDecision(answer.decision, hook) : null;
    if (decision?.do !== "wait") break;
    const given = decision.wants.map((want) =>
      want.do === "verify" ? checkSignature(want) : { ok: true, status: 200, headers: [], body: "x" },
    );
    const resumes = decision.ticket;
    answer = await there.ask(name, "GET", undefined, { hook, about: given, exchange, resumes });
  }
  return answer;
}

describe.skipIf(binaryMissing)("a policy that tries", () => {
  const there = binaryMissing ? null : startTestHost(runtime, binaryPath);
  afterAll(() => there?.host.close());
  there?.add("friendly", scriptWith(`return '{"do":"next"}';`));
  const compiler = { ...runtime, process: { ...runtime.process, self: [binaryPath] }, unsealed: () => {} };

  for (const [words, attempt] of Object.entries({ ...hookAttempts, ...waitAttempts })) {
    const name = words
      .toLowerCase()
      .replaceAll(/[^a-z]+/g, "-")
      .replaceAll(/^-|-$/g, "");
    test(
      `${words} is refused at its line, or hurts nobody`,
      async () => {
        if (there === null) return;
        const file = "policies/hostile.ts";
        const { scripts, issues } = await compileSealed(compiler, [{ file, text: sourceOf(name, attempt) }]);
        if (attempt.refused !== undefined) {
          expect(issues[0]).toMatchObject({ file, line });
          expect(issues[0]?.message).toContain(attempt.refused);
          return;
        }
        expect(issues).toEqual([]);
        await there.ask("friendly");
        there.add(name, scripts[0]?.text ?? "", { onError: "open" });
        await there.host.describe(name);
        const asked = (async () => {
          for (let call = 0; call < calls; call++) {
            const { hook } = attempt;
            const answer = await askWaiting(there, name, hook);
            if (!answer.ok) continue;
            // Whatever it says is taken apart without a throw, and what is not a decision is none.
            const decision = checkDecision(answer.decision, hook);
            for (const note of notesIn(answer.decision))
              if (note.what !== "log") expect(note.name).toMatch(/^[a-z][a-z0-9_]*$/);
            if (decision.do === "fail" || decision.do === "invalid") there.host.trip(name, decision.reason);
          }
        })();
        const { failed, answered } = await friendlyBeside(there, asked);
        expect([failed, answered > 0]).toEqual([[], true]);
        expect(runtime.process.residentBytesOf(there.processOf(name).pid) ?? 0).toBeLessThan(1.5e9);
        there.host.retain(new Set(["friendly"]));
      },
      testMs,
    );
  }

  test("has left the friendly one as it was", () => {
    expect(there?.processOf("friendly").starts).toBe(1);
    expect(there?.host.status().policies).toMatchObject([{ name: "friendly", state: "ready" }]);
    expect(Object.keys(hookAttempts).length).toBeGreaterThan(50);
  });
});

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
import { scriptWith } from "../support/hostile_policies/scripts.ts";
import { friendlyBeside, startTestHost } from "../support/policy_host.ts";
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
  onEnd: { status: 200, flag: "", bytesIn: 0, bytesOut: 0, ms: 1, ttfbMs: 1, endpoint: "a", retries: 0 },
};

describe.skipIf(binaryMissing)("a policy that tries", () => {
  const there = binaryMissing ? null : startTestHost(runtime, binaryPath);
  afterAll(() => there?.host.close());
  there?.add("friendly", scriptWith(`return '{"do":"next"}';`));
  const compiler = { ...runtime, process: { ...runtime.process, self: [binaryPath] }, unsealed: () => {} };

  for (const [words, attempt] of Object.entries(hookAttempts)) {
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
            const answer = await there.ask(name, "GET", undefined, { hook, about: about[hook] });
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

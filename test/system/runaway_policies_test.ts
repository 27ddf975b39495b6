/**
 * Policies that run away, past every check, in dist/heddle: each costs its own process and nothing else. Beside each of them a
 * friendly policy is asked all the time and answers every call.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { runawayScripts } from "../support/hostile_policies/runaways.ts";
import { scriptWith } from "../support/hostile_policies/scripts.ts";
import { friendlyBeside, startTestHost } from "../support/policy_host.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { testMs } from "../support/patience.ts";

const calls = 4;

describe.skipIf(binaryMissing)("a policy that runs away by", () => {
  const there = binaryMissing ? null : startTestHost(runtime, binaryPath);
  afterAll(() => there?.host.close());
  there?.add("friendly", scriptWith(`return '{"do":"next"}';`));

  for (const [name, script] of runawayScripts) {
    test(
      `${name} is told of in time, and hurts nobody`,
      async () => {
        if (there === null) return;
        await there.ask("friendly");
        there.add(name, script);
        const asked = (async () => {
          for (let call = 0; call < calls; call++) await there.ask(name);
        })();
        const { failed, answered } = await friendlyBeside(there, asked);
        expect([failed, answered > 0]).toEqual([[], true]);
        const state = there.host.status().policies.find((each) => each.hash === name)?.state;
        expect(["waiting", "ready", "broken", "quarantined"]).toContain(state ?? "none");
        expect(runtime.process.residentBytesOf(there.processOf(name).pid) ?? 0).toBeLessThan(1.5e9);
        there.host.retain(new Set(["friendly"]));
      },
      testMs,
    );
  }

  test("has left the friendly one as it was", async () => {
    expect(there?.processOf("friendly").starts).toBe(1);
    expect(there?.host.status().policies).toMatchObject([{ name: "friendly", state: "ready" }]);
    expect(runawayScripts.length).toBeGreaterThan(40);
    expect(limits.policyProcessesMax).toBeGreaterThan(1);
  });
});

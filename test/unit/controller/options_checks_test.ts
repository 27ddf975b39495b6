/** Options of documents are put to their policies one apply after the other: what an earlier one asked takes no room for good. */
import { expect, test } from "bun:test";
import type { Runtime } from "../../../runtime/contract.ts";
import { createPolicyBundler } from "../../../src/controller/policies.ts";
import { limits } from "../../../src/model/limits.ts";
import { frameKinds } from "../../../src/policy/protocol.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakePolicyProcesses } from "../../support/fake_policy_process.ts";

test("more policies are checked one after the other than may have a process at once", async () => {
  const clock = new ManualClock();
  const processes = new FakePolicyProcesses(clock);
  const host = Object.assign(processes, { stderr() {} });
  const runtime = { process: host, clock, random: { unit: () => 1 } } as unknown as Runtime;
  const bundler = createPolicyBundler(runtime);
  for (let at = 0; at <= limits.policyProcessesMax; at++) {
    const name = `p${at}`;
    const policy = { hash: name, name, version: "1", onError: "closed", cpuMs: 2, text: "" } as const;
    const checked = bundler.check(policy, {});
    const process = processes.last;
    process.ready();
    await clock.advance(1);
    const id = process.of(frameKinds.load).at(-1)?.first ?? 0;
    process.say(frameKinds.loaded, id, 0, "{}");
    await clock.advance(1);
    process.say(frameKinds.bound, id, process.of(frameKinds.bind).at(-1)?.second ?? 0, { issues: [] });
    expect([name, await checked]).toEqual([name, { issues: [] }]);
  }
  const ended = processes.lives.filter((each) => each.killed.length > 0);
  expect(ended).toHaveLength(limits.policyProcessesMax);
});

/** Policies on a machine whose processors are taken by others, in dist/heddle: waiting for a processor is nobody's fault. */
import { afterEach, describe, expect, test } from "bun:test";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { BusyMachine } from "../support/busy_machine.ts";
import { misbehaving, scriptWith } from "../support/hostile_policies/scripts.ts";
import { startTestHost, type TestHost } from "../support/policy_host.ts";
import { until } from "../support/sockets.ts";
import { runtime } from "../support/runtime_under_test.ts";
import { testMs } from "../support/patience.ts";

const busyProcesses = 8;
const calls = 25;
/** Well within what a policy may take before it hangs, also where a busy machine makes a processor slower. */
const workMs = 8;

const machine = new BusyMachine();
const hosts: TestHost[] = [];
afterEach(() => {
  machine.stop();
  for (const { host } of hosts.splice(0)) host.close();
});

/** Steps of the realm that take about a millisecond here and now. */
function stepsPerMs(): number {
  const steps = 1_000_000;
  const startedMs = performance.now();
  let value = 1;
  for (let step = 0; step < steps; step++) value = Math.imul(value, 31) + step;
  return value === 0 ? steps : steps / Math.max(performance.now() - startedMs, 0.1);
}

describe.skipIf(binaryMissing)("while eight processes keep the machine busy", () => {
  test(
    "a policy that takes its time answers every call, and is not put aside",
    async () => {
      const there = startTestHost(runtime, binaryPath);
      hosts.push(there);
      const steps = Math.round(stepsPerMs() * workMs);
      const script = scriptWith(
        `let value = 1; const rest = warm++ < 5 ? 10 : 1; for (let step = 0; step < ${steps} / rest; step++) value = Math.imul(value, 31) + step;
       return JSON.stringify({ do: "next", value });`,
        "let warm = 0;",
      );
      there.add("friendly", script);
      // Until its loop is compiled it takes longer.
      for (let call = 0; call < calls; call++) await there.ask("friendly");
      await until(() => there.host.status().policies[0]?.state === "ready", "it is warm");
      const { starts } = there.host.status();
      machine.start(busyProcesses);
      for (let call = 0; call < calls; call++)
        expect(await there.ask("friendly")).toMatchObject({ ok: true });
      expect(there.host.status().policies).toMatchObject([{ state: "ready" }]);
      expect(there.host.status().starts).toBe(starts);
    },
    testMs,
  );

  test(
    "a policy that hangs is still found by the processor time it takes",
    async () => {
      const there = startTestHost(runtime, binaryPath);
      hosts.push(there);
      there.add("hangs", scriptWith(misbehaving.loop));
      await there.host.describe("hangs");
      machine.start(busyProcesses);
      for (let time = 0; time < limits.policyTripsMax; time++) {
        expect(JSON.stringify(await there.ask("hangs"))).toMatch(/ms of processor time|not ready/);
      }
    },
    testMs,
  );
});

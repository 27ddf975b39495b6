/** The life of a policy at the controller: versions are tried, promoted and returned, and each step is remembered. */
import { afterEach, describe, expect, test } from "bun:test";
import type { PoliciesAnswer, PolicyRow } from "../../../src/api/operator_messages.ts";
import { controllerPaths } from "../../../src/api/messages.ts";
import type { StoredPolicy } from "../../../src/controller/catalog.ts";
import type { PolicyBundler } from "../../../src/controller/policy_uses.ts";
import type { TrialReading } from "../../../src/model/trial.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";

/** What a file says is the version of the policy `p`. */
const bundler: PolicyBundler = {
  shipped: [],
  bundle: async (files) => ({
    policies: files.map(({ text }): StoredPolicy => {
      const of = { name: "p", version: text, onError: "open", cpuMs: 2 } as const;
      return { ...of, hash: `hash of ${text}`, text };
    }),
    issues: [],
  }),
  check: async () => ({ issues: [] }),
};

let controller: ControllerUnderTest;
afterEach(() => controller.close());

async function withVersion(version: string): Promise<void> {
  controller = await ControllerUnderTest.start(bundler);
  await controller.addNode("vm-1", []);
  await controller.addNode("vm-2", []);
  const files = [{ file: "web.yaml", text: "{kind: Service, name: web, port: 80, protocol: http}" }];
  const policies = [{ file: "policies/p.ts", text: version }];
  await controller
    .operator()
    .call("POST", controllerPaths.documents, { files, policies, prune: false, dryRun: false });
}

const step = (what: object) => controller.operator().call("POST", `${controllerPaths.policies}/steps`, what);
const tryVersion = (version: string) =>
  step({
    ...{ do: "try", mode: "percent", percent: 50, by: "request" },
    policies: [{ file: "policies/p.ts", text: version }],
  });

async function row(): Promise<PolicyRow> {
  const { body } = await controller.operator().call("GET", controllerPaths.policies);
  const [first] = (body as PoliciesAnswer).policies;
  if (first === undefined) throw new Error("There is no policy");
  return first;
}

const startedMs = async (): Promise<number> => (await row()).trial?.startedMs ?? 0;

const tell = (node: string, reading: Partial<TrialReading>) =>
  controller.as(`/node/${node}`).call("PUT", controllerPaths.trials, [
    {
      ...{ name: "p", hash: "hash of 2", now: { calls: 0, failed: 0 }, before: { calls: 0, failed: 0 } },
      ...{ agreed: 0, differed: 0, differences: [], returned: null, ...reading },
    },
  ]);

describe("a version that is tried", () => {
  test("goes by itself when all machines together find that it fails more often, and none of them alone", async () => {
    await withVersion("1");
    await tryVersion("2");
    const part = {
      now: { calls: 6, failed: 6 },
      before: { calls: 8, failed: 0 },
      startedMs: await startedMs(),
    };
    await tell("vm-1", part);
    expect((await row()).trial).toMatchObject({ version: "2", reading: { now: { calls: 6 } } });
    await tell("vm-2", part);
    const { trial, events } = await row();
    expect(trial).toBeNull();
    expect(events.at(-1)).toMatchObject({
      ...{ what: "returned", by: "heddle", version: "2" },
      detail: "12 of its 12 calls failed, and 0 of 16 of the version in force",
    });
  });

  test("may be tried again after it went, and nothing that was counted before is held against it", async () => {
    await withVersion("1");
    await tryVersion("2");
    const before = await startedMs();
    const failed = { now: { calls: 20, failed: 20 }, before: { calls: 20, failed: 0 }, startedMs: before };
    await tell("vm-1", failed);
    expect((await row()).trial).toBeNull();
    await controller.until(() => Date.now() > before);
    await tryVersion("2");
    // vm-2 has not heard yet that it is another trial.
    await tell("vm-2", { ...failed, returned: "20 of its 20 calls failed" });
    await tell("vm-1", { now: { calls: 1, failed: 0 }, startedMs: await startedMs() });
    expect((await row()).trial).toMatchObject({ version: "2", reading: { now: { calls: 1, failed: 0 } } });
  });

  test("is judged by what a proxy of before tells, too, which does not say of which trial it speaks", async () => {
    await withVersion("1");
    await tryVersion("2");
    await tell("vm-1", { now: { calls: 20, failed: 20 }, before: { calls: 20, failed: 0 } });
    expect((await row()).trial).toBeNull();
  });
});

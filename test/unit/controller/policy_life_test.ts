/** The life of a policy at the controller: versions are tried, promoted and returned, and each step is remembered. */
import { afterEach, describe, expect, test } from "bun:test";
import type { PoliciesAnswer, PolicyRow } from "../../../src/api/operator_messages.ts";
import { controllerPaths, registryKeys } from "../../../src/api/messages.ts";
import { documentsMark, type StoredPolicy } from "../../../src/controller/catalog.ts";
import type { PolicyBundler } from "../../../src/controller/policy_uses.ts";
import { limits } from "../../../src/model/limits.ts";
import type { TrialReading } from "../../../src/model/trial.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";

/** Begins the same for all of them. */
const hashOf = (version: string): string =>
  `0000${Bun.hash(version).toString(16).padStart(16, "0")}`.padEnd(64, "0");

/** What a file says is the version of the policy `p`. */
const bundler: PolicyBundler = {
  shipped: [],
  bundle: async (files) => ({
    policies: files.map(({ text }): StoredPolicy => {
      const of = { name: "p", version: text, onError: "open", cpuMs: 2 } as const;
      return { ...of, hash: hashOf(text), text };
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
      ...{ name: "p", hash: hashOf("2"), now: { calls: 0, failed: 0 }, before: { calls: 0, failed: 0 } },
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

const failing = { now: { calls: 20, failed: 20 }, before: { calls: 20, failed: 0 } };
const push = (version: string) =>
  controller.operator().call("POST", controllerPaths.documents, {
    ...{ files: [], policies: [{ file: "policies/p.ts", text: version }], prune: false, dryRun: false },
  });
const states = async (): Promise<Record<string, string>> =>
  Object.fromEntries(((await row()).versions ?? []).map(({ version, state }) => [version, state]));

describe("the versions of a policy", () => {
  test("are kept by hash with who handed each in, and when, and what became of it", async () => {
    const since = Date.now();
    await withVersion("a1");
    await tryVersion("b2");
    await tell("vm-1", { ...failing, hash: hashOf("b2") });
    await push("c3");
    await tryVersion("d4");
    expect((await row()).versions).toMatchObject([
      { version: "d4", hash: hashOf("d4"), api: 1, by: "admin", state: "share" },
      { version: "c3", hash: hashOf("c3"), by: "admin", state: "in force" },
      {
        ...{ version: "b2", hash: hashOf("b2"), by: "admin", state: "returned" },
        why: "20 of its 20 calls failed, and 0 of 20 of the version in force",
      },
      { version: "a1", hash: hashOf("a1"), by: "admin", state: "before" },
    ]);
    for (const { atMs = 0 } of (await row()).versions ?? []) expect(atMs).toBeGreaterThanOrEqual(since);
  });

  test("can each be put in force again, or tried again, by how their hash begins", async () => {
    await withVersion("a1");
    await push("b2");
    await push("c3");
    await step({ do: "rollback", name: "p", hash: hashOf("a1").slice(0, 8) });
    expect(await states()).toEqual({ a1: "in force", b2: "kept", c3: "before" });
    expect((await row()).events.at(-1)).toMatchObject({
      ...{ what: "rolled back", version: "a1", hash: hashOf("a1"), by: "admin", detail: "instead of c3" },
    });
    await step({ do: "share", name: "p", hash: hashOf("b2"), percent: 5, by: "request" });
    expect((await row()).trial).toMatchObject({
      version: "b2",
      mode: "percent",
      percent: 5,
      startedBy: "admin",
    });
    await step({ do: "rollback", name: "p", hash: hashOf("c3") });
    expect((await row()).trial).toBeNull();
    expect(await states()).toEqual({ a1: "before", b2: "kept", c3: "in force" });
    await step({ do: "rollback", name: "p" });
    expect(await states()).toEqual({ a1: "in force", b2: "kept", c3: "before" });
  });

  test("that no hash begins so, or several, or the one in force, are refused with what is kept", async () => {
    await withVersion("a1");
    await push("b2");
    const to = (hash: string) => step({ do: "rollback", name: "p", hash });
    await expect(to("aaaa")).rejects.toThrow(
      `No version of the policy "p" with the hash aaaa is kept, but ${hashOf("a1").slice(0, 12)}, ${hashOf("b2").slice(0, 12)}`,
    );
    await expect(to("0000")).rejects.toThrow("2 versions of the policy");
    await expect(to(hashOf("b2"))).rejects.toThrow("is in force already");
    await expect(to("0")).rejects.toThrow("expected the first 4 or more digits of a hash");
    await expect(step({ do: "rollback", name: "q", hash: "0000" })).rejects.toThrow('There is no policy "q"');
    expect(await states()).toEqual({ a1: "before", b2: "in force" });
  });

  test("go, the oldest first, when there are many; those in force, tried and before stay", async () => {
    await withVersion("a0");
    await tryVersion("a1");
    await push("a2");
    for (let at = 3; at < limits.policyVersionsMax + 5; at++) {
      await step({ do: "promote", name: "p" });
      await tryVersion(`a${at}`);
    }
    const all = Object.keys(await states());
    expect(all).toHaveLength(limits.policyVersionsMax);
    expect(all[0]).toBe(`a${limits.policyVersionsMax + 4}`);
    const { entries } = controller.store.range(registryKeys.policyVersions);
    expect(entries).toHaveLength(limits.policyVersionsMax);
    await step({ do: "rollback", name: "p" });
    const oldest = all.at(-1) ?? "";
    await step({ do: "rollback", name: "p", hash: hashOf(oldest) });
    await step({ do: "rollback", name: "p" });
    expect((await states())[oldest]).toBe("before");
    for (let at = 0; at <= limits.policyVersionsMax; at++) await tryVersion(`b${at}`);
    expect(await states()).toMatchObject({ [oldest]: "before", [`b${limits.policyVersionsMax}`]: "share" });
    await step({ do: "rollback", name: "p" });
    await step({ do: "rollback", name: "p" });
    expect((await states())[oldest]).toBe("in force");
  });

  test("say why they were returned, however much happened since", async () => {
    await withVersion("a1");
    await tryVersion("b2");
    await tell("vm-1", { ...failing, hash: hashOf("b2") });
    for (let at = 0; at < limits.policyHistoryMax; at++)
      await step({ do: at % 2 === 0 ? "disable" : "enable", name: "p" });
    const { events, versions } = await row();
    expect(events).toHaveLength(limits.policyHistoryMax);
    expect(versions?.find(({ version }) => version === "b2")).toMatchObject({
      why: "20 of its 20 calls failed, and 0 of 20 of the version in force",
    });
  });

  test("stay disabled while the policy is, whichever of them is in force", async () => {
    await withVersion("a1");
    await step({ do: "disable", name: "p" });
    await push("b2");
    expect(await row()).toMatchObject({ version: "b2", disabled: true });
    await step({ do: "rollback", name: "p" });
    expect(await row()).toMatchObject({ version: "a1", disabled: true });
    await step({ do: "enable", name: "p" });
    await step({ do: "rollback", name: "p" });
    expect(await row()).toMatchObject({ version: "b2", disabled: false });
  });

  test("go with the policy", async () => {
    await withVersion("a1");
    await push("b2");
    await controller
      .operator()
      .call("POST", `${controllerPaths.documents}/remove`, { documents: [], policies: ["p"], dryRun: false });
    expect(controller.store.range("polic").entries).toEqual([]);
  });

  test("are the same for several controllers, of which each may take any step at the same moment", async () => {
    await withVersion("a1");
    const other = await controller.beside(bundler);
    const at = [controller, other];
    const versions = Array.from({ length: 8 }, (_, each) => `b${each}`);
    const pushes = versions.map((text, each) =>
      at[each % 2]?.operator().call("POST", controllerPaths.documents, {
        ...{ files: [], policies: [{ file: "policies/p.ts", text }], prune: false, dryRun: false },
      }),
    );
    const switches = Array.from({ length: 4 }, (_, each) =>
      at[each % 2]
        ?.operator()
        .call("POST", `${controllerPaths.policies}/steps`, { do: "disable", name: "p" }),
    );
    const ended = await Promise.allSettled([...pushes, ...switches]);
    const done = ended.filter(({ status }) => status === "fulfilled").length;
    await other.controller.catalog.reached(controller.store.revision());
    const { body } = await other.operator().call("GET", controllerPaths.policies);
    const here = await row();
    expect((body as PoliciesAnswer).policies).toEqual([here]);
    // Each step that was answered is remembered, and stands beside the first one.
    expect(here.events).toHaveLength(done + 1);
    const pushed = here.events.filter(({ what }) => what === "pushed").map(({ hash }) => hash);
    expect(here.hash).toBe(pushed.at(-1) ?? "");
    expect(here.before?.hash).toBe(pushed.at(-2) ?? "");
    expect(new Set(here.versions?.map(({ hash }) => hash))).toEqual(new Set(pushed));
    other.controller.close();
  });

  test("lead back though a controller that has not heard of the last pushes takes a step", async () => {
    await withVersion("a1");
    const other = await controller.beside(bundler);
    // It hears nothing any more, as one whose registry is slow to tell.
    other.controller.catalog.update = () => {};
    await push("b2");
    await push("c3");
    await other.operator().call("POST", `${controllerPaths.policies}/steps`, { do: "disable", name: "p" });
    await controller.controller.catalog.reached(controller.store.revision());
    expect(await row()).toMatchObject({ disabled: true, before: { version: "b2" } });
    await step({ do: "rollback", name: "p" });
    expect(await states()).toEqual({ a1: "kept", b2: "in force", c3: "before" });
    other.controller.close();
  });

  test("begin with the one that an older heddle kept as the one before", async () => {
    await withVersion("b2");
    const [event] = (await row()).events;
    const former = { name: "p", version: "a1", onError: "open", cpuMs: 2, hash: hashOf("a1"), text: "a1" };
    await controller.put(registryKeys.policiesBefore + "p", JSON.stringify(former));
    await controller.put(registryKeys.policyHistory + "p", JSON.stringify({ events: [event] }));
    expect((await row()).before).toEqual({ version: "a1", hash: hashOf("a1") });
    await step({ do: "disable", name: "p" });
    expect(controller.store.range(registryKeys.policiesBefore).entries).toEqual([]);
    await step({ do: "enable", name: "p" });
    await step({ do: "rollback", name: "p" });
    expect(await states()).toEqual({ a1: "in force", b2: "before" });
  });

  test("go with the policy, also the one that an older heddle kept", async () => {
    await withVersion("b2");
    await controller.put(
      registryKeys.policiesBefore + "p",
      JSON.stringify({ name: "p", hash: "0".repeat(64) }),
    );
    await controller
      .operator()
      .call("POST", `${controllerPaths.documents}/remove`, { documents: [], policies: ["p"], dryRun: false });
    expect(controller.store.range("polic").entries).toEqual([]);
  });

  test("lose no step that another controller takes while one pushes", async () => {
    await withVersion("a1");
    const other = await controller.beside(bundler);
    const { store } = controller;
    const commit = store.commit.bind(store);
    let taken = false;
    store.commit = async (conditions, operations) => {
      if (!taken && conditions.some(({ key }) => key === documentsMark)) {
        taken = true;
        await other
          .operator()
          .call("POST", `${controllerPaths.policies}/steps`, { do: "disable", name: "p" });
      }
      return await commit(conditions, operations);
    };
    await push("b2");
    expect((await row()).events.map(({ what }) => what)).toEqual(["pushed", "disabled", "pushed"]);
    expect(await row()).toMatchObject({ version: "b2", disabled: true });
    other.controller.close();
  });
});

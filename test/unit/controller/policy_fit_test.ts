/** A policy that a machine's heddle is too old for is refused before it goes anywhere, and the machines are named. */
import { afterEach, describe, expect, test } from "bun:test";
import { controllerPaths } from "../../../src/api/messages.ts";
import type { ProxyAbout } from "../../../src/api/snapshot_messages.ts";
import type { StoredPolicy } from "../../../src/controller/catalog.ts";
import type { PolicyBundler } from "../../../src/controller/policy_uses.ts";
import { hooks } from "../../../src/policy/hooks.ts";
import { ownSupport } from "../../../src/policy/support.ts";
import { ControllerUnderTest } from "../../support/controller_under_test.ts";

/** A file is the policy `p` as JSON. */
const bundler: PolicyBundler = {
  shipped: [],
  bundle: async (files) => ({
    policies: files.map(({ text }): StoredPolicy => {
      const of = { name: "p", version: "1.0.0", onError: "open", cpuMs: 2 } as const;
      return {
        ...of,
        hash: new Bun.CryptoHasher("sha256").update(text).digest("hex"),
        text,
        ...(JSON.parse(text) as object),
      };
    }),
    issues: [],
  }),
  check: async () => ({ issues: [] }),
};

let controller: ControllerUnderTest;
afterEach(() => controller.close());

const web = { name: "web", namespace: "default" };
const documents = (policies: string): string =>
  `{kind: Service, name: web, port: 80, protocol: http${policies}}`;
const used = documents(", policies: [{use: p}]");

/** `vm-a` calls `web`, `vm-b` calls nothing. */
async function start(): Promise<void> {
  controller = await ControllerUnderTest.start(bundler);
  for (const name of ["vm-a", "vm-b"]) await controller.addNode(name, [web]);
}

async function says(node: string, policies: ProxyAbout["policies"]): Promise<void> {
  controller.follow(node, "", node === "vm-a" ? ["web.default"] : []);
  await controller.until(() => controller.controller.publisher.connected().includes(node));
  const about = { version: "0.1.0 (abc)", units: [], ...(policies === undefined ? {} : { policies }) };
  const reply = { version: "", error: null, certificates: [], controllers: [], about };
  await controller.as(`/node/${node}`).call("POST", controllerPaths.reply, reply);
}

const apply = (text: string, policy: object | null) =>
  controller.operator().call("POST", controllerPaths.documents, {
    files: [{ file: "web.yaml", text }],
    policies: policy === null ? [] : [{ file: "policies/p.ts", text: JSON.stringify(policy) }],
    ...{ prune: false, dryRun: false },
  });

const step = (what: object) => controller.operator().call("POST", `${controllerPaths.policies}/steps`, what);
const tryIt = (policy: object) =>
  step({
    ...{ do: "try", mode: "percent", percent: 5, by: "request" },
    policies: [{ file: "policies/p.ts", text: JSON.stringify(policy) }],
  });

const refusal = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "it was taken",
    (error: Error) => error.message,
  );

describe("a policy that needs more than a machine's heddle has", () => {
  const [first, second] = hooks;
  const older = { ...ownSupport, hooks: [first] };
  const newer = { hooks: [first, second], version: "2.0.0" };

  test("is not applied where it would be asked there, and the refusal names machine, version and what is missing", async () => {
    await start();
    await says("vm-a", older);
    await says("vm-b", older);
    expect(await refusal(apply(used, newer))).toContain(
      'The policy "p" 2.0.0 needs pick, which heddle has not on vm-a (0.1.0 (abc))',
    );
    expect(controller.controller.catalog.policies.has("p")).toBe(false);
  });

  test("is applied where only other machines lack it, and where it is not asked", async () => {
    await start();
    await says("vm-a", ownSupport);
    await says("vm-b", older);
    expect(await refusal(apply(used, newer))).toBe("it was taken");
  });

  test("is not tried, and not promoted when such a machine came meanwhile", async () => {
    await start();
    await says("vm-a", older);
    await apply(used, { hooks: [first] });
    expect(await refusal(tryIt(newer))).toContain("needs pick, which heddle has not on vm-a");
    await says("vm-a", ownSupport);
    expect(await refusal(tryIt(newer))).toBe("it was taken");
    await says("vm-a", older);
    expect(await refusal(step({ do: "promote", name: "p" }))).toContain("which heddle has not on vm-a");
    expect(await refusal(step({ do: "rollback", name: "p" }))).toBe("it was taken");
  });

  test("and is tried where none asks it, is not given to one by documents that begin to", async () => {
    await start();
    await says("vm-a", older);
    await apply(documents(""), { hooks: [first] });
    expect(await refusal(tryIt(newer))).toBe("it was taken");
    expect(await refusal(apply(used, null))).toContain(
      'The policy "p" 2.0.0 needs pick, which heddle has not on vm-a (0.1.0 (abc))',
    );
    expect(await refusal(step({ do: "rollback", name: "p" }))).toBe("it was taken");
    expect(await refusal(apply(used, null))).toBe("it was taken");
  });

  test("is told by its api, too, and documents that change nothing of it are applied", async () => {
    await start();
    await says("vm-a", ownSupport);
    expect(await refusal(apply(used, { api: 2 }))).toContain("needs api 2, which heddle has not on vm-a");
    await says("vm-a", { ...ownSupport, apiNewest: 2 });
    expect(await refusal(apply(used, { api: 2 }))).toBe("it was taken");
    // A machine goes back to a version of before: what stands is no reason to refuse everything.
    await says("vm-a", ownSupport);
    expect(await refusal(apply(`${used}\n---\n{kind: Mesh, name: mesh}`, null))).toBe("it was taken");
  });

  test("goes by what the first version had where a machine does not say", async () => {
    await start();
    await says("vm-a", undefined);
    expect(await refusal(apply(used, { hooks: hooks.slice(0, 6) }))).toBe("it was taken");
    expect(await refusal(tryIt({ hooks: ["onSomethingNew"] }))).toContain("needs onSomethingNew");
  });
});

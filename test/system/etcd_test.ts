/** A mesh whose registry keeps everything in etcd: three members, one of which is lost, while calls go on. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import type { PolicyRow } from "../../src/api/operator_messages.ts";
import { binaryMissing } from "../../compile/repository.ts";
import { hasEtcd, startEtcd, type Etcd } from "../support/etcd.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { SteadyLoad } from "../support/steady_load.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;

const stamp = (version: string): string => `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "stamp", version: "${version}", options: v.strictObject({}), onError: "closed",
  onRequest() { return next({ headers: { set: { "x-stamp": "${version}" } } }); },
});
`;

describe.skipIf(binaryMissing || !hasEtcd)(`a mesh over etcd${hasEtcd ? "" : " (needs etcd)"}`, () => {
  let etcd: Etcd;
  let mesh: Mesh;

  beforeAll(async () => {
    etcd = await startEtcd({ members: 3, tls: true });
    const machines = [
      { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } } as const] },
      { name: "vm-b", services: [{ service: "web" } as const] },
    ];
    mesh = await startMesh({ documents, machines, store: etcd.url("corp"), addressFirst: 50 });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await etcd?.stop();
  });

  test(
    "takes documents while members of etcd are lost one after the other and come back, and no call fails",
    async () => {
      const call = () => callByName(mesh.machine("vm-a"), "caller", "web");
      await callUntil("it reaches web", call, ({ status }) => status === 200);
      const machine = mesh.machine("vm-a");
      const where = { host: machine.address, port: machine.httpPort("caller") };
      const load = new SteadyLoad({
        ...{ ...where, authority: "web.mesh", path: "/", connections: 4, everyMs: 8 },
      }).start();
      for (const [at, member] of etcd.members.entries()) {
        await member.kill();
        mesh.apply(`${documents}---\n{kind: Service, name: extra-${at}, port: 80, protocol: http}\n`);
        member.start();
        // A controller whose watch has just lost its member hears of it a little later.
        const stands = (): true | null => mesh.heddle("status").includes(`extra-${at}`) || null;
        await waitFor(`extra-${at} stands`, stands, { everyMs: 50 });
        await mesh.settled();
      }
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(load.answered).toBeGreaterThan(0);
    },
    testMs,
  );

  test(
    "keeps versions of a policy by their hash, each of which can be brought back",
    () => {
      const pushed = (version: string): string => {
        mkdirSync(`${mesh.folder}/kept/policies`, { recursive: true });
        writeFileSync(`${mesh.folder}/kept/policies/stamp.ts`, stamp(version));
        return mesh.heddle("policy", "push", `${mesh.folder}/kept`);
      };
      const shown = (): PolicyRow => JSON.parse(mesh.heddle("policy", "show", "stamp", "--output", "json"));
      pushed("1.0.0");
      pushed("2.0.0");
      pushed("3.0.0");
      const first = shown().versions?.find(({ version }) => version === "1.0.0");
      expect(first).toMatchObject({ by: "admin", api: 1, state: "kept" });
      const start = first?.hash.slice(0, 8) ?? "";
      expect(mesh.heddle("policy", "rollback", "stamp", "--to", start)).toBe(
        "stamp 1.0.0 rolled back: instead of 3.0.0\n",
      );
      expect(mesh.heddle("policy", "show", "stamp")).toMatch(
        new RegExp(`1\\.0\\.0 +${start} +api 1 +20\\S+Z +admin +in force`),
      );
      const second = shown().versions?.find(({ version }) => version === "2.0.0")?.hash ?? "";
      mesh.heddle("policy", "rollout", "stamp", "--hash", second.slice(0, 12), "--percent", "5");
      expect(mesh.heddle("policy", "show", "stamp")).toContain("tried for 5 % of requests");
      expect(mesh.controller.output()).toContain(`rolled out 2.0.0, bundle ${second.slice(0, 12)}: for 5 %`);
    },
    testMs,
  );

  test(
    "goes on from a file into which its registry was copied",
    () => {
      const file = `${mesh.folder}/copy.db`;
      const copied = JSON.parse(
        mesh.heddle("registry", "copy", etcd.url("corp"), file, "--output", "json"),
      ) as {
        readonly copied: Readonly<Record<string, number>>;
      };
      expect(copied.copied).toMatchObject({ nodes: 3, documents: 5, policies: 1, "policy-versions": 3 });
      expect(copied.copied).not.toHaveProperty("instances");
      const again = (): string => mesh.heddle("registry", "copy", file, etcd.url("corp"));
      expect(again).toThrow("is not empty");
      expect(mesh.heddle("registry", "copy", file, etcd.url("other"))).toBeDefined();
    },
    testMs,
  );
});

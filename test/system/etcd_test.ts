/** A mesh whose registry keeps everything in etcd: three members, one of which is lost, while calls go on. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
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
    "goes on from a file into which its registry was copied",
    () => {
      const file = `${mesh.folder}/copy.db`;
      const copied = JSON.parse(
        mesh.heddle("registry", "copy", etcd.url("corp"), file, "--output", "json"),
      ) as {
        readonly copied: Readonly<Record<string, number>>;
      };
      expect(copied.copied).toMatchObject({ nodes: 3, documents: 5 });
      expect(copied.copied).not.toHaveProperty("instances");
      const again = (): string => mesh.heddle("registry", "copy", file, etcd.url("corp"));
      expect(again).toThrow("is not empty");
      expect(mesh.heddle("registry", "copy", file, etcd.url("other"))).toBeDefined();
    },
    testMs,
  );
});

/** Certificates that live for seconds, under load: no request fails and no connection is cut. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import type { AuthorityAnswer } from "../../src/api/authority_messages.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { waitFor } from "../support/processes.ts";
import { SteadyLoad } from "../support/steady_load.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;
const leafTtl = "4s";
const loadMs = 14_000;

describe.skipIf(binaryMissing)(`with certificates that live for ${leafTtl}`, () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      leafTtl,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
      ],
    });
    const call = () => callByName(mesh.machine("vm-a"), "caller", "web");
    await callUntil("vm-a reaches web", call, ({ status }) => status === 200);
  }, testMs);
  afterAll(async () => await mesh?.stop());

  function issued(): number[] {
    return mesh.status().nodes.flatMap((node) => node.certificates.map((each) => each.issuedMs));
  }

  test(
    "no request fails over several lifetimes, no connection of an app is lost, and a stream goes on",
    async () => {
      const machine = mesh.machine("vm-a");
      const { address: host } = machine;
      const port = machine.httpPort("caller");
      const before = Math.max(...issued());
      const load = new SteadyLoad({
        host,
        port,
        authority: "web.mesh",
        path: "/",
        connections: 8,
        everyMs: 5,
      }).start();
      const ticks = loadMs / 100;
      const stream = callByName(machine, "caller", "web", {
        path: `/tick?ms=100&count=${ticks}`,
        limitMs: 2 * loadMs,
      });
      await Bun.sleep(loadMs);
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(load.lost).toBe(0);
      expect(load.answered).toBeGreaterThan(1_000);
      expect((await stream).text.trim().split("\n").length).toBe(ticks);
      expect(Math.min(...issued())).toBeGreaterThan(before + 4_000);
    },
    testMs,
  );

  test(
    "the root is replaced under load without a failed request, step by step and not too early",
    async () => {
      const { address: host } = mesh.machine("vm-a");
      const port = mesh.machine("vm-a").httpPort("caller");
      const load = new SteadyLoad({
        host,
        port,
        authority: "web.mesh",
        path: "/",
        connections: 8,
        everyMs: 5,
      }).start();
      const status = () => JSON.parse(mesh.heddle("ca", "status", "--output", "json")) as AuthorityAnswer;
      const rotate = () => JSON.parse(mesh.heddle("ca", "rotate", "--output", "json")) as AuthorityAnswer;
      // The control plane's own machine runs no proxy in this mesh: nobody there could come to trust a new root.
      mesh.heddle("node", "remove", "control", "--yes");
      expect(rotate()).toMatchObject({ phase: "added", roots: 2 });
      await waitFor("every machine to trust the new root", () =>
        status().behind.length === 0 ? true : null,
      );
      expect(rotate()).toMatchObject({ phase: "switched", roots: 2 });
      expect(rotate).toThrow("valid until");
      const { oldLeavesEndMs } = status();
      await waitFor("the last certificate below the old root to end", () =>
        Date.now() > oldLeavesEndMs ? true : null,
      );
      expect(rotate()).toMatchObject({ phase: "none", roots: 1, sequence: 3 });
      await waitFor("every machine to have dropped the old root", () =>
        status().behind.length === 0 ? true : null,
      );
      await Bun.sleep(2_000);
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(load.lost).toBe(0);
      expect(load.answered).toBeGreaterThan(1_000);
    },
    testMs,
  );
});

/** Without registry and controller traffic goes on, also through a proxy that is started again meanwhile. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { until } from "../support/sockets.ts";
import { SteadyLoad } from "../support/steady_load.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;

describe.skipIf(binaryMissing)("without registry and controller", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
      ],
    });
    await callUntil("vm-a reaches web", call, ({ status }) => status === 200);
  }, testMs);
  afterAll(async () => await mesh?.stop());

  const call = () => callByName(mesh.machine("vm-a"), "caller", "web");

  function load(): SteadyLoad {
    const { address: host } = mesh.machine("vm-a");
    const port = mesh.machine("vm-a").httpPort("caller");
    return new SteadyLoad({
      host,
      port,
      authority: "web.mesh",
      path: "/",
      connections: 4,
      everyMs: 5,
    }).start();
  }

  /** So many more than it has. */
  async function answers(running: SteadyLoad, more: number): Promise<void> {
    const enough = running.answered + more;
    await until(() => running.answered >= enough, `${more} more requests are answered`);
  }

  test(
    "no request fails while they end, one killed and one in order, and while they are gone",
    async () => {
      const running = load();
      await answers(running, 50);
      await mesh.registry.kill();
      await mesh.controller.stop();
      await answers(running, 500);
      await running.stop();
      expect(running.failures).toEqual([]);
    },
    testMs,
  );

  test(
    "proxies that are started meanwhile serve from disk",
    async () => {
      for (const name of ["vm-a", "vm-b"]) {
        await mesh.machine(name).proxy.kill();
        await mesh.machine(name).proxy.start();
        await callUntil(`traffic flows after ${name} came back`, call, ({ status }) => status === 200);
      }
      const running = load();
      await answers(running, 200);
      await running.stop();
      expect(running.failures).toEqual([]);
    },
    testMs,
  );

  test(
    "when they return, the mesh takes changes again",
    async () => {
      await mesh.registry.start();
      await mesh.controller.start();
      await mesh.settled();
      mesh.apply(
        `${documents}---\n{kind: Access, name: web, service: web, mode: enforce, deny: [{from: caller}]}\n`,
      );
      await callUntil("the new access rule holds", call, ({ status }) => status === 403);
    },
    testMs,
  );
});

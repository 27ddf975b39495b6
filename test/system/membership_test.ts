/** Members that leave, and members that were away: what is cut at once, and what comes back without anybody's help. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;
const leafMs = 8_000;
/** Long after a machine was removed, however busy this one is. */
const longMs = 40_000;

describe.skipIf(binaryMissing)(`with certificates that live for ${leafMs / 1000} s`, () => {
  let mesh: Mesh;

  beforeAll(async () => {
    const caller = { service: "caller", app: "none", calls: { web: "by-name" } } as const;
    mesh = await startMesh({
      documents,
      leafTtl: `${leafMs / 1000}s`,
      machines: [
        { name: "vm-a", services: [caller] },
        { name: "vm-b", services: [{ service: "web" }] },
        { name: "vm-c", services: [caller] },
      ],
    });
    for (const name of ["vm-a", "vm-c"])
      await callUntil(
        `${name} reaches web`,
        () => call(name),
        ({ status }) => status === 200,
      );
  }, testMs);
  afterAll(async () => await mesh?.stop());

  const call = (name: string, path = "/") =>
    callByName(mesh.machine(name), "caller", "web", { path, limitMs: 2 * longMs });

  test(
    "a machine that is removed loses what it has open and gets nothing more; its service goes on elsewhere",
    async () => {
      let [cutMs, endedMs] = [0, 0];
      const open = call("vm-a", `/tick?ms=100&count=${longMs / 100}`).then(
        () => (cutMs = Date.now()),
        () => (cutMs = Date.now()),
      );
      const other = call("vm-c", "/tick?ms=100&count=100").then((answer) => {
        endedMs = Date.now();
        return answer.text.trim().split("\n").length;
      });
      await Bun.sleep(500);
      mesh.heddle("node", "remove", "vm-a");
      const removedMs = Date.now();
      await open;
      expect(cutMs - removedMs).toBeLessThan(longMs / 2);
      // 503 once its own certificate has ended, too.
      expect((await call("vm-a")).status).toBeGreaterThanOrEqual(502);
      expect((await call("vm-c")).status).toBe(200);
      expect(await other).toBe(100);
      expect(endedMs).toBeGreaterThan(cutMs);
      await Bun.sleep(leafMs);
      expect((await call("vm-a")).status).toBeGreaterThanOrEqual(502);
      await callUntil(
        "vm-c goes on",
        () => call("vm-c"),
        ({ status }) => status === 200,
      );
    },
    testMs,
  );

  test(
    "a machine that was off until its certificates ended comes back by its key",
    async () => {
      const { proxy } = mesh.machine("vm-c");
      await proxy.kill();
      await Bun.sleep(leafMs + 2_000);
      await proxy.start();
      await callUntil(
        "vm-c reaches web again",
        () => call("vm-c"),
        ({ status }) => status === 200,
      );
      expect(mesh.controller.output()).toContain("vm-c came back by its key");
    },
    testMs,
  );

  test(
    "a mesh whose certificates all ended without a control plane refuses traffic, and is whole again with it",
    async () => {
      await mesh.registry.kill();
      await mesh.controller.kill();
      await Bun.sleep(2 * leafMs);
      expect((await call("vm-c")).status).toBeGreaterThanOrEqual(502);
      await mesh.registry.start();
      await mesh.controller.start();
      await callUntil(
        "traffic flows again",
        () => call("vm-c"),
        ({ status }) => status === 200,
      );
    },
    testMs,
  );
});

/**
 * A proxy that is asked to end while it is at work: whoever obeys its GOAWAY or `Connection: close` loses no request, it
 * leaves as soon as nothing is under way, and streams have their time.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { binaryPath } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import type { Obedience } from "../support/peers/run_obedient.ts";
import { waitFor, type Program } from "../support/processes.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, balance: round-robin}
---
{kind: Service, name: alone, port: 80, protocol: http}
`;
const loadMs = 4_000;
const quietMs = 1_000;

describe.skipIf(!existsSync(binaryPath))("a proxy that is asked to end", () => {
  let servers: Program[] = [];
  let mesh: Mesh;

  beforeAll(async () => {
    const [b, c] = [addressOf(80), addressOf(81)];
    servers = await Promise.all([
      startNode("peers/server.ts", b, 8080),
      startNode("peers/server.ts", c, 8080),
    ]);
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [{ service: "caller", app: "none", calls: { web: "by-name", alone: "by-name" } }],
        },
        {
          name: "vm-b",
          services: [
            { service: "web", host: b, port: 8080 },
            { service: "alone", host: b, port: 8080 },
          ],
        },
        { name: "vm-c", services: [{ service: "web", host: c, port: 8080 }] },
      ],
    });
  }, 60_000);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all(servers.map((server) => server.stop()));
  });

  function load(version: "http/1.1" | "h2"): Promise<Obedience> {
    const machine = mesh.machine("vm-a");
    const args = [version, loadMs, machine.address, machine.httpPort("caller"), "web.mesh"];
    return runNode<Obedience>("peers/run_obedient.ts", args.map(String));
  }

  /** SIGTERM; how long it took to be gone. */
  async function end({ proxy }: Machine): Promise<number> {
    const startedMs = performance.now();
    proxy.signal("SIGTERM");
    await waitFor("the proxy has ended", () => (proxy.pid < 0 ? true : null), {
      limitMs: limits.drainMs + 5_000,
    });
    return performance.now() - startedMs;
  }

  test("on the far side fails no request: the others take over", async () => {
    const loads = [load("http/1.1"), load("h2")];
    const far = mesh.machine("vm-b");
    await Bun.sleep(loadMs / 3);
    expect(await end(far)).toBeLessThan(quietMs + 2_000);
    for (const found of await Promise.all(loads)) {
      expect(found.failures).toEqual([]);
      expect(found.refusedMs).toBeNull();
      expect(found.answered).toBeGreaterThan(300);
    }
    await far.proxy.start();
    await mesh.settled();
  }, 60_000);

  test("waits for a stream, and then leaves at once", async () => {
    const machine = mesh.machine("vm-a");
    const path = "/events?ms=50&count=40";
    const stream = callByName(machine, "caller", "alone", { path });
    await Bun.sleep(300);
    const far = mesh.machine("vm-b");
    const tookMs = await end(far);
    expect((await stream).text.split("\n\n").length).toBe(41);
    expect(tookMs).toBeGreaterThan(1_000);
    expect(tookMs).toBeLessThan(4_000);
    await far.proxy.start();
    await mesh.settled();
  }, 60_000);

  test("on the near side answers what is under way, tells every connection, and is gone", async () => {
    const loads = [load("http/1.1"), load("h2")];
    await Bun.sleep(loadMs / 2);
    const tookMs = await end(mesh.machine("vm-a"));
    for (const found of await Promise.all(loads)) {
      expect(found.failures).toEqual([]);
      expect(found.answered).toBeGreaterThan(300);
      expect(found.told).toBeGreaterThan(0);
      expect(found.refusedMs).not.toBeNull();
    }
    expect(tookMs).toBeLessThan(quietMs + 2_000);
    await mesh.machine("vm-a").proxy.start();
    await mesh.settled();
  }, 60_000);

  test(`cuts what is still open after ${limits.drainMs / 1_000} s`, async () => {
    const machine = mesh.machine("vm-a");
    const stream = callByName(machine, "caller", "alone", {
      path: "/events?ms=100&count=100000",
      limitMs: 2 * limits.drainMs,
    }).then(
      () => "whole",
      () => "cut",
    );
    await Bun.sleep(300);
    const tookMs = await end(machine);
    expect(await stream).toBe("cut");
    expect(tookMs).toBeGreaterThan(limits.drainMs - 500);
    expect(tookMs).toBeLessThan(limits.drainMs + 3_000);
  }, 60_000);
});

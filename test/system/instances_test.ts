/** Three worker processes of one service on one machine, on the compiled binary: one dies, is taken out, and the others serve. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing, bun, root } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import type { Seen } from "../support/apps.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { accepts, startProgram, waitFor, type Program } from "../support/processes.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, balance: round-robin}
`;

describe.skipIf(binaryMissing)("three worker processes of one service on one machine", () => {
  const host = addressOf(96);
  const ports = [8_080, 8_081, 8_082];
  const workers = new Map<number, Program>();
  let mesh: Mesh;

  const startWorker = async (port: number): Promise<void> => {
    const program = startProgram({
      name: `worker at ${port}`,
      command: [bun, `${root}/test/support/apps.ts`, "http", host, String(port), "web", `at-${port}`],
      log: "/dev/null",
    });
    workers.set(port, program);
    await waitFor(`${program.name} accepts`, async () => ((await accepts(host, port)) ? true : null));
  };

  beforeAll(async () => {
    await Promise.all(ports.map(startWorker));
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: ports.map((port) => ({ service: "web", host, port })) },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all([...workers.values()].map((worker) => worker.stop()));
  });

  /** Who answered so many requests, in any order. */
  const call = async (count: number): Promise<string[]> => {
    const seen: string[] = [];
    for (let at = 0; at < count; at++) {
      const { status, text } = await callByName(mesh.machine("vm-a"), "caller", "web");
      expect(status).toBe(200);
      seen.push((JSON.parse(text) as Seen).version);
    }
    return seen.sort();
  };
  const all = ["at-8080", "at-8081", "at-8082"];

  test("are endpoints of their own, which status shows one by one", async () => {
    await waitFor("all have their share", async () => (Bun.deepEquals(await call(3), all) ? true : null));
    const shown = mesh.heddle("status");
    for (const port of ports) expect(shown).toMatch(new RegExp(`^web\\.default +vm-b +ready +${port} `, "m"));
    expect(mesh.status().instances.filter(({ service }) => service.name === "web")).toHaveLength(3);
  });

  test("go on without one that is killed, and no request fails", async () => {
    workers.get(8_081)?.kill("SIGKILL");
    await waitFor("it is known to be dead", async () => {
      expect(await call(3)).not.toContain("at-8081");
      return /^web\.default +vm-b +not ready: nothing listens .* 8081 /m.test(mesh.heddle("status")) || null;
    });
  });

  test("are whole again once it is back", async () => {
    await startWorker(8_081);
    await waitFor("it has its share", async () => (Bun.deepEquals(await call(3), all) ? true : null));
  });
});

/** An operator takes instances and machines out of a mesh that is at work, and back: no request fails, and what is left is told. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import type { Left } from "../../src/app/drain.ts";
import { heddle, heddleRunning } from "../support/command.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { plainEnvironment, waitFor } from "../support/processes.ts";
import { SteadyLoad } from "../support/steady_load.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;

interface Drained {
  readonly change: string;
  readonly instances: readonly string[];
  readonly left: Left;
  readonly empty: boolean;
}

describe.skipIf(binaryMissing)("a drained instance", () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web", version: "b" }] },
        { name: "vm-c", services: [{ service: "web", version: "c" }] },
      ],
    });
    await mesh.settled();
  }, testMs);
  afterAll(async () => await mesh?.stop(), testMs);

  const drain = (...args: string[]): Drained =>
    JSON.parse(mesh.heddle("drain", ...args, "--output", "json")) as Drained;
  /** While the load of this process goes on. */
  async function beside(...args: string[]): Promise<string> {
    const env = plainEnvironment({ HEDDLE_STATE: `${mesh.folder}/control` });
    const program = Bun.spawn([binaryPath, ...args, "--output", "json"], { env, stdout: "pipe" });
    const out = await new Response(program.stdout).text();
    expect([args, await program.exited]).toEqual([args, 0]);
    return out;
  }
  const urlOf = (path: string): string => {
    const { address, httpPort } = at();
    return `http://${address}:${httpPort}${path}`;
  };
  const at = (): { address: string; httpPort: number } => {
    const machine = mesh.machine("vm-a");
    return { address: machine.address, httpPort: machine.httpPort("caller") };
  };
  /** Who answers requests that begin now. */
  async function answering(count = 20): Promise<string[]> {
    const versions = new Set<string>();
    for (let request = 0; request < count; request++) {
      const answer = await fetch(urlOf("/"), { headers: { host: "web.mesh" } });
      versions.add(
        answer.status === 200
          ? ((await answer.json()) as { version: string }).version
          : String(answer.status),
      );
    }
    return [...versions].sort();
  }

  test(
    "is taken out and brought back again and again under load, and no request fails",
    async () => {
      const { address, httpPort } = at();
      const load = new SteadyLoad({
        ...{ host: address, port: httpPort, authority: "web.mesh", path: "/" },
        ...{ connections: 16, everyMs: 2 },
      }).start();
      for (const place of ["web@vm-b", "vm-c", "web@vm-b"]) {
        const { empty, left } = JSON.parse(await beside("drain", place, "--wait")) as Drained;
        expect([empty, left.exchanges, left.behind]).toEqual([true, 0, []]);
        const before = new Map(load.versions);
        const [out, other] = place.endsWith("b") ? ["b", "c"] : ["c", "b"];
        await waitFor("the other one answers", () =>
          (load.versions.get(other) ?? 0) > (before.get(other) ?? 0) + 100 ? true : null,
        );
        expect(load.versions.get(out)).toBe(before.get(out));
        await beside("undrain", place);
        await waitFor("it is called again", () =>
          (load.versions.get(out) ?? 0) > (before.get(out) ?? 0) ? true : null,
        );
      }
      await load.stop();
      expect(load.failures).toEqual([]);
    },
    testMs,
  );

  test(
    "keeps its streams to their end, and --wait returns when the last one has ended",
    async () => {
      drain("web@vm-c", "--wait");
      const stream = await fetch(urlOf("/tick?ms=20&count=1000000"), { headers: { host: "web.mesh" } });
      const reader = stream.body?.getReader();
      await reader?.read();
      mesh.heddle("undrain", "web@vm-c");
      await waitFor("both are called", async () => ((await answering()).length === 2 ? true : null));
      const { left, empty } = drain("web@vm-b");
      expect([left.exchanges, empty]).toEqual([1, false]);
      const state = `${mesh.folder}/control`;
      const late = heddle(["drain", "web@vm-b", "--wait", "--timeout", "1s"], { state });
      expect([late.code, late.err]).toEqual([
        1,
        expect.stringContaining("web@vm-b is not empty after 1 s: 1 request under way"),
      ]);
      const waiting = heddleRunning(["drain", "web@vm-b", "--wait"], `${mesh.folder}/drain.log`, { state });
      await waitFor("it says what is left", () =>
        /1 request under way/.test(waiting.output()) ? true : null,
      );
      expect(new TextDecoder().decode((await reader?.read())?.value)).toContain("tick");
      await reader?.cancel();
      await waiting.exited;
      expect(waiting.ended?.code).toBe(0);
      expect(waiting.output()).toContain("nothing is under way there");
      mesh.heddle("undrain", "web@vm-b");
    },
    testMs,
  );

  test(
    "stays out when registry, controller and its proxy start again",
    async () => {
      drain("web@vm-b", "--wait");
      for (const process of [mesh.registry, mesh.controller, mesh.machine("vm-b").proxy]) {
        await process.stop();
        await process.start();
      }
      const isBack = () => (/web\.default +vm-b +drained +\d/.test(mesh.heddle("status")) ? true : null);
      await waitFor("it is registered again, and drained", isBack, { everyMs: 100 });
      await waitFor("the caller knows", () =>
        mesh.status().nodes.every(({ wanted, acknowledged }) => wanted === acknowledged) ? true : null,
      );
      expect(await answering()).toEqual(["c"]);
      expect(mesh.heddle("edges", "--window", "500ms")).toContain("drained: web.default@vm-b");
      const { state } = mesh.machine("vm-b");
      expect(heddle(["check"], { state }).out).toMatch(/HED0017 .*web\.default/);
      expect(mesh.heddle("why", "caller", "web", "GET", "/")).toMatch(/vm-b\S* .*drained/);
      drain("vm-c");
      await waitFor("nobody is left to call", async () => ((await answering(1))[0] === "503" ? true : null));
      expect(heddle(["why", "caller", "web", "GET", "/"], { state: `${mesh.folder}/control` }).out).toContain(
        "an operator drained all of them",
      );
      mesh.heddle("undrain", "vm-c");
      mesh.heddle("undrain", "web@vm-b");
      await waitFor("both are called", async () => ((await answering()).length === 2 ? true : null));
    },
    testMs,
  );

  test("is refused with what is expected where nothing is of that name", () => {
    const said = (...args: string[]) => heddle(args, { state: `${mesh.folder}/control` }).err;
    expect(said("drain", "web@vm-x")).toContain('There is no machine "vm-x"');
    expect(said("drain", "web@vm-a")).toContain("vm-a does not run web.default");
    expect(said("drain", "a@b@c")).toContain("expected SERVICE@MACHINE such as web@vm-2");
  });
});

/** Bodies through the compiled binary: long ones in little memory, and thousands at once that never mix. Peers are Node's. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import type { Bulk } from "../support/peers/run_bulk.ts";
import type { Isolation } from "../support/peers/run_isolation.ts";
import type { Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: one, port: 80, protocol: http}
---
{kind: Service, name: two, port: 80, protocol: http2}
`;
const seed = Number(process.env["HEDDLE_SEED"] ?? Math.floor(Math.random() * 1e9));
const bulkBytes = 2 * 1024 ** 3;
const bulkMs = 60_000;
const growthMaxKib = 64 * 1024;
const exchanges = 6_000;

/** Kibibytes that the process has resident now, and had at most. */
function resident(pid: number): { now: number; most: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const read = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]);
  return { now: read("VmRSS"), most: read("VmHWM") };
}

describe.skipIf(binaryMissing)("bodies", () => {
  let server: Program;
  let mesh: Mesh;

  beforeAll(async () => {
    const host = addressOf(80);
    server = await startNode("peers/server.ts", host, 8080);
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [{ service: "caller", app: "none", calls: { one: "by-name", two: "by-name" } }],
        },
        {
          name: "vm-b",
          services: [
            { service: "one", host, port: 8080 },
            { service: "two", host, port: 8081 },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await server?.stop();
  });

  function door(): [string, string] {
    const machine = mesh.machine("vm-a");
    return [machine.address, String(machine.httpPort("caller"))];
  }

  test(`of ${exchanges} at once none has a byte of another, whoever leaves (HEDDLE_SEED=${seed})`, async () => {
    const args = [String(seed), String(exchanges), ...door(), "one.mesh", "two.mesh"];
    const found = await runNode<Isolation>("peers/run_isolation.ts", args);
    expect([found.foreign, found.failed]).toEqual([[], []]);
    expect(found.whole + found.cut).toBe(exchanges);
    expect(found.cut).toBeGreaterThan(exchanges / 20);
  }, 70_000);

  for (const direction of ["down", "up"])
    for (const [version, authority] of [
      ["http/1.1", "one.mesh"],
      ["h2", "two.mesh"],
    ] as const)
      test(`2 GiB ${direction} over ${version} arrive whole, in less than 64 MiB and a minute`, async () => {
        const pids = ["vm-a", "vm-b"].map((name) => mesh.machine(name).proxy.pid);
        const before = pids.map((pid) => resident(pid).now);
        const args = [direction, version, ...door(), authority, String(bulkBytes)];
        const bulk = await runNode<Bulk>("peers/run_bulk.ts", args, { limitMs: bulkMs });
        expect(bulk).toEqual({ bytes: bulkBytes, whole: true });
        const grown = pids.map((pid, at) => resident(pid).most - (before[at] ?? 0));
        for (const each of grown) expect(each).toBeLessThan(growthMaxKib);
      }, 70_000);
});

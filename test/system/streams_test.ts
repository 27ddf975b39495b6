/**
 * Streams of every kind stay open while documents are applied in a loop and certificates are replaced again and again:
 * nothing is cut, nothing lost, nothing held back.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import { waitFor, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const leafTtl = "4s";
const lastsMs = 12_000;
const changesMin = 20;
const rotationsMin = 3;

/** Something of every service that is called differs from one round to the next. */
function documents(round: number): string {
  return `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: ${80 + (round % 2)}, protocol: http, subsets: {s${round}: {version: v1}}}
---
{kind: Service, name: greeter, port: 80, protocol: grpc, balance: ${round % 2 === 0 ? "ewma" : "round-robin"}}
---
kind: HTTPRoute
name: web
service: web
rules:
- {match: {path: /, headers: {x-round: "${round}"}}, split: {web/s${round}: 1}}
- {match: {path: /}, split: {web: 1}}
---
{kind: Access, name: web, service: web, mode: enforce, allow: [{from: caller}, {from: greeter, paths: [/r${round}]}]}
`;
}

describe.skipIf(binaryMissing)("streams", () => {
  const host = addressOf(80);
  let servers: Program[] = [];
  let mesh: Mesh;

  beforeAll(async () => {
    servers = await Promise.all([
      startNode("peers/server.ts", host, 8080),
      startNode("grpc/server.ts", host, 8090, ["greeter"]),
    ]);
    mesh = await startMesh({
      documents: documents(0),
      leafTtl,
      machines: [
        {
          name: "vm-a",
          services: [{ service: "caller", app: "none", calls: { web: "by-name", greeter: "by-name" } }],
        },
        {
          name: "vm-b",
          services: [
            { service: "web", host, port: 8080 },
            { service: "greeter", host, port: 8090 },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all(servers.map((server) => server.stop()));
  });

  /** When the newest certificates of each machine that runs a proxy were issued. */
  function issued(): number[] {
    const machines = mesh.status().nodes.filter(({ name }) => name !== "control");
    return machines.map((node) => Math.max(...node.certificates.map((each) => each.issuedMs)));
  }

  function versionInForce(): string {
    return mesh.status().nodes.find(({ name }) => name === "vm-a")?.acknowledged ?? "";
  }

  test(
    `lose nothing while documents and certificates change for ${lastsMs / 1_000} s`,
    async () => {
      const machine = mesh.machine("vm-a");
      const args = [lastsMs, machine.address, machine.httpPort("caller"), "web.mesh", "greeter.mesh"];
      let over = false;
      const streams = runNode<Record<string, string>>("peers/run_streams.ts", args.map(String)).finally(
        () => (over = true),
      );
      const versions = new Set<string>();
      const rotations = new Set<number>();
      for (let round = 1; !over; round++) {
        mesh.apply(documents(round));
        const before = [...versions].at(-1);
        const next = await waitFor("the change is in force", () => {
          const version = versionInForce();
          return version === before || version === "" ? null : version;
        });
        versions.add(next);
        rotations.add(Math.min(...issued()));
      }
      const lost = await streams;
      expect(Object.keys(lost).length).toBeGreaterThan(5);
      for (const [name, what] of Object.entries(lost)) expect([name, what]).toEqual([name, ""]);
      expect(versions.size).toBeGreaterThanOrEqual(changesMin);
      expect(rotations.size).toBeGreaterThan(rotationsMin);
    },
    testMs,
  );
});

/**
 * WebSockets through the compiled binary: a server on `ws` answers every conformance case through the mesh as it answers
 * without, to a client of HTTP/1.1 and to one of HTTP/2 (Extended CONNECT).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import { socketCases } from "../support/peers/ws_cases.ts";
import type { Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: sockets, port: 80, protocol: http}
`;
type Report = Readonly<Record<string, readonly string[]>>;

describe.skipIf(binaryMissing)("a WebSocket", () => {
  const host = addressOf(80);
  let server: Program;
  let mesh: Mesh;
  let direct: Report;

  beforeAll(async () => {
    server = await startNode("peers/server.ts", host, 8080);
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { sockets: "by-name" } }] },
        { name: "vm-b", services: [{ service: "sockets", host, port: 8080 }] },
      ],
    });
    direct = await runNode<Report>("peers/run_sockets.ts", ["http/1.1", host, "8080", "sockets.mesh"]);
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await server?.stop();
  });

  test("is understood by the cases: without a mesh each is answered and comes to its end", () => {
    expect(Object.keys(direct)).toHaveLength(socketCases.length);
    for (const [name, lines] of Object.entries(direct)) expect([name, lines.at(-1)]).toEqual([name, "over"]);
    expect(direct["text of 1"]?.[0]).toBe("1 1 2a");
    expect(direct["reserved bits 1"]?.[0]).toStartWith("8 ");
  });

  for (const way of ["http/1.1", "h2"] as const)
    test(
      `opened over ${way} hears the same, frame by frame`,
      async () => {
        const machine = mesh.machine("vm-a");
        const args = [way, machine.address, String(machine.httpPort("caller")), "sockets.mesh"];
        expect(await runNode<Report>("peers/run_sockets.ts", args)).toEqual(direct);
      },
      testMs,
    );
});

/** gRPC by a client and a server of another make, through two proxies with mTLS between them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { binaryPath } from "../../compile/repository.ts";
import { cases } from "../support/grpc/cases.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import { waitFor, type Program } from "../support/processes.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: echo, port: 50051, protocol: grpc}
---
{kind: Service, name: vault, port: 50051, protocol: grpc}
---
{kind: Access, name: vault, service: vault, mode: enforce, allow: [{from: nobody}]}
---
{kind: Service, name: nobody, port: 80, protocol: http}
`;
const port = 50_051;

describe.skipIf(!existsSync(binaryPath))("gRPC between two machines", () => {
  let mesh: Mesh;
  const programs: Program[] = [];

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [{ service: "caller", app: "none", calls: { echo: "by-name", vault: "by-name" } }],
        },
        {
          name: "vm-b",
          services: [
            { service: "echo", app: "none", port },
            { service: "vault", app: "none", port },
          ],
        },
      ],
    });
    programs.push(await startNode("grpc/server.ts", mesh.machine("vm-b").address, port, ["echo"]));
  }, 60_000);
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    await mesh?.stop();
  });

  const run = (authority: string): Promise<Record<string, string>> => {
    const { address } = mesh.machine("vm-a");
    const target = `${address}:${mesh.machine("vm-a").httpPort("caller")}`;
    return runNode<Record<string, string>>("grpc/run_cases.ts", [target, authority], 150_000);
  };

  test("every case of the interoperability suite ends as it does without a mesh", async () => {
    const ready = () => mesh.status().instances.some((each) => each.service.name === "echo" && each.ready);
    await waitFor("echo is ready", async () => (ready() ? true : null));
    await mesh.settled();
    const problems = await run("echo.mesh");
    expect(problems).toEqual(Object.fromEntries(Object.keys(cases).map((name) => [name, ""])));
  }, 180_000);
});

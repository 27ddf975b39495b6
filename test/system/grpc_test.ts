/** gRPC through the compiled binary: client and server are grpc-js on Node, two proxies and mTLS stand between them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { cases } from "../support/grpc/cases.ts";
import type { CallEnd, PlannedCall } from "../support/grpc/run_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import type { Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: greeter, port: 80, protocol: grpc, balance: round-robin}
---
{kind: Service, name: plain, port: 80}
---
{kind: Service, name: nobody, port: 80, protocol: grpc}
---
{kind: Service, name: guarded, port: 80, protocol: grpc}
---
{kind: Access, name: guarded, service: guarded, mode: enforce, allow: [{from: greeter}]}
---
{kind: Service, name: routed, port: 80, protocol: grpc}
---
kind: HTTPRoute
name: routed
service: routed
rules:
- {match: {path: /grpc.testing.TestService/EmptyCall}, split: {routed: 1}}
- {match: {path: /grpc.testing.TestService/UnaryCall}, split: {routed: 1}, timeouts: {request: 300ms}}
---
{kind: Service, name: gone, port: 80, protocol: grpc}
---
{kind: Service, name: narrow, port: 80, protocol: grpc}
---
{kind: Service, name: failing, port: 80, protocol: grpc}
---
{kind: Service, name: chosen, port: 80, protocol: grpc}
---
{kind: Service, name: chosen-a, port: 80, protocol: grpc}
---
{kind: Service, name: chosen-b, port: 80, protocol: grpc}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: chosen}
spec:
  parentRefs: [{group: "", kind: Service, name: chosen}]
  rules:
  - matches: [{method: {service: grpc.testing.TestService, method: EmptyCall}}]
    backendRefs: [{name: chosen-a}]
  - matches: [{headers: [{name: x-beta, value: "1"}]}]
    backendRefs: [{name: chosen-b}]
`;
const emptyCall = "EmptyCall";
const near = "by-name";
const calls = {
  greeter: near,
  plain: near,
  nobody: near,
  guarded: near,
  routed: near,
  gone: near,
  narrow: near,
  failing: near,
  chosen: near,
} as const;

describe.skipIf(binaryMissing)("gRPC", () => {
  const servers: Program[] = [];
  let mesh: Mesh;

  beforeAll(async () => {
    const first = { host: addressOf(80), port: 8080 };
    const second = { host: addressOf(81), port: 8080 };
    const short = { host: addressOf(82), port: 8080 };
    const narrow = { host: addressOf(83), port: 8080 };
    const started = await Promise.all(
      [first, second, short, narrow].map((at, index) =>
        startNode("grpc/server.ts", at.host, at.port, [`server ${index}`, at === narrow ? "1" : "10000"]),
      ),
    );
    const failing = { host: addressOf(84), port: 8080 };
    servers.push(...started, await startNode("grpc/failing_server.ts", failing.host, failing.port));
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls }] },
        {
          name: "vm-b",
          services: [
            { service: "greeter", ...first },
            { service: "plain", ...first },
            { service: "guarded", ...first },
            { service: "routed", ...first },
            { service: "gone", ...short },
            { service: "narrow", ...narrow },
            { service: "failing", ...failing },
            { service: "chosen-a", ...first },
          ],
        },
        {
          name: "vm-c",
          services: [
            { service: "greeter", ...second },
            { service: "chosen-b", ...second },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all(servers.map((server) => server.stop()));
  });

  function door(): string {
    const machine = mesh.machine("vm-a");
    return `ipv4:${machine.address}:${machine.httpPort("caller")}`;
  }

  function make(...planned: PlannedCall[]): Promise<CallEnd[]> {
    return runNode("grpc/run_calls.ts", [door(), JSON.stringify(planned)]);
  }

  async function end(authority: string, change: Partial<PlannedCall> = {}): Promise<CallEnd> {
    const [only] = await make({ authority, method: emptyCall, question: {}, ...change });
    return only as CallEnd;
  }

  for (const [how, authority] of [
    ["declared as grpc", "greeter.mesh"],
    ["that declares no protocol", "plain.mesh"],
  ] as const)
    test(
      `passes every interoperability case with a service ${how}`,
      async () => {
        const problems = await runNode<Record<string, string>>("grpc/run_cases.ts", [door(), authority], {
          limitMs: 120_000,
        });
        const fine = Object.fromEntries(Object.keys(cases).map((name) => [name, ""]));
        expect(problems).toEqual(fine);
      },
      testMs,
    );

  test("goes where a GRPCRoute of the Gateway API says, by method and by metadata, and nowhere else", async () => {
    expect((await end("chosen.mesh")).name).toBe("server 0");
    const beta = { method: "UnaryCall", metadata: { "x-beta": "1" } };
    expect((await end("chosen.mesh", beta)).name).toBe("server 1");
    expect((await end("chosen.mesh", { method: "UnaryCall" })).code).toBe(12);
  });

  test("is balanced call by call over one channel", async () => {
    const planned = Array.from({ length: 20 }, () => ({
      authority: "greeter.mesh",
      method: emptyCall,
      question: {},
    }));
    const names = (await make(...planned)).map(({ name }) => name);
    expect(names.filter((name) => name === "server 0").length).toBe(10);
    expect(names.filter((name) => name === "server 1").length).toBe(10);
  });

  test("never sends an app more calls at a time on a connection than it takes", async () => {
    const call = { authority: "narrow.mesh", method: "UnaryCall", question: { everyMs: 5 } };
    const all = JSON.stringify(Array.from({ length: 150 }, () => call));
    const ends = await runNode<CallEnd[]>("grpc/run_calls.ts", [door(), all, "at-once"]);
    expect(ends.filter(({ code }) => code !== 0)).toEqual([]);
    expect(ends.length).toBe(150);
  });

  describe("hears from an app that fails what it would hear without heddle", () => {
    for (const [name, reset, code] of [
      ["INTERNAL_ERROR", 2, 13],
      ["CANCEL", 8, 1],
      ["ENHANCE_YOUR_CALM", 11, 8],
    ] as const)
      test(`a stream that it resets with ${name}`, async () => {
        expect((await end("failing.mesh", { method: `/reset/${reset}` })).code).toBe(code);
      });

    test("UNAVAILABLE where it dies inside its answer", async () => {
      expect((await end("failing.mesh", { method: "/die/" })).code).toBe(14);
    });

    test("a status with 20 kB of words in trailers", async () => {
      const { code, details } = await end("failing.mesh", { method: "/details/" });
      expect([code, details.length]).toEqual([9, 20_000]);
    });
  });

  describe("hears as a status what heddle itself has to say", () => {
    test("UNAVAILABLE without an instance, and where none can be reached", async () => {
      expect(await end("nobody.mesh")).toMatchObject({ code: 14, name: null });
      expect((await end("nobody.mesh")).details).toContain("nobody");
      expect((await end("gone.mesh")).code).toBe(0);
      await servers[2]?.stop();
      expect(await end("gone.mesh")).toMatchObject({ code: 14, name: null });
    });

    test("PERMISSION_DENIED where no access rule allows it, with who may not do what", async () => {
      const { code, details } = await end("guarded.mesh");
      expect([code, details]).toEqual([7, expect.stringMatching(/caller.*may not.*guarded/)]);
    });

    test("UNIMPLEMENTED without a route, and for a name that nobody knows", async () => {
      expect((await end("routed.mesh")).code).toBe(0);
      const { code, details } = await end("routed.mesh", { method: "StreamingInputCall" });
      expect([code, details]).toEqual([12, expect.stringContaining("no route")]);
      expect((await end("unheardof.mesh")).code).toBe(12);
    });

    test("DEADLINE_EXCEEDED at the timeout of a route", async () => {
      const slow = { method: "UnaryCall", question: { everyMs: 30_000 } };
      const { code, tookMs } = await end("routed.mesh", slow);
      expect(code).toBe(4);
      expect(tookMs).toBeGreaterThan(250);
    });

    test("DEADLINE_EXCEEDED at the deadline that the call brings with it", async () => {
      const slow = { method: "UnaryCall", question: { everyMs: 30_000 } };
      const { code, tookMs } = await end("greeter.mesh", { ...slow, metadata: { "grpc-timeout": "300m" } });
      expect(code).toBe(4);
      expect(tookMs).toBeGreaterThan(250);
    });
  });
});

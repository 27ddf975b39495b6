/**
 * Policies that run away in a whole mesh, on a machine that is busy with other things: requests to services without policies,
 * and those to a service with a friendly one, are all answered; the others fail as their policies say.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { BusyMachine } from "../support/busy_machine.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";

const busyProcesses = 8;
const rounds = 8;

/** What each does when it is asked, in words that pass every check of the source. */
const wild: Readonly<Record<string, string>> = {
  loop: "for (;;);",
  regex: `void /^(a+)+$/.test("a".repeat(60) + "b");`,
  memory: "const all: unknown[] = []; for (;;) all.push(new Array(1 << 16).fill({}));",
  promises: "const again = (): Promise<void> => Promise.resolve().then(again); void again();",
  stack: "const dive = (): number => 1 + dive(); dive();",
  answer: `return respond(200, "x".repeat(3_000_000));`,
};
const names = Object.keys(wild);

function source(name: string, onError: string, body: string): string {
  return `import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "wild-${name}", version: "1.0.0", options: v.strictObject({}), onError: "${onError}",
  onRequest(request) {
    if (request.path === "/never") return respond(400, "never");
    ${body}
    return next();
  },
});
`;
}

const documents = `
{kind: Service, name: frontend, port: 80, protocol: http}
---
{kind: Service, name: plain, port: 80, protocol: http}
---
kind: Service
name: friendly
port: 80
protocol: http
policies:
- {use: header-route, with: {header: x-user-group, values: {beta: {service: friendly}}}}
${names.map((name) => `---\n{kind: Service, name: ${name}, port: 80, protocol: http, policies: [{use: wild-${name}, with: {}}]}`).join("\n")}
`;

describe.skipIf(binaryMissing)("policies that run away on a busy machine", () => {
  const machine = new BusyMachine();
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      policies: Object.fromEntries(
        names.map((name) => [`${name}.ts`, source(name, "closed", wild[name] ?? "")]),
      ),
      machines: [
        {
          name: "vm-a",
          services: [
            {
              service: "frontend",
              app: "none",
              calls: Object.fromEntries(["plain", "friendly", ...names].map((name) => [name, "by-name"])),
            },
          ],
        },
        {
          name: "vm-b",
          services: ["plain", "friendly", ...names].map((service) => ({ service })),
        },
      ],
    });
  }, testMs);
  afterAll(async () => {
    machine.stop();
    await mesh?.stop();
  });

  const check = (): string => {
    const { state } = mesh.machine("vm-a");
    return spawnSync(binaryPath, ["check", "--state", state], { encoding: "utf8", env: {} }).stdout;
  };

  const statusOf = async (to: string): Promise<number> =>
    (await callByName(mesh.machine("vm-a"), "frontend", to)).status;

  test("cost no request of others, and fail their own", async () => {
    for (const name of ["plain", "friendly"]) expect(await statusOf(name)).toBe(200);
    machine.start(busyProcesses);
    let over = false;
    const others = { plain: [] as number[], friendly: [] as number[] };
    const plainMs: number[] = [];
    const calling = (["plain", "friendly"] as const).map(async (name) => {
      while (!over) {
        const startedMs = performance.now();
        others[name].push(await statusOf(name));
        if (name === "plain") plainMs.push(performance.now() - startedMs);
      }
    });
    const own: Record<string, number[]> = {};
    await Promise.all(
      names.map(async (name) => {
        const statuses: number[] = (own[name] = []);
        for (let round = 0; round < rounds; round++) statuses.push(await statusOf(name));
      }),
    );
    over = true;
    await Promise.all(calling);
    for (const statuses of Object.values(others)) {
      expect(statuses.length).toBeGreaterThan(rounds);
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
    }
    const p99 = plainMs.toSorted((a, b) => a - b)[Math.floor(plainMs.length * 0.99)] ?? 0;
    process.stdout.write(
      `without a policy, beside them: ${plainMs.length} requests, p99 ${p99.toFixed(1)} ms\n`,
    );
    for (const name of names) {
      // Promises go on after a decision that was in order.
      const expected = name === "promises" ? [200, 503] : [503];
      expect([name, own[name]?.filter((status) => !expected.includes(status))]).toEqual([name, []]);
    }
    const said = check();
    expect(said).toMatch(
      /HED0010 policy wild-loop: it failed 5 times within 60 s, the last time: no answer for/,
    );
    expect(said).not.toContain("policy header-route");
  }, 120_000);
});

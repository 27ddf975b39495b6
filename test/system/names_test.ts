/** Names that apps call and nobody has: what they cost, and what they do not cost the services that exist. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { callByName, callUntil, type Answer } from "../support/http_calls.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const services = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;
/** A service that runs nowhere itself: what is called by its name goes to web. */
const alias = (name: string): string => `---
{kind: Service, name: ${name}, port: 80, protocol: http}
---
{kind: HTTPRoute, name: ${name}, service: ${name}, rules: [{backends: [{service: web}]}]}
`;
const growthBytesMax = 32 * 1024 * 1024;

describe.skipIf(binaryMissing)("an app that calls names that nobody has", () => {
  let mesh: Mesh;
  let machine: Machine;
  let documents = services;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
      ],
    });
    machine = mesh.machine("vm-a");
    await callUntil(
      "vm-a reaches web",
      () => call("web"),
      ({ status }) => status === 200,
    );
  }, testMs);
  afterAll(async () => await mesh?.stop());

  const call = (name: string): Promise<Answer> => callByName(machine, "caller", name, { limitMs: 30_000 });

  function create(name: string): void {
    documents += alias(name);
    mesh.apply(documents);
  }

  /** Statuses of calls of so many names, some at a time. */
  async function flood(count: number, word: string): Promise<Set<number>> {
    const statuses = new Set<number>();
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < count) statuses.add((await call(`${word}-${next++}`)).status);
    };
    await Promise.all(Array.from({ length: 64 }, caller));
    return statuses;
  }

  const residentBytes = (): number =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${machine.proxy.pid}/status`, "utf8"))?.[1]) *
    1024;

  async function series(): Promise<string[]> {
    const text = await (await fetch(`http://${machine.address}:${ports.admin}/metrics`)).text();
    return text.split("\n").flatMap((line) => /^\w+(?:\{.*\})? /.exec(line)?.[0] ?? []);
  }

  const kept = (): string[] => JSON.parse(readFileSync(`${machine.state}/uses.json`, "utf8")) as string[];

  test("hears from the controller that there is none, not from a deadline", async () => {
    const answer = await call("bogus");
    expect(answer.status).toBe(404);
    expect(answer.text).toContain("there is no service bogus.default");
    expect(answer.text).not.toContain("controller");
  });

  test("is found a new service at its first call, and one that it called too early as soon as it is sent", async () => {
    create("new");
    expect((await call("new")).status).toBe(200);
    expect((await call("early")).status).toBe(404);
    create("early");
    await callUntil(
      "vm-a finds it",
      () => call("early"),
      ({ status }) => status === 200,
    );
  });

  test("grows neither the metrics nor the memory of its proxy, nor what is on disk", async () => {
    await flood(500, "warm");
    const [before, bytes] = [await series(), residentBytes()];
    const statuses = await flood(10_000, "bogus");
    expect([...statuses].filter((status) => status !== 404 && status !== 503)).toEqual([]);
    expect((await series()).length - before.length).toBeLessThan(10);
    expect((await series()).join()).not.toContain("bogus");
    expect(residentBytes() - bytes).toBeLessThan(growthBytesMax);
    expect(kept().sort()).toEqual(["early.default", "new.default"]);
  }, 120_000);

  test("is found a service that is made after ten thousand of them", async () => {
    create("late");
    expect((await call("late")).status).toBe(200);
    expect((await call("web")).status).toBe(200);
  });

  test(
    "whose names an older version kept on disk is blind no longer",
    async () => {
      await machine.proxy.stop();
      const bogus = Array.from({ length: 1_000 }, (_, at) => `bogus-${at}.default`);
      writeFileSync(`${machine.state}/uses.json`, JSON.stringify(["web.default", ...bogus]));
      await machine.proxy.start();
      create("latest");
      await callUntil(
        "vm-a finds it",
        () => call("latest"),
        ({ status }) => status === 200,
      );
      await waitFor("it is kept on disk", () => kept().includes("latest.default") || null);
      expect(kept().sort()).toEqual(["latest.default", "web.default"]);
    },
    testMs,
  );

  test(
    "hears that nobody could tell while the controller is away, and is served what is known",
    async () => {
      await mesh.controller.stop();
      const answer = await call("other");
      expect(answer.status).toBe(503);
      expect(answer.text).toContain("the controller did not say within 3000 ms");
      expect((await call("web")).status).toBe(200);
      await mesh.controller.start();
      await callUntil(
        "it is told again",
        () => call("another"),
        ({ status }) => status === 404,
      );
    },
    testMs,
  );
});

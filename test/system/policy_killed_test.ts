/**
 * The sealed processes of policies are killed under load, in a whole mesh: each request has the right answer or the outcome of its policy's
 * onError, those of services without policies notice nothing, and policies decide again at once.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { familyOf } from "../bench/usage.ts";
import { callByName, callUntil, type Answer } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { hangMs, testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { shardsOf } from "../support/shard_processes.ts";

/** By service: what its policy does where it fails; null: it has none. */
const services = { plain: null, lenient: "open", strict: "closed" } as const;
type Service = keyof typeof services;
const names = Object.keys(services) as Service[];
/** Fewer than put a policy aside. */
const kills = 3;
const callersOfEach = 4;

const source = (onError: string): string => `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "marks-${onError}", version: "1.0.0", options: v.strictObject({}), onError: "${onError}",
  onRequest: () => next({ headers: { set: { "x-mark": "decided" } } }),
});
`;

const documents = [
  "{kind: Service, name: frontend, port: 80, protocol: http}",
  ...names.map((name) => {
    const onError = services[name];
    const attached = onError === null ? "" : `, policies: [{use: marks-${onError}, with: {}}]`;
    return `{kind: Service, name: ${name}, port: 80, protocol: http${attached}}`;
  }),
].join("\n---\n");

/** How a request ended. */
type Fate = "decided" | "undecided" | "refused" | "wrong";

function fateOf(answer: Answer): Fate {
  if (answer.status === 200) return answer.seen().headers["x-mark"] === "decided" ? "decided" : "undecided";
  const isRefused = answer.status === 503 && answer.headers.get("x-heddle-error")?.startsWith("PE/") === true;
  return isRefused ? "refused" : "wrong";
}

const allowed: Readonly<Record<Service, readonly Fate[]>> = {
  plain: ["undecided"],
  lenient: ["decided", "undecided"],
  strict: ["decided", "refused"],
};

describe.skipIf(binaryMissing)("sealed processes that are killed under load", () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      policies: { "open.ts": source("open"), "closed.ts": source("closed") },
      machines: [
        {
          name: "vm-a",
          services: [
            {
              service: "frontend",
              app: "none",
              calls: Object.fromEntries(names.map((name) => [name, "by-name"])),
            },
          ],
        },
        { name: "vm-b", services: names.map((service) => ({ service })) },
      ],
    });
    for (const name of ["lenient", "strict"] as const)
      await callUntil(
        `the policy of ${name} decides`,
        () => call(name),
        (answer) => fateOf(answer) === "decided",
      );
  }, testMs);
  afterAll(async () => await mesh?.stop(), testMs);

  const call = (to: Service): Promise<Answer> => callByName(mesh.machine("vm-a"), "frontend", to);
  /** Of policies, on the machine that calls: whatever its proxy started that carries no traffic. */
  const sealed = (): number[] => {
    const { pid } = mesh.machine("vm-a").proxy;
    const traffic = new Set([pid, ...shardsOf(pid)]);
    return familyOf(pid).filter((each) => !traffic.has(each));
  };

  test("cost no request more than its policy says, none of others, and decide again", async () => {
    const fates = new Map(names.map((name) => [name, new Map<Fate, number>()]));
    const plainMs: number[] = [];
    let over = false;
    const calling = names.flatMap((name) =>
      Array.from({ length: callersOfEach }, async () => {
        const counts = fates.get(name) as Map<Fate, number>;
        while (!over) {
          const startedMs = performance.now();
          const fate = fateOf(await call(name));
          if (name === "plain") plainMs.push(performance.now() - startedMs);
          counts.set(fate, (counts.get(fate) ?? 0) + 1);
        }
      }),
    );
    const backMs: number[] = [];
    try {
      for (let kill = 0; kill < kills; kill++) {
        const killed = sealed();
        expect(killed.length).toBe(2);
        const startedMs = performance.now();
        for (const pid of killed) process.kill(pid, "SIGKILL");
        const decides = (name: Service) => async (): Promise<true | null> =>
          fateOf(await call(name)) === "decided" && sealed().every((pid) => !killed.includes(pid))
            ? true
            : null;
        await Promise.all(
          (["lenient", "strict"] as const).map((name) =>
            waitFor(`the policy of ${name} decides again`, decides(name), { everyMs: 5, limitMs: hangMs }),
          ),
        );
        backMs.push(performance.now() - startedMs);
      }
    } finally {
      over = true;
      await Promise.all(calling);
    }
    for (const name of names) {
      const found = [...(fates.get(name)?.keys() ?? [])];
      expect([name, found.filter((fate) => !allowed[name].includes(fate))]).toEqual([name, []]);
      expect(found).toContain(name === "plain" ? "undecided" : "decided");
    }
    const p99 = plainMs.toSorted((a, b) => a - b)[Math.floor(plainMs.length * 0.99)] ?? 0;
    const told = names.map((name) => `${name} ${JSON.stringify(Object.fromEntries(fates.get(name) ?? []))}`);
    process.stdout.write(
      `killed ${kills} times, decided again after ${backMs.map((ms) => ms.toFixed(0)).join(", ")} ms; p99 without a policy ${p99.toFixed(1)} ms; ${told.join(", ")}\n`,
    );
  }, 120_000);
});

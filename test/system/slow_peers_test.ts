/**
 * Memory of two proxies of the compiled binary while clients do not read, or send what an app does not read: not much more than
 * under the same load of clients that do, and given back; whoever calls beside them gets every answer; nothing is busy afterwards.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { binaryMissing, bun, root } from "../../compile/repository.ts";
import type { Credential } from "../../src/identity/credential_store.ts";
import { outboundTls, sharedAlpn } from "../../src/identity/tls_options.ts";
import type { TrustBundle } from "../../src/model/snapshot.ts";
import { serviceId } from "../../src/model/identity.ts";
import { ports } from "../../src/model/ports.ts";
import { serverNameOf } from "../../src/model/service.ts";
import { residentMb } from "../bench/usage.ts";
import { untilIdle } from "../support/processor_time.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { accepts, startProgram, waitFor, type Program } from "../support/processes.ts";
import { startLoad, type SlowDoor, type SlowLoad } from "../support/slow_clients.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;
const moreMbMax = 64;
const leftMbMax = 48;
/** Long enough for the most that they need. */
const readMs = 4_000;
const holdMs = 2_500;
const idleShareMax = 0.25;
const besideBytes = 20_000;
const trustDomain = "mesh.test";

/** Fewer than the connections that one app is given. */
const many = { exchanges: 800, bytes: 1_000_000 } as const;
const oneEach = { connections: 200, exchanges: 200 } as const;
const loads: readonly (SlowLoad & { readonly at: "local" | "mesh" })[] = [
  ...([1, 8] as const).flatMap((connections) => [
    { at: "local", version: "h2", kind: "window", connections, ...many } as const,
    { at: "local", version: "h2", kind: "unread", connections, ...many } as const,
    { at: "local", version: "h2", kind: "bodies", connections, ...many } as const,
    {
      at: "mesh",
      version: "h2",
      kind: "window",
      connections,
      exchanges: 250 * connections > 800 ? 800 : 250,
      bytes: 1_000_000,
    } as const,
  ]),
  { at: "local", version: "http/1.1", kind: "unread", ...oneEach, bytes: 12_000_000 },
  ...([1, 8] as const).flatMap((connections) => [
    {
      at: "local",
      version: "http/1.1",
      kind: "unread",
      connections,
      exchanges: connections,
      bytes: 12_000_000,
    } as const,
    {
      at: "local",
      version: "http/1.1",
      kind: "bodies",
      connections,
      exchanges: connections,
      bytes: 12_000_000,
    } as const,
  ]),
];

interface Beside {
  /** Answers that were not whole. */
  readonly wrong: readonly string[];
  readonly calls: number;
  readonly worstMs: number;
}

describe.skipIf(binaryMissing)("peers that do not read", () => {
  const host = addressOf(80);
  let app: Program;
  let mesh: Mesh;
  let before: number[];

  const pids = (): number[] => ["vm-a", "vm-b"].map((name) => mesh.machine(name).proxy.pid);
  const resident = (): number[] => pids().map((pid) => residentMb(pid));

  beforeAll(async () => {
    app = startProgram({
      name: "app",
      command: [bun, `${root}/test/support/slow_app.ts`, host, "8080"],
      log: "/dev/null",
    });
    await waitFor("the app accepts", async () => ((await accepts(host, 8080)) ? true : null), {
      program: app,
    });
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web", host, port: 8080 }] },
      ],
    });
    before = resident();
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await app?.stop();
  });

  function doorOf(at: "local" | "mesh"): SlowDoor {
    const authority = "web.mesh";
    const [first, second] = [mesh.machine("vm-a"), mesh.machine("vm-b")];
    if (at === "local") return { host: first.address, port: first.httpPort("caller"), authority };
    const read = (name: string): unknown =>
      JSON.parse(readFileSync(`${first.state}/credentials/${name}.json`, "utf8"));
    const { tls } = read("service.caller.default") as Credential;
    const { rootsPem } = read("bundle") as TrustBundle;
    const web = { name: "web", namespace: "default" };
    const meant = { spiffeId: serviceId(trustDomain, web), serverName: serverNameOf(web), alpn: sharedAlpn };
    return {
      host: second.address,
      port: ports.inbound,
      tls: outboundTls(tls, { trustDomain, rootsPem, denied: new Set() }, meant),
      authority,
    };
  }

  /** Most that each proxy has resident while `during` lasts. */
  async function most(during: () => Promise<void>): Promise<number[]> {
    let peak = resident();
    const looking = setInterval(() => {
      const now = resident();
      peak = peak.map((each, at) => Math.max(each, now[at] ?? 0));
    }, 25);
    try {
      await during();
    } finally {
      clearInterval(looking);
    }
    return peak;
  }

  async function read(door: SlowDoor, load: SlowLoad): Promise<void> {
    const started = await startLoad(door, load, false);
    const wanted = load.kind === "bodies" ? load.exchanges : load.exchanges * load.bytes;
    const end = performance.now() + readMs;
    while (started.received() < wanted && performance.now() < end) await Bun.sleep(10);
    started.leave();
  }

  /** Calls one after the other, as long as the others hold what they have. */
  async function callBeside(): Promise<Beside> {
    const wrong: string[] = [];
    let calls = 0;
    let worstMs = 0;
    const end = performance.now() + holdMs;
    while (performance.now() < end) {
      const sinceMs = performance.now();
      const answer = await callByName(mesh.machine("vm-a"), "caller", "web", {
        path: `/bytes/${besideBytes}`,
      });
      calls++;
      worstMs = Math.max(worstMs, performance.now() - sinceMs);
      if (answer.status !== 200 || answer.text.length !== besideBytes) wrong.push(answer.text.slice(0, 200));
    }
    return { wrong, calls, worstMs: Math.round(worstMs) };
  }

  for (const load of loads) {
    const { at, version, kind, connections, exchanges } = load;
    test(
      `${exchanges} of ${version} on ${connections} connections at the ${at} door: ${kind}`,
      async () => {
        const door = doorOf(at);
        const reading = await most(() => read(door, load));
        let beside: Beside = { wrong: ["not called"], calls: 0, worstMs: 0 };
        let leave = (): void => {};
        const slow = await most(async () => {
          const started = await startLoad(door, load, true);
          leave = () => started.leave();
          beside = await callBeside();
        });
        leave();
        expect(beside.wrong).toEqual([]);
        const more = slow.map((each, index) => Math.round(each - (reading[index] ?? 0)));
        console.log(
          `${at} ${version} ${kind} ${connections}: ${reading.map(Math.round)} MB read, ${more} MB more unread; ${beside.calls} calls beside, the slowest ${beside.worstMs} ms`,
        );
        expect(Math.max(...more)).toBeLessThan(moreMbMax);
        await untilIdle(pids(), idleShareMax);
      },
      testMs,
    );
  }

  test(
    "memory is given back once they left",
    async () => {
      await waitFor(
        "both proxies have about what they had",
        () => (resident().every((each, at) => each - (before[at] ?? 0) < leftMbMax) ? true : null),
        { everyMs: 100 },
      );
    },
    testMs,
  );
});

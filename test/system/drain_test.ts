/**
 * A proxy that is asked to end while it is at work: whoever obeys its GOAWAY or `Connection: close` loses no request, it
 * leaves as soon as nothing is under way, and streams have their time.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callUrl } from "../support/http_calls.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { runNode, startNode } from "../support/node_program.ts";
import type { Obedience } from "../support/peers/run_obedient.ts";
import { waitFor, type Program } from "../support/processes.ts";
import { hangMs, testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, balance: round-robin}
---
{kind: Service, name: alone, port: 80, protocol: http}
`;
const loadMs = 4_000;
/** A load with fewer answers says little: on a busy machine it takes longer. */
const answersMin = 300;

describe.skipIf(binaryMissing)("a proxy that is asked to end", () => {
  let servers: Program[] = [];
  let mesh: Mesh;

  beforeAll(async () => {
    const [b, c] = [addressOf(80), addressOf(81)];
    servers = await Promise.all([
      startNode("peers/server.ts", b, 8080),
      startNode("peers/server.ts", c, 8080),
    ]);
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [{ service: "caller", app: "none", calls: { web: "by-name", alone: "by-name" } }],
        },
        {
          name: "vm-b",
          services: [
            { service: "web", host: b, port: 8080 },
            { service: "alone", host: b, port: 8080 },
          ],
        },
        { name: "vm-c", services: [{ service: "web", host: c, port: 8080 }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await Promise.all(servers.map((server) => server.stop()));
  });

  afterEach(async () => {
    const gone = ["vm-a", "vm-b"].map((name) => mesh.machine(name).proxy).filter(({ pid }) => pid < 0);
    for (const proxy of gone) await proxy.start();
    await mesh.settled();
  });

  function load(version: "http/1.1" | "h2"): Promise<Obedience> {
    const machine = mesh.machine("vm-a");
    const args = [version, loadMs, answersMin, machine.address, machine.httpPort("caller"), "web.mesh"];
    return runNode<Obedience>("peers/run_obedient.ts", args.map(String));
  }

  /** The proxy of vm-a has answered so many calls of `web` more than it had, and the load has lasted a while. */
  async function untilLoaded(): Promise<void> {
    const before = await answeredSoFar();
    await Bun.sleep(loadMs / 2);
    const enough = async (): Promise<true | null> =>
      (await answeredSoFar()) > before + answersMin ? true : null;
    await waitFor("the load is answered", enough);
  }

  async function answeredSoFar(): Promise<number> {
    const { text } = await callUrl(`http://${mesh.machine("vm-a").address}:${ports.admin}/metrics`);
    const counts = text.matchAll(/^heddle_requests_total\{[^}]*service="web[^}]*\} (\d+)/gm);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** SIGTERM; how long it took to be gone. */
  async function end({ proxy }: Machine): Promise<number> {
    const startedMs = performance.now();
    proxy.signal("SIGTERM");
    await waitFor("the proxy has ended", () => (proxy.pid < 0 ? true : null), {
      limitMs: limits.drainMs + hangMs,
    });
    return performance.now() - startedMs;
  }

  /** A call of a stream of events, once the first of them has come. */
  async function openStream(path: string): Promise<{ readonly text: Promise<string> }> {
    const { address, httpPort } = mesh.machine("vm-a");
    const port = httpPort.call(mesh.machine("vm-a"), "caller");
    const url = `http://${address}:${port}${path}`;
    const answer = await fetch(url, {
      headers: { host: "alone.mesh" },
      signal: AbortSignal.timeout(2 * limits.drainMs),
    });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const first = await reader.read();
    const rest = async (): Promise<string> => {
      const text = new TextDecoder();
      let all = "";
      for (let part = first; !part.done; part = await reader.read()) all += text.decode(part.value);
      return all;
    };
    return { text: rest() };
  }

  test(
    "on the far side fails no request: the others take over",
    async () => {
      const far = mesh.machine("vm-b");
      const loads = [load("http/1.1"), load("h2")];
      await Bun.sleep(loadMs / 3);
      expect(await end(far)).toBeLessThan(limits.drainMs);
      for (const found of await Promise.all(loads)) {
        expect(found.failures).toEqual([]);
        expect(found.refusedMs).toBeNull();
        expect(found.answered).toBeGreaterThan(answersMin);
      }
    },
    testMs,
  );

  test(
    "waits for a stream, and then leaves at once",
    async () => {
      const { text } = await openStream("/events?ms=50&count=100");
      const tookMs = await end(mesh.machine("vm-b"));
      expect((await text).split("\n\n").length).toBe(101);
      expect(tookMs).toBeLessThan(limits.drainMs);
    },
    testMs,
  );

  for (const version of ["http/1.1", "h2"] as const) {
    test(
      `on the near side answers what is under way, tells every connection of ${version}, and is gone`,
      async () => {
        const running = load(version);
        await untilLoaded();
        const tookMs = await end(mesh.machine("vm-a"));
        const found = await running;
        expect(found.failures).toEqual([]);
        expect(found.answered).toBeGreaterThan(answersMin);
        expect(found.told).toBeGreaterThan(0);
        expect(found.refusedMs).not.toBeNull();
        expect(tookMs).toBeLessThan(limits.drainMs);
      },
      testMs,
    );
  }

  test(
    `cuts what is still open after ${limits.drainMs / 1_000} s`,
    async () => {
      const { text } = await openStream("/events?ms=100&count=100000");
      const stream = text.then(
        () => "whole",
        () => "cut",
      );
      const tookMs = await end(mesh.machine("vm-a"));
      expect(await stream).toBe("cut");
      expect(tookMs).toBeGreaterThan(limits.drainMs - 500);
    },
    testMs,
  );

  test(
    "asked a second time, ends at once",
    async () => {
      const { text } = await openStream("/events?ms=100&count=100000");
      const stream = text.then(
        () => "whole",
        () => "cut",
      );
      const { proxy } = mesh.machine("vm-a");
      const startedMs = performance.now();
      const before = proxy.output().length;
      proxy.signal("SIGTERM");
      const told = (): true | null => proxy.output().slice(before).includes("SIGTERM: finishing") || null;
      await waitFor("it says that it ends", told);
      expect(proxy.pid).toBeGreaterThan(0);
      proxy.signal("SIGTERM");
      await waitFor("it has ended", () => (proxy.pid < 0 ? true : null));
      expect(await stream).toBe("cut");
      expect(performance.now() - startedMs).toBeLessThan(limits.drainMs / 2);
    },
    testMs,
  );
});

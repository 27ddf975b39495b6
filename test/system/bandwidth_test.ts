/**
 * Bytes a second, on the compiled binary: of each caller and of all, both ways, of requests and of opaque connections. A rate is held from
 * below alone, by the time that so many bytes must take at least: a busy machine takes longer.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName, callUrl, type Answer } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { hangMs, testMs } from "../support/patience.ts";
import { talk } from "../support/tcp_calls.ts";

const mb = 1_000_000;
const bytesPerSecond = mb;
const size = 4 * mb;
/** What passes at once: the bucket, and the one read by which it is overdrawn. */
const atOnce = bytesPerSecond * (limits.rateBurstMs / 1_000) + limits.h2MeshFrameBytesMax;
const documents = `
{kind: Service, name: one, port: 80, protocol: http}
---
{kind: Service, name: two, port: 80, protocol: http}
---
{kind: Service, name: own, port: 80, protocol: http}
---
{kind: Traffic, name: own, service: own, bandwidth: {identity: 1MB/s, overrides: {two: 900MB/s}}}
---
{kind: Service, name: all, port: 80, protocol: http}
---
{kind: Traffic, name: all, service: all, bandwidth: {total: 1MB/s}}
---
{kind: Service, name: raw, port: 5000, protocol: tcp}
---
{kind: Traffic, name: raw, service: raw, bandwidth: {identity: 1MB/s}}
`;

describe.skipIf(binaryMissing)("a service that takes so many bytes a second", () => {
  const host = addressOf(97);
  const rawPort = 7_000;
  let server: ReturnType<typeof Bun.serve>;
  let mesh: Mesh;

  beforeAll(async () => {
    server = Bun.serve({
      hostname: host,
      port: 8_080,
      idleTimeout: 120,
      async fetch(request) {
        const came = (await request.arrayBuffer()).byteLength;
        return new Response("x".repeat(Number(new URL(request.url).searchParams.get("give"))), {
          headers: { "x-came": String(came) },
        });
      },
    });
    const calls = { own: "by-name", all: "by-name", raw: rawPort } as const;
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "one", app: "none", calls }] },
        { name: "vm-b", services: [{ service: "two", app: "none", calls }] },
        {
          name: "vm-c",
          services: [
            { service: "own", host, port: 8_080 },
            { service: "all", host, port: 8_080 },
            { service: "raw", app: "tcp" },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await server.stop(true);
  });

  const machines = { one: "vm-a", two: "vm-b" } as const;
  const send = (from: "one" | "two", to: string, bytes: number): Promise<Answer> =>
    callByName(mesh.machine(machines[from]), from, to, { method: "POST", body: "x".repeat(bytes) });
  const fetchFrom = (from: "one" | "two", to: string, bytes: number): Promise<Answer> =>
    callByName(mesh.machine(machines[from]), from, to, { path: `/?give=${bytes}` });
  /** Seconds. */
  async function timed<Value>(act: () => Promise<Value>): Promise<[Value, number]> {
    const startedMs = performance.now();
    const value = await act();
    return [value, (performance.now() - startedMs) / 1_000];
  }
  const secondsMin = (bytes: number): number => (bytes - atOnce) / bytesPerSecond;

  test(
    "reads a caller's requests no faster, and all of them come",
    async () => {
      const [answer, seconds] = await timed(() => send("one", "own", size));
      expect([answer.status, answer.headers.get("x-came")]).toEqual([200, String(size)]);
      expect(seconds).toBeGreaterThanOrEqual(secondsMin(size));
    },
    testMs,
  );

  test(
    "sends a caller its answers no faster, and counts it",
    async () => {
      const [answer, seconds] = await timed(() => fetchFrom("one", "own", size));
      expect([answer.status, answer.text.length]).toEqual([200, size]);
      expect(seconds).toBeGreaterThanOrEqual(secondsMin(size));
      const metrics = await callUrl(`http://${mesh.machine("vm-c").address}:${ports.admin}/metrics`);
      expect(metrics.text).toMatch(
        /heddle_limit_trips_total\{limit="bandwidth",listener="inbound own.default"\} [1-9]/,
      );
    },
    testMs,
  );

  test(
    "holds up no other caller meanwhile",
    async () => {
      // More than passes within the time in which the other call would have hung.
      const bytes = (hangMs / 1_000) * bytesPerSecond * 2;
      const { address } = mesh.machine("vm-a");
      const slow = new AbortController();
      const reader = await fetch(`http://${address}:${mesh.machine("vm-a").httpPort("one")}/?give=${bytes}`, {
        headers: { host: "own.mesh" },
        signal: slow.signal,
      });
      let came = 0;
      const reading = (async () => {
        try {
          for await (const chunk of reader.body ?? []) came += chunk.length;
        } catch {
          // It is broken off below.
        }
      })();
      const other = await fetchFrom("two", "own", size);
      expect([other.status, other.text.length]).toEqual([200, size]);
      expect(came).toBeLessThan(bytes);
      slow.abort();
      await reading;
    },
    testMs,
  );

  test(
    "shares what is of all callers, each direction by itself",
    async () => {
      const [both, seconds] = await timed(() =>
        Promise.all([send("one", "all", size / 2), send("two", "all", size / 2)]),
      );
      for (const answer of both)
        expect([answer.status, answer.headers.get("x-came")]).toEqual([200, String(size / 2)]);
      // Each of the two may overdraw it once.
      expect(seconds).toBeGreaterThanOrEqual(secondsMin(size - limits.h2MeshFrameBytesMax));
      const [answers, downSeconds] = await timed(() =>
        Promise.all([fetchFrom("one", "all", size / 2), fetchFrom("two", "all", size / 2)]),
      );
      for (const { status, text } of answers) expect([status, text.length]).toEqual([200, size / 2]);
      expect(downSeconds).toBeGreaterThanOrEqual(secondsMin(size - limits.h2MeshFrameBytesMax));
    },
    testMs,
  );

  test(
    "holds opaque connections to it, too",
    async () => {
      const [text, seconds] = await timed(() =>
        talk(mesh.machine("vm-a").address, rawPort, "x".repeat(size)),
      );
      expect(text).toBe(`raw v1\n${"x".repeat(size)}`);
      expect(seconds).toBeGreaterThanOrEqual(secondsMin(size));
    },
    testMs,
  );
});

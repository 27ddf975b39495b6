/** What a service takes, on the compiled binary: rates, how many requests at a time, and a rate that machines share. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName, callUrl, type Answer } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { hangMs, testMs } from "../support/patience.ts";
import { runtime } from "../support/planes.ts";
import { waitFor } from "../support/processes.ts";
import { dialled, until } from "../support/sockets.ts";

const shared = 40;
const fewPort = 7_000;
const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: batch, port: 80, protocol: http}
---
{kind: Service, name: rated, port: 80, protocol: http}
---
{kind: Traffic, name: rated, service: rated, rateLimit: {identity: 2/m, overrides: {batch: 60/m}}}
---
{kind: Service, name: slow, port: 80, protocol: http}
---
kind: Traffic
name: slow
service: slow
concurrency: {max: 1, pending: 0}
---
{kind: Service, name: few, port: 5000, protocol: tcp}
---
{kind: Traffic, name: few, service: few, limits: {connections: 1, pendingWait: 50s}}
---
{kind: Service, name: shared, port: 80, protocol: http, balance: round-robin}
---
{kind: Traffic, name: shared, service: shared, rateLimit: {mesh: ${shared}/s}}
---
{kind: Service, name: free, port: 80, protocol: http, balance: round-robin}
`;

describe.skipIf(binaryMissing)("a service that says how much it takes", () => {
  const host = addressOf(97);
  /** Requests that the slow app has not answered. */
  const held: ((response: Response) => void)[] = [];
  let server: ReturnType<typeof Bun.serve>;
  let mesh: Mesh;

  beforeAll(async () => {
    server = Bun.serve({
      hostname: host,
      port: 8_080,
      fetch: () => new Promise<Response>((resolve) => void held.push(resolve)),
    });
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [
            {
              service: "caller",
              app: "none",
              calls: {
                ...{ rated: "by-name", slow: "by-name", shared: "by-name", free: "by-name" },
                few: fewPort,
              },
            },
            { service: "batch", app: "none", calls: { rated: "by-name" } },
          ],
        },
        {
          name: "vm-b",
          services: [
            { service: "rated" },
            { service: "shared" },
            { service: "slow", host, port: 8_080 },
            { service: "free" },
            { service: "few", app: "tcp" },
          ],
        },
        { name: "vm-c", services: [{ service: "shared" }, { service: "free" }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    for (const resolve of held) resolve(new Response(""));
    await mesh?.stop();
    await server.stop(true);
  });

  const call = (to: string, from = "caller"): Promise<Answer> => callByName(mesh.machine("vm-a"), from, to);
  const metrics = async (machine: string): Promise<string> =>
    (await callUrl(`http://${mesh.machine(machine).address}:${ports.admin}/metrics`)).text;

  test("answers what is over the rate of its caller 429 with Retry-After, and counts it", async () => {
    const statuses = [(await call("rated")).status, (await call("rated")).status];
    const refused = await call("rated");
    expect([...statuses, refused.status]).toEqual([200, 429, 429]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(1);
    expect(refused.headers.get("x-heddle-error")).toStartWith(
      "RL/caller.default may send rated.default 2 requests a minute (rateLimit.identity",
    );
    expect((await call("rated", "batch")).status).toBe(200);
    const refusals = /heddle_requests_total\{direction="inbound",service="rated.default".*flags="RL".*\} 2\n/;
    const trips = 'heddle_limit_trips_total{limit="rateLimit.identity",listener="inbound rated.default"} 2\n';
    // Several event loops tell what they counted each second.
    await waitFor("both are counted", async () => {
      const counted = await metrics("vm-b");
      return refusals.test(counted) && counted.includes(trips) ? true : null;
    });
  });

  test("serves so many requests at a time, and answers others 503 with the field that says so", async () => {
    const first = call("slow");
    await waitFor("the app has the first request", async () => held.length === 1 || null);
    const second = await call("slow");
    expect([second.status, held.length]).toEqual([503, 1]);
    expect(second.headers.get("x-heddle-error")).toMatch(
      /^(?:UO|URX)\/slow.default serves 1 requests at a time here \(concurrency.max\)/,
    );
    expect(await metrics("vm-b")).toContain('heddle_concurrency_limit{service="slow.default"} 1\n');
    held.shift()?.(new Response("ok"));
    expect((await first).status).toBe(200);
  });

  test("has so many opaque connections at a time; the next one waits for one of them to end", async () => {
    const at = { host: mesh.machine("vm-a").address, port: fewPort, timeoutMs: hangMs };
    const greeting = "few v1\n";
    const first = await dialled(runtime, at);
    await until(() => first.heard.text() === greeting, "the first one is greeted");
    const second = await dialled(runtime, at);
    const trips =
      'heddle_limit_trips_total{limit="limits.connections",listener="outbound caller.default"} 1\n';
    await waitFor("the second one waits", async () => (await metrics("vm-a")).includes(trips) || null);
    expect(second.heard.received).toBe(0);
    first.socket.reset();
    await until(() => second.heard.text() === greeting, "the second one is greeted");
    second.socket.reset();
  });

  const sliceOf = async (machine: string): Promise<number> => {
    const found = /heddle_rate_slice_per_second\{service="shared.default"\} ([0-9.e-]+)/.exec(
      await metrics(machine),
    );
    return Number(found?.[1] ?? 0);
  };

  /** Of so many requests, those that were let in, beside how many may be: what a rate gives in that time, and full buckets. */
  async function passed(count: number): Promise<{ let: number; most: number; statuses: Set<number> }> {
    const statuses = new Set<number>();
    let passing = 0;
    const startedMs = performance.now();
    for (let at = 0; at < count; at += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => call("shared")));
      for (const { status } of answers) {
        statuses.add(status);
        if (status === 200) passing++;
      }
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    const buckets = shared * (limits.rateBurstMs / 1_000) + 2;
    return { let: passing, most: shared * seconds + buckets, statuses };
  }

  test(
    "refuses nothing that keeps to a rate which is new, or becomes another one",
    async () => {
      for (const rate of [200, 100, 1_000]) {
        mesh.apply(
          `${documents}---\n{kind: Traffic, name: free, service: free, rateLimit: {mesh: ${rate}/s}}\n`,
        );
        // At most 50 a second, for longer than it takes until each machine has its first slice.
        for (let at = 0; at < 100; at++) {
          expect([at, (await call("free")).status]).toEqual([at, 200]);
          await Bun.sleep(20);
        }
      }
      mesh.apply(documents);
    },
    testMs,
  );

  test(
    "shares a rate among its machines by what each wants",
    async () => {
      await waitFor("both machines have slices that use most of the rate", async () => {
        await passed(20);
        const [b, c] = [await sliceOf("vm-b"), await sliceOf("vm-c")];
        expect(b + c).toBeLessThanOrEqual(shared + 0.001);
        return (b + c > 0.8 * shared && Math.min(b, c) > 0.2 * shared) || null;
      });
      const { let: passing, most, statuses } = await passed(400);
      expect(passing).toBeLessThanOrEqual(most);
      expect(statuses).toEqual(new Set([200, 429]));
    },
    testMs,
  );

  test(
    "keeps to the rate, and serves, while the controller is away, and after a restart of a proxy then",
    async () => {
      await mesh.controller.kill();
      await waitFor("the proxies notice", async () => {
        await passed(10);
        return mesh.machine("vm-b").proxy.output().includes("cannot ask for slices of shared rates") || null;
      });
      const away = await passed(400);
      expect(away.let).toBeLessThanOrEqual(away.most);
      expect(away.let).toBeGreaterThan(0);
      await mesh.machine("vm-c").proxy.kill();
      await mesh.machine("vm-c").proxy.start();
      expect(await sliceOf("vm-c")).toBeCloseTo(shared / 2, 1);
      const [b, c] = [await sliceOf("vm-b"), await sliceOf("vm-c")];
      expect(b + c).toBeLessThanOrEqual(shared * 1.5 + 0.001);
      await mesh.controller.start();
      await waitFor("slices come again", async () => {
        await passed(10);
        const sum = (await sliceOf("vm-b")) + (await sliceOf("vm-c"));
        return (sum > 0.8 * shared && sum <= shared + 0.001) || null;
      });
    },
    testMs,
  );
});

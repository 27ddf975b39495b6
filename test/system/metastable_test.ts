/**
 * Failures that could keep themselves going after what began them is over, live (M3 and M9): the load never pauses, and what is held is
 * that it is served again, by shares of what was asked for and not by how fast the machine is.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, constants } from "node:http2";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { SteadyLoad } from "../support/steady_load.ts";

/** After the trigger it may take so long until the load is served again. */
const recoverMs = 30_000;
const goodShareMin = 0.95;
/** Attempts for each request: one in five may be a retry, and what retries begin with. */
const attemptsShareMax = 1.2;
const windowRequests = 200;

/** One client each, so that one that is never served shows. */
function startClients(mesh: Mesh, count: number): SteadyLoad[] {
  const caller = mesh.machine("vm-a");
  const at = { host: caller.address, port: caller.httpPort("caller"), authority: "web.mesh", path: "/x" };
  return Array.from({ length: count }, () => new SteadyLoad({ ...at, connections: 1, everyMs: 5 }).start());
}

const sumOf = (clients: readonly SteadyLoad[], pick: (client: SteadyLoad) => number): number =>
  clients.reduce((sum, client) => sum + pick(client), 0);
const answered = (clients: readonly SteadyLoad[]): number => sumOf(clients, (each) => each.answered);
const failed = (clients: readonly SteadyLoad[]): number => sumOf(clients, (each) => each.failures.length);

/** The share of good answers among the next so many, whatever becomes of them. */
async function goodShare(clients: readonly SteadyLoad[]): Promise<number> {
  const [good, bad] = [answered(clients), failed(clients)];
  const came = (): number => answered(clients) - good + failed(clients) - bad;
  await waitFor("so many requests have ended", () => came() >= windowRequests || null);
  return (answered(clients) - good) / came();
}

/** Until a window of requests went well, after what began it is over. */
async function recovery(clients: readonly SteadyLoad[]): Promise<void> {
  const isGood = async (): Promise<true | null> => (await goodShare(clients)) >= goodShareMin || null;
  await waitFor("the load is served again", isGood, { limitMs: recoverMs });
}

async function metricsOf(mesh: Mesh, machine: string): Promise<string> {
  return (await callUrl(`http://${mesh.machine(machine).address}:${ports.admin}/metrics`)).text;
}

function total(metrics: string, name: string, labels = ""): number {
  const lines = metrics.split("\n").filter((line) => line.startsWith(`${name}{`) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

/** So far: attempts, and requests that they were for. */
async function tries(mesh: Mesh): Promise<{ readonly attempts: number; readonly requests: number }> {
  const seen = await metricsOf(mesh, "vm-a");
  const requests = total(seen, "heddle_requests_total", 'direction="outbound"');
  return { attempts: total(seen, "heddle_attempts_total"), requests };
}

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;

describe.skipIf(binaryMissing)(
  "M3: all proxies end at once, and start again under the load that goes on",
  () => {
    const names = ["vm-a", "vm-b", "vm-c", "vm-d"];
    let mesh: Mesh;
    let clients: SteadyLoad[] = [];

    beforeAll(async () => {
      const web = names.slice(1).map((name) => ({ name, services: [{ service: "web" }] }));
      const caller = { service: "caller", app: "none", calls: { web: "by-name" } } as const;
      mesh = await startMesh({ documents, machines: [{ name: "vm-a", services: [caller] }, ...web] });
    }, testMs);
    afterAll(async () => {
      await Promise.all(clients.map((each) => each.stop()));
      await mesh?.stop();
    }, testMs);

    test(
      "is served again by itself, every client is, with few attempts more than requests, and no instance is left out",
      async () => {
        clients = startClients(mesh, 16);
        await recovery(clients);
        await Promise.all(names.map((name) => mesh.machine(name).proxy.kill()));
        await Promise.all(names.map((name) => mesh.machine(name).proxy.start()));
        await recovery(clients);
        const before = clients.map((each) => each.answered);
        expect(await goodShare(clients)).toBeGreaterThanOrEqual(goodShareMin);
        await waitFor(
          "every client was answered since",
          () => clients.every((each, at) => each.answered > (before[at] as number)) || null,
          { limitMs: recoverMs },
        );
        const { attempts, requests } = await tries(mesh);
        expect(attempts).toBeLessThanOrEqual(requests * attemptsShareMax);
        await waitFor(
          "all instances are ready",
          async () =>
            (await metricsOf(mesh, "vm-a")).includes('{service="web.default",state="ready"} 3\n') || null,
          { limitMs: recoverMs },
        );
      },
      testMs,
    );
  },
);

/** An app of streams that say one thing and then nothing, and of short answers. */
function serveEvents(hostname: string): ReturnType<typeof Bun.serve> {
  const events = (): Response =>
    new Response(new ReadableStream({ start: (controller) => void controller.enqueue("data: first\n\n") }), {
      headers: { "content-type": "text/event-stream" },
    });
  return Bun.serve({
    hostname,
    port: 8_080,
    idleTimeout: 0,
    fetch: (request) => (new URL(request.url).pathname === "/events" ? events() : new Response("ok")),
  });
}

/** On a connection of their own. `opened`: those that are open and silent; `refused`: those that were answered otherwise. */
function openStreams(mesh: Mesh, count: number) {
  const caller = mesh.machine("vm-a");
  const session = connect(`http://${caller.address}:${caller.httpPort("caller")}`);
  session.on("error", () => {});
  const streams = Array.from({ length: count }, () =>
    session.request({ ":authority": "web.mesh", ":path": "/events" }),
  );
  const end = (): void => streams.forEach((stream) => stream.close(constants.NGHTTP2_CANCEL));
  const seen = { opened: 0, refused: 0, end, close: () => session.destroy() };
  for (const stream of streams) {
    stream.on("error", () => {});
    stream.on("response", (head) => void (head[":status"] === 200 ? seen.opened++ : seen.refused++));
    stream.resume();
  }
  return seen;
}

describe.skipIf(binaryMissing)(
  "M9: streams pile up, more than may be open, beside a load of short requests",
  () => {
    const host = addressOf(97);
    const piles: ReturnType<typeof openStreams>[] = [];
    let server: ReturnType<typeof Bun.serve>;
    let mesh: Mesh;
    let clients: SteadyLoad[] = [];

    beforeAll(async () => {
      server = serveEvents(host);
      mesh = await startMesh({
        documents,
        machines: [
          { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
          { name: "vm-b", services: [{ service: "web", host, port: 8_080 }] },
        ],
      });
    }, testMs);
    afterAll(async () => {
      for (const pile of piles) pile.close();
      await Promise.all(clients.map((each) => each.stop()));
      await mesh?.stop();
      await server.stop(true);
    }, testMs);

    test(
      "leaves room for the requests of others, and what it held is there again when it is over",
      async () => {
        clients = startClients(mesh, 8);
        await recovery(clients);
        const before = await tries(mesh);
        for (let at = 0; at < 3; at++) piles.push(openStreams(mesh, 700));
        await waitFor(
          "all of them are open or refused",
          () => piles.every(({ opened, refused }) => opened + refused === 700) || null,
        );
        // The app gets 1,024 connections: most of them are streams now, and not all streams found one.
        const opened = piles.reduce((sum, each) => sum + each.opened, 0);
        const refused = piles.reduce((sum, each) => sum + each.refused, 0);
        expect(opened).toBeGreaterThan(500);
        expect(refused).toBeGreaterThan(0);
        for (let windows = 0; windows < 5; windows++)
          expect(await goodShare(clients)).toBeGreaterThanOrEqual(goodShareMin);
        const after = await tries(mesh);
        expect(after.attempts - before.attempts).toBeLessThanOrEqual(
          (after.requests - before.requests + opened) * attemptsShareMax,
        );
        for (const pile of piles) pile.end();
        const again = openStreams(mesh, 300);
        piles.push(again);
        await waitFor("as many streams open again", () => again.opened === 300 || null, {
          limitMs: recoverMs,
        });
        await recovery(clients);
        expect(again.refused).toBe(0);
      },
      testMs,
    );
  },
);

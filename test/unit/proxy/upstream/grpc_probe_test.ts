/** Probes by grpc.health.v1 of a real server of gRPC (grpc-js on Node). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Shard } from "../../../../src/http/shard.ts";
import { Probe } from "../../../../src/proxy/upstream/probe.ts";
import { addressOf } from "../../../support/addresses.ts";
import { startNode } from "../../../support/node_program.ts";
import { testMs } from "../../../support/patience.ts";
import { runtime } from "../../../support/planes.ts";
import { waitFor, type Program } from "../../../support/processes.ts";

const host = addressOf(96);
const port = 50_051;
let server: Program;
beforeAll(async () => {
  server = await startNode("grpc/health_server.ts", host, port);
}, testMs);
afterAll(async () => await server?.stop());

/** What a probe says first. */
async function said(service: string, at: { host: string; port: number } = { host, port }): Promise<string> {
  const changes: string[] = [];
  const probe = new Probe({
    ...{ net: runtime.net, clock: runtime.clock, ...at, path: null, everyMs: 100 },
    grpc: { service, shard: new Shard(runtime.clock) },
    look: null,
    changed: (ready, detail) => changes.push(`${ready} ${detail}`),
  });
  const first = await waitFor("the probe says something", () => changes[0] ?? null);
  probe.close();
  return first;
}

describe("a probe by gRPC", () => {
  test.each([
    ["", "true the app answers"],
    ["up", "true the app answers"],
    ["down", "false grpc.health.v1 says that down is NOT_SERVING"],
    ["other", "false grpc.health.v1 was answered with the gRPC status 5"],
  ])("asks for %p and hears how that is", async (service, expected) => {
    expect(await said(service)).toBe(expected);
  });

  test("is not taken in by what speaks no HTTP/2", async () => {
    const app = Bun.listen({
      ...{ hostname: "127.0.0.1", port: 0 },
      socket: { data: (socket) => void socket.write("HTTP/1.1 200 OK\r\n\r\n") },
    });
    expect(await said("", { host: "127.0.0.1", port: app.port })).toStartWith("false ");
    app.stop(true);
  });
});

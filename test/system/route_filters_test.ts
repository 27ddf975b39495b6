/** Filters of routes through the compiled binary: copies for mirrors, faults on purpose, and CORS, over two proxies. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { heddleRunning } from "../support/command.ts";
import { waitFor, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

setDefaultTimeout(testMs);

const [near, far] = [addressOf(70), addressOf(71)];

const documents = (faults: "allowed" | "refused"): string => `
{kind: Mesh, name: mesh, faults: ${faults}}
---
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: shadow, port: 80, protocol: http}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: published}
spec:
  parentRefs: [{group: "", kind: Service, name: web}]
  rules:
    - matches: [{path: {type: PathPrefix, value: /copied}}]
      filters: [{type: RequestMirror, requestMirror: {backendRef: {name: shadow}}}]
      backendRefs: [{name: web}]
    - matches: [{path: {type: PathPrefix, value: /crossed}}]
      filters: [{type: CORS, cors: {allowOrigins: ["https://shop.example"], allowMethods: [PUT], maxAge: 60}}]
      backendRefs: [{name: web}]
---
kind: HTTPRoute
name: own
service: web
rules:
  - {match: {path: /faulty}, fault: {abort: {status: 500}}}
  - {match: {path: /slow}, fault: {delay: {duration: 400ms}}}
  - {match: {path: /ready}}
`;

describe.skipIf(binaryMissing)("a route", () => {
  const folder = mkdtempSync(`${tmpdir()}/heddle-route-filters-test-`);
  const copies: { readonly path: string; readonly body: string }[] = [];
  const servers: ReturnType<typeof Bun.serve>[] = [];
  let dev: Program;

  beforeAll(async () => {
    servers.push(
      Bun.serve({ hostname: far, port: 8080, fetch: async (request) => new Response(await request.text()) }),
      Bun.serve({
        ...{ hostname: far, port: 8081 },
        async fetch(request) {
          copies.push({ path: new URL(request.url).pathname, body: await request.text() });
          // Nobody waits for it.
          await Bun.sleep(60_000);
          return new Response("late");
        },
      }),
    );
    const machine = (name: string, address: string, services: object[]): void =>
      writeFileSync(`${folder}/${name}.yaml`, JSON.stringify({ kind: "Machine", name, address, services }));
    machine("vm-1", near, [{ service: "caller", host: near, port: 9, httpPort: 7480 }]);
    machine("vm-2", far, [
      { service: "web", host: far, port: 8080 },
      { service: "shadow", host: far, port: 8081 },
    ]);
    writeFileSync(`${folder}/mesh.yaml`, documents("allowed"));
    dev = heddleRunning(["dev", folder], `${folder}/dev.log`);
    const ready = async () => ((await ask("/ready").catch(() => null))?.status === 200 ? true : null);
    await waitFor("it answers", ready, { program: dev, everyMs: 100 });
  }, testMs);
  afterAll(async () => {
    for (const server of servers) server.stop(true);
    await dev?.stop();
    rmSync(folder, { recursive: true });
  });

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://${near}:7480${path}`, { ...init, headers: { host: "web.mesh", ...init.headers } });

  test("copies its requests to a mirror, which nobody waits for", async () => {
    const answer = await ask("/copied/x", { method: "POST", body: "hello" });
    expect([answer.status, await answer.text()]).toEqual([200, "hello"]);
    await waitFor("the copy comes", () => (copies.length > 0 ? true : null));
    expect(copies).toEqual([{ path: "/copied/x", body: "hello" }]);
  });

  test("answers preflight requests of browsers", async () => {
    const asking = { origin: "https://shop.example", "access-control-request-method": "PUT" };
    const allowed = await ask("/crossed", { method: "OPTIONS", headers: asking });
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect(allowed.headers.get("access-control-allow-methods")).toBe("PUT");
    const foreign = await ask("/crossed", { headers: { origin: "https://evil.example" } });
    expect([foreign.status, foreign.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  });

  test("makes faults as long as the mesh allows them", async () => {
    expect((await ask("/faulty")).headers.get("x-heddle-error")).toStartWith("FI/");
    const startedMs = performance.now();
    expect((await ask("/slow")).status).toBe(200);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(400);
    writeFileSync(`${folder}/mesh.yaml`, documents("refused"));
    await waitFor("none is made", async () => ((await ask("/faulty")).status === 200 ? true : null), {
      program: dev,
    });
  });
});

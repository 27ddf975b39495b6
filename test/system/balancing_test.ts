/** Which instance gets a call, on the compiled binary: keys, sessions and zones, as documents say them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { callByName, callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, balance: round-robin}
`;
const keyed = `${documents}---
{kind: Traffic, name: web, service: web, balance: {strategy: maglev, key: {header: x-user}}, zones: {prefer: none}}
`;
const sessions = `${documents}---
{kind: Traffic, name: web, service: web, sessionPersistence: {sessionName: basket}, zones: {prefer: none}}
`;

const sessionsOfRules = `${documents}---
{kind: Traffic, name: web, service: web, zones: {prefer: none}}
---
kind: HTTPRoute
name: web
service: web
rules:
  - {name: cart, match: {path: /cart}, sessionPersistence: {cookie: {name: cart, lifetimeType: Permanent}, absoluteTimeout: 1h}}
  - {name: rest}
`;

describe.skipIf(binaryMissing)("a mesh with instances in two zones", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          zone: "east",
          services: [{ service: "caller", app: "none", calls: { web: "by-name" } }],
        },
        { name: "vm-b", zone: "east", services: [{ service: "web", version: "b" }] },
        { name: "vm-c", zone: "east", services: [{ service: "web", version: "c" }] },
        { name: "vm-d", zone: "west", services: [{ service: "web", version: "d" }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
  });

  const call = async (headers: Record<string, string> = {}, path = "/") => {
    const answer = await callByName(mesh.machine("vm-a"), "caller", "web", { headers, path });
    expect(answer.status).toBe(200);
    return { version: answer.seen().version, cookie: answer.headers.getSetCookie()[0] };
  };
  const versions = async (count: number, headers: Record<string, string> = {}): Promise<string[]> => {
    const seen = new Set<string>();
    for (let at = 0; at < count; at++) seen.add((await call(headers)).version);
    return [...seen].sort();
  };
  const metrics = async (): Promise<string> =>
    (await callUrl(`http://${mesh.machine("vm-a").address}:${ports.admin}/metrics`)).text;

  test("serves calls in the zone of their caller, and counts them by zone", async () => {
    await waitFor("all of the zone are called", async () =>
      Bun.deepEquals(await versions(6), ["b", "c"]) ? true : null,
    );
    expect(await metrics()).toMatch(/heddle_zone_attempts_total\{service="web\.default",zone="east"\} \d+/);
    expect(await metrics()).not.toContain('zone="west"');
  });

  test(
    "sends the requests of one user to one instance, of many to all, once Traffic says so",
    async () => {
      mesh.apply(keyed);
      await mesh.settled();
      expect(await versions(12, { "x-user": "ann" })).toHaveLength(1);
      const all = new Set<string>();
      for (let user = 0; user < 40; user++)
        for (const version of await versions(1, { "x-user": `user-${user}` })) all.add(version);
      expect([...all].sort()).toEqual(["b", "c", "d"]);
      const shown = mesh.heddle("get", "traffic", "web", "--effective");
      expect(shown).toMatch(/^balance\.strategy +maglev +Traffic web\.default$/m);
      expect(shown).toMatch(/^balance\.key +\{"header":"x-user"\} +Traffic web\.default$/m);
    },
    testMs,
  );

  test(
    "keeps sessions of one rule of a route alone, as that says them",
    async () => {
      mesh.apply(sessionsOfRules);
      await mesh.settled();
      const first = await call({}, "/cart");
      expect(String(first.cookie)).toMatch(/^cart=[A-Za-z0-9_-]+; Path=\/; Max-Age=3600; HttpOnly$/);
      const pair = { cookie: String(first.cookie).split(";")[0] as string };
      for (let time = 0; time < 12; time++) expect((await call(pair, "/cart")).version).toBe(first.version);
      // Those that came to the others grow into their share: which of them is called is not told here.
      expect((await versions(12, pair)).length).toBeGreaterThan(1);
      expect((await call()).cookie).toBeUndefined();
    },
    testMs,
  );

  test(
    "keeps a client's session at its instance, and takes it elsewhere when that is killed",
    async () => {
      mesh.apply(sessions);
      await mesh.settled();
      const first = await call();
      const cookie = String(first.cookie);
      expect(cookie).toMatch(/^basket=[A-Za-z0-9_-]+; Path=\/; HttpOnly$/);
      const pair = { cookie: cookie.split(";")[0] as string };
      expect(await versions(12, pair)).toEqual([first.version]);
      const config = await callUrl(`http://${mesh.machine("vm-a").address}:${ports.admin}/config`);
      expect(config.text).not.toContain("sessionKey");
      mesh.machine(`vm-${first.version}`).apps.get("web")?.kill("SIGKILL");
      const next = await call(pair);
      expect(next.version).not.toBe(first.version);
      expect(String(next.cookie)).toMatch(/^basket=/);
    },
    testMs,
  );
});

/** Policies in a whole mesh: applied with documents, run by the proxies' sealed hosts, refused when they are wrong. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { binaryMissing } from "../../compile/repository.ts";
import { ports } from "../../src/model/ports.ts";
import { callByName, callUntil, callUrl } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const frontend = "{kind: Service, name: frontend, port: 80, protocol: http}";

const documents = `
${frontend}
---
kind: Service
name: web
port: 80
protocol: http
subsets: {v1: {version: v1}, v2: {version: v2}}
policies:
- {use: header-route, with: {header: x-user-group, values: {beta: {service: web, subset: v2}}}}
---
{kind: Service, name: lenient, port: 80, protocol: http, policies: [{use: moody-open, with: {word: open}}]}
---
{kind: Service, name: strict, port: 80, protocol: http, policies: [{use: moody-closed, with: {word: closed}}]}
---
{kind: Access, name: strict, service: strict, deny: [{from: frontend, paths: [/admin/*]}], allow: [{from: frontend}]}
---
{kind: Service, name: laden, port: 80, protocol: http, policies: [{use: loads, with: {}}]}
---
kind: Service
name: guarded
port: 80
protocol: http
policies:
- {use: header-edit, with: {response: {set: {x-edited: yes-it-is}}}}
- {use: rate-limit, with: {limit: 3, within: 1h}, side: server}
---
kind: Mesh
name: mesh
policies: [{use: witness, with: {name: caller}}, {use: witness, with: {name: server}, side: server}]
---
kind: HTTPRoute
name: web
service: web
rules:
- {match: {path: /}, split: {web/v1: 1}}
`;

/** Does as the request asks. */
function moody(onError: "open" | "closed"): string {
  return `import { definePolicy, next, respond, routeTo } from "heddle/policy";
import * as v from "valibot";
import { wordOf } from "./word.ts";

export default definePolicy({
  api: 1,
  name: "moody-${onError}",
  version: "1.0.0",
  options: v.strictObject({ word: v.string() }),
  onError: "${onError}",
  onRequest(request, context) {
    const mood = request.headers.get("x-mood");
    if (mood === "hang") for (;;);
    if (mood === "throw") throw new Error("in a mood");
    if (mood === "refuse") return respond(418, "in a mood", "no tea", { "x-tea": "none" });
    if (mood === "climb") return next({ path: "/public/../admin/x" });
    if (mood === "stray") return routeTo("web");
    if (mood === "late") return Promise.resolve(next({ headers: { set: { "x-word": "late" } } }));
    return next({ headers: { set: { "x-word": wordOf(context.options.word) } } });
  },
});
`;
}

/** Writes more than any head has room for when it is asked to. */
const loads = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
const load = Object.fromEntries(Array.from({ length: 60 }, (_, at) => ["x-load-" + at, "v".repeat(4_000)]));
export default definePolicy({
  api: 1, name: "loads", version: "1.0.0", options: v.strictObject({}), onError: "closed",
  onRequest: (request) => (request.headers.has("x-load") ? next({ headers: { set: load } }) : next()),
});
`;

/** Sees every request of the mesh from its beginning to its end, at both sides. */
const witness = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "witness", version: "1.0.0", options: v.object({ name: v.string() }), onError: "open",
  state: () => ({ seen: 0 }),
  onRequest(request, context) {
    context.scratch.set("path", request.path);
    context.state.seen++;
    return next();
  },
  onResponse(response, context) {
    const { name } = context.options;
    return next({ headers: { add: { ["x-saw-" + name]: context.scratch.get("path") + " " + response.status } } });
  },
  onEnd(summary, context) {
    context.count("ended", 1, { side: context.options.name, status: String(summary.status) });
  },
});
`;

const policies = {
  "witness.ts": witness,
  "loads.ts": loads,
  "moody_open.ts": moody("open"),
  "moody_closed.ts": moody("closed"),
  "word.ts": "export const wordOf = (word: string): string => word.toUpperCase();\n",
};

interface Line {
  readonly policies: readonly { readonly name: string; readonly decision: string; readonly reason: string }[];
}

/** A line of the access log without the policy of the whole mesh. */
function withoutWitness(line: string): Line {
  const { policies: all, ...rest } = JSON.parse(line) as Line;
  return { ...rest, policies: all.filter(({ name }) => name !== "witness") };
}

describe.skipIf(binaryMissing)("in a mesh", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      policies,
      proxyFlags: ["--log-sample", "1"],
      machines: [
        {
          name: "vm-a",
          services: [
            {
              service: "frontend",
              app: "none",
              calls: {
                web: "by-name",
                lenient: "by-name",
                strict: "by-name",
                laden: "by-name",
                guarded: "by-name",
              },
            },
            { service: "web" },
          ],
        },
        {
          name: "vm-b",
          services: [
            { service: "web", version: "v2" },
            { service: "lenient" },
            { service: "strict" },
            { service: "laden" },
            { service: "guarded" },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => await mesh?.stop());

  const call = (to: string, headers: Record<string, string> = {}) =>
    callByName(mesh.machine("vm-a"), "frontend", to, { headers });

  /** The line of the access log about a request, once it is written. */
  const lineOf = (requestId: string): string | null =>
    mesh
      .machine("vm-a")
      .proxy.output()
      .split("\n")
      .find((line) => line.includes(`"request_id":"${requestId}"`)) ?? null;

  /** Applies a file beside the documents that stand; returns what was said when it was refused. */
  const refusal = (files: Readonly<Record<string, string>>): string => {
    const folder = `${mesh.folder}/refused-${crypto.randomUUID()}`;
    mkdirSync(`${folder}/policies`, { recursive: true });
    for (const [name, text] of Object.entries({ "mesh.yaml": frontend, ...files }))
      writeFileSync(`${folder}/${name}`, text);
    try {
      mesh.heddle("apply", "-f", folder);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };

  test("header-route sends the listed users to their subset, and everybody else by the route", async () => {
    for (let time = 0; time < 10; time++) {
      expect((await call("web", { "x-user-group": "beta" })).seen().version).toBe("v2");
      expect((await call("web")).seen().version).toBe("v1");
    }
  });

  test("edits of a policy reach the app", async () => {
    expect((await call("strict")).seen().headers["x-word"]).toBe("CLOSED");
    expect((await call("strict", { "x-mood": "late" })).seen().headers["x-word"]).toBe("late");
  });

  test("a head that a policy makes too long fails its request, and none that shares the connection", async () => {
    for (let time = 0; time < 3; time++) {
      const plain = Array.from({ length: 20 }, () => call("laden"));
      const loaded = await call("laden", { "x-load": "1" });
      expect([loaded.status, loaded.headers.get("x-heddle-error")?.slice(0, 3)]).toEqual([503, "PE/"]);
      expect((await Promise.all(plain)).filter(({ status }) => status !== 200)).toEqual([]);
    }
  });

  test("an answer of a policy is the answer", async () => {
    const answer = await call("strict", { "x-mood": "refuse" });
    expect([answer.status, answer.text, answer.headers.get("x-tea")]).toEqual([418, "no tea", "none"]);
    const said = answer.headers.get("x-heddle-error");
    expect(said).toBe('PD/the policy "moody-closed" of strict.default answered 418');
    const id = answer.headers.get("x-request-id") ?? "none";
    const line = await waitFor("the answer is logged", async () => lineOf(id));
    expect(withoutWitness(line)).toMatchObject({
      flags: "PD",
      side: "policy",
      policies: [{ name: "moody-closed", decision: "respond 418", reason: "in a mood" }],
    });
  });

  test("access rules see the path that a policy wrote as the app would get it", async () => {
    const climbed = await call("strict", { "x-mood": "climb" });
    expect([climbed.status, climbed.headers.get("x-heddle-error")?.slice(0, 3)]).toEqual([403, "AD/"]);
  });

  test("a policy leads nowhere but where its options say, and its failure says no more than its name", async () => {
    const answer = await call("strict", { "x-mood": "stray" });
    expect([answer.status, answer.headers.get("x-heddle-error")?.slice(0, 3)]).toEqual([503, "PE/"]);
    expect(answer.text).toContain(
      'the policy "moody-closed" of strict.default failed and lets nothing through',
    );
    expect(answer.text).not.toContain("web");
    const id = answer.headers.get("x-request-id") ?? "none";
    const line = await waitFor("the failure is logged", async () => lineOf(id));
    expect(withoutWitness(line)).toMatchObject({
      flags: "PE",
      policies: [{ decision: "error invalid", reason: 'it routes to "web", which its options do not name' }],
    });
  });

  test("a policy that fails is passed over when it fails open, and refuses when it fails closed", async () => {
    for (const mood of ["throw", "hang"]) {
      const [open, closed, other] = await Promise.all([
        call("lenient", { "x-mood": mood }),
        call("strict", { "x-mood": mood }),
        call("web", { "x-user-group": "beta" }),
      ]);
      expect([mood, open.status, open.seen().headers["x-word"]]).toEqual([mood, 200, undefined]);
      expect([mood, closed.status]).toEqual([mood, 503]);
      expect(closed.text).toContain("moody-closed");
      expect(closed.text).toContain("PE");
      expect(other.seen().version).toBe("v2");
      if (mood === "hang") continue;
      expect(closed.text).not.toContain("in a mood");
      const where =
        policies["moody_closed.ts"].split("\n").findIndex((line) => line.includes(`"${mood}"`)) + 1;
      for (const { headers } of [open, closed]) {
        const id = headers.get("x-request-id") ?? "none";
        const line = await waitFor("the failure is logged", async () => lineOf(id));
        const { policies: records } = withoutWitness(line);
        expect(records[0]?.decision).toBe("error throw");
        expect(records[0]?.reason).toMatch(/^policies\/moody_\w+\.ts:\d+:\d+: Error: in a mood$/);
        expect(records[0]?.reason).toContain(`.ts:${where}:`);
      }
    }
  });

  test("the host is sealed, and says so", async () => {
    const metrics = await callUrl(`http://${mesh.machine("vm-a").address}:${ports.admin}/metrics`);
    expect(metrics.text).toMatch(/^heddle_policy_host_sealed 1$/m);
    expect(metrics.text).toMatch(/^heddle_policy_decisions_total\{.*policy="header-route".*\} [1-9]/m);
  });

  test("a policy of the mesh sees every exchange to its end, at the caller's and at the server's side", async () => {
    for (const service of ["lenient", "laden"]) {
      const { headers } = await call(service);
      expect([headers.get("x-saw-caller"), headers.get("x-saw-server")]).toEqual(["/ 200", "/ 200"]);
    }
    for (const [machine, side] of [
      ["vm-a", "caller"],
      ["vm-b", "server"],
    ] as const) {
      const url = `http://${mesh.machine(machine).address}:${ports.admin}/metrics`;
      const counted = `heddle_policy_counted_total{policy="witness",name="ended",labels="side=${side},status=200"}`;
      await waitFor(
        `the end is counted on ${machine}`,
        async () => (await callUrl(url)).text.includes(counted) || null,
      );
    }
  });

  test("policies that ship need no file, and one at the server's side cannot be passed by", async () => {
    const answers = [];
    for (let at = 0; at < 5; at++) answers.push(await call("guarded"));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429]);
    expect(answers[0]?.headers.get("x-edited")).toBe("yes-it-is");
    const refused = answers.at(-1);
    expect([refused?.text, refused?.headers.get("retry-after")]).toEqual(["Too many requests\n", "1200"]);
    expect(refused?.headers.get("x-heddle-error")).toContain('PD/the policy "rate-limit" of guarded.default');
  });

  test("a policy that tries to get out is refused at its place, and nothing changes", async () => {
    const evil = moody("closed").replace("throw new Error", "throw fetch");
    const said = refusal({ "policies/moody_closed.ts": evil, "policies/word.ts": policies["word.ts"] });
    expect(said).toContain("policies/moody_closed.ts:14:");
    expect(said).toContain('"fetch" does not exist in a policy');
    expect((await call("strict")).seen().headers["x-word"]).toBe("CLOSED");
  });

  test("options that do not fit the policy's schema are refused with their path", () => {
    const wrong =
      "{kind: Service, name: strict, port: 80, protocol: http, policies: [{use: moody-closed, with: {word: 1}}]}";
    const said = refusal({ "mesh.yaml": wrong });
    expect(said).toContain("moody-closed");
    expect(said).toMatch(/word: .*[Ee]xpected string/);
  });

  test("a new version of a policy takes over without a failed request", async () => {
    const statuses = new Set<number>();
    let over = false;
    const load = (async () => {
      while (!over) statuses.add((await call("strict")).status);
    })();
    const folder = `${mesh.folder}/second`;
    mkdirSync(`${folder}/policies`, { recursive: true });
    writeFileSync(`${folder}/mesh.yaml`, frontend);
    writeFileSync(`${folder}/policies/word.ts`, policies["word.ts"].replace("toUpperCase", "toLowerCase"));
    writeFileSync(
      `${folder}/policies/moody_closed.ts`,
      policies["moody_closed.ts"].replace("1.0.0", "1.0.1"),
    );
    try {
      mesh.heddle("apply", "-f", folder);
      await callUntil(
        "the new version answers",
        () => call("strict"),
        (answer) => answer.seen().headers["x-word"] === "closed",
      );
    } finally {
      over = true;
      await load;
    }
    expect([...statuses]).toEqual([200]);
  });

  test("a proxy that starts without its controller has its policies from disk", async () => {
    const { proxy } = mesh.machine("vm-a");
    // What is in force is on disk once it is acknowledged, a little later than the first call that it decides.
    await mesh.settled();
    await mesh.controller.stop();
    await proxy.kill();
    await proxy.start();
    expect((await call("strict")).seen().headers["x-word"]).toBe("closed");
    expect((await call("web", { "x-user-group": "beta" })).seen().version).toBe("v2");
  });
});

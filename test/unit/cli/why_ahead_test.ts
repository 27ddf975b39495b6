/** `heddle why web orders GET /v1/x`: what would become of a request that has not happened. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { decide, decideAnswering, decideFromDisk, type DecideQuestion } from "../../../src/app/decide.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";
import { Terminal } from "../../../src/cli/terminal.ts";
import { readAsked } from "../../../src/cli/why/asked.ts";
import { hypothesisOf, type Decided, type Hypothesis } from "../../../src/cli/why/hypothesis.ts";
import { Shown } from "../../../src/cli/why/show.ts";
import type { CompiledRoute, Snapshot } from "../../../src/model/snapshot.ts";
import { SnapshotHasher } from "../../../src/model/snapshot_version.ts";
import { idOf, named, openAccess, type DestinationPlan } from "../../support/planes.ts";
import { testMs } from "../../support/patience.ts";
import { terminalUnderTest } from "../../support/terminal_under_test.ts";
import { WhyScene } from "../../support/why_scene.ts";

setDefaultTimeout(testMs);

const question: DecideQuestion = {
  ...{ what: "decide", from: "caller.default", to: "web.default", method: "GET", path: "/v1/x", headers: [] },
};

function routeOf(name: string, path: string, headers: CompiledRoute["match"]["headers"] = []): CompiledRoute {
  return {
    name,
    match: { path: { type: "PathPrefix", value: path }, method: null, headers },
    backends: [{ service: named("web"), subset: null, weight: 1, invalid: null }],
    ...{ requestTimeoutMs: null, idempotent: false, policies: [] },
  };
}

const nowhere = { service: named("old"), subset: null, weight: 1, invalid: "no such service" };
const beta = { type: "Exact", name: "x-user", value: "beta" } as const;
const enforced = (from: string) => ({
  otherwise: "deny" as const,
  deny: [],
  allow: [
    {
      id: "web#allow[0]",
      mode: "enforce",
      source: { kind: "exact", value: idOf(from) },
      methods: ["GET"],
      paths: [],
    },
  ] as const,
});

async function sceneOf(web: DestinationPlan = {}): Promise<WhyScene> {
  return await WhyScene.start({ web });
}

/** What all machines of a scene answer. */
function answered(scene: WhyScene, asked = question): Decided[] {
  return scene.planes.machines.map(({ plan: { name }, plane }) => {
    const lines: Decided[] = [];
    const reply = {
      line: (line: unknown) => void lines.push({ ...(line as Decided), machine: name }),
      lost() {},
      end() {},
    };
    decideAnswering(plane, scene.net.clock)(asked, reply);
    return JSON.parse(JSON.stringify(lines[0])) as Decided;
  });
}

async function would(web: DestinationPlan, change: Partial<DecideQuestion> = {}): Promise<Hypothesis> {
  const asked = { ...question, ...change };
  return hypothesisOf(asked, answered(await sceneOf(web), asked));
}

describe("a request that has not happened", () => {
  const cases: Readonly<Record<string, readonly [DestinationPlan, string | null]>> = {
    "well where nothing speaks against it": [{}, null],
    "by NR where no route fits": [{ routes: [routeOf("v2", "/v2")] }, "NR"],
    "by UH where no instance is ready": [{ unready: ["b"] }, "UH"],
    "by DPE where the service speaks no HTTP": [{ protocol: "tcp" }, "DPE"],
    "by AD where no rule allows it": [{ access: enforced("batch") }, "AD"],
    "well where a rule allows it": [{ access: enforced("caller") }, null],
    "by NC where its route leads nowhere": [
      { routes: [{ ...routeOf("gone", "/"), backends: [nowhere] }] },
      "NC",
    ],
  };
  for (const [how, [web, flag]] of Object.entries(cases))
    test(`would be answered as it is when it does happen: ${how}`, async () => {
      const scene = await sceneOf(web);
      expect(hypothesisOf(question, answered(scene)).verdict.flag).toBe(flag as never);
      await scene.call("r-1", "GET http://web.mesh/v1/x HTTP/1.1", "name");
      expect(scene.story("r-1").cause?.flag ?? null).toBe(flag as never);
    });

  test("takes the first route that fits, and each other one has its reason", async () => {
    const routes = [
      routeOf("v2", "/v2"),
      routeOf("beta", "/v1", [beta]),
      routeOf("v1", "/v1"),
      routeOf("all", "/"),
    ];
    const reasons = ({ caller }: Hypothesis): string[] => caller?.routes.map(({ because }) => because) ?? [];
    expect(reasons(await would({ routes }))).toEqual([
      "it takes /v2 and below, not /v1/x",
      "it takes x-user: beta, and the request has none",
      "",
      "it fits too, and comes later",
    ]);
    const headers = [{ name: "x-user", value: "beta" }];
    expect((await would({ routes }, { headers })).caller?.routes.find(({ chosen }) => chosen)?.name).toBe(
      "beta",
    );
  });

  test("is read as the service reads it", async () => {
    const deny = [
      { id: "no", mode: "enforce", source: { kind: "any" }, methods: [], paths: ["/admin/*"] },
    ] as const;
    const web = { escapedSlashes: "decode", access: { ...openAccess, deny } } as const;
    expect((await would(web, { path: "/admin%2Fx" })).verdict.flag).toBe("AD");
    expect((await would({ ...web, escapedSlashes: "refuse" }, { path: "/admin%2Fx" })).verdict.flag).toBe(
      "DPE",
    );
  });

  test("of a caller that runs nowhere, or to a service that nobody knows, is told so", async () => {
    expect((await would({}, { from: "nobody.default" })).verdict).toMatchObject({ flag: "ID" });
    expect((await would({}, { to: "nothing.default" })).verdict).toMatchObject({ flag: "NC" });
  });

  test("is shown with its route, its rule, its instances and identities, as plain text", async () => {
    const asked = { ...question, path: "/v1/\u001b[2J", headers: [] };
    const hypothesis = await would(
      { routes: [routeOf("v2", "/v2\u202e"), routeOf("v1", "/v1")], access: enforced("caller") },
      { path: asked.path },
    );
    const { host, out } = terminalUnderTest({});
    new Shown(new Terminal(host)).hypothesis(asked, hypothesis);
    expect(out()).not.toMatch(/[^\x20-\x7e\n]/);
    expect(out()).toContain("Yes: it would go to web.default.");
    expect(out()).toMatch(/route +v1: \/v1 and below\n/);
    expect(out()).toContain(`${idOf("caller")} -> ${idOf("web")}`);
    expect(out()).toMatch(/endpoints +b\/web\.default\/\d+: ready now/);
    expect(out()).toMatch(/access +allow by the rule web#allow\[0\], on b/);
    expect(out()).toContain("(web#allow[0]) decides");
  });
});

describe("without asking anybody", () => {
  const filesOf = (snapshot: Snapshot | null) => ({
    read: async () => (snapshot === null ? null : new TextEncoder().encode(JSON.stringify(snapshot))),
  });
  const snapshotOf = async (web: DestinationPlan): Promise<Snapshot> => {
    const scene = await sceneOf(web);
    const { version: _, ...content } = scene.planes.machine("a").plane.state?.snapshot as Snapshot;
    return { ...content, version: new SnapshotHasher().version(content) };
  };

  test("the caller's machine tells what it knows, and that the callee's rules are not among it", async () => {
    const snapshot = await snapshotOf({ routes: [routeOf("v1", "/v1")] });
    const line = await decideFromDisk(filesOf(snapshot), stateFolder("/x"), question);
    const { verdict, caller } = hypothesisOf(question, [line]);
    expect(verdict).toEqual({
      flag: null,
      detail: expect.stringContaining("its access rules are not known"),
    });
    expect(caller).toMatchObject({
      machine: "a",
      live: null,
      endpoints: [{ state: "ready", pending: null }],
    });
    expect(decide(snapshot, question, null).isCallee).toBe(false);
  });

  test("a snapshot that is missing or damaged is no answer", async () => {
    const folder = stateFolder("/x");
    const damaged = { ...(await snapshotOf({})), node: "other" };
    expect(decideFromDisk(filesOf(null), folder, question)).rejects.toThrow("/x/snapshot.json is not there");
    expect(decideFromDisk(filesOf(damaged), folder, question)).rejects.toThrow("was damaged");
  });
});

describe("what why is asked", () => {
  test("may be quoted or not, with an arrow or without", () => {
    const all = [
      ["web", "orders.shop", "post", "/v1"],
      ["web -> orders.shop POST /v1"],
      ["web", "->", "orders.shop", "POST", "/v1"],
      ["web->orders.shop", "POST", "/v1"],
    ];
    for (const words of all)
      expect(readAsked(words, ["X-User: beta"])).toEqual({
        ...{ what: "decide", from: "web.default", to: "orders.shop", method: "POST", path: "/v1" },
        headers: [{ name: "x-user", value: "beta" }],
      });
    expect(readAsked(["web", "orders"], [])).toMatchObject({ method: "GET", path: "/" });
    expect(readAsked(["web", "orders", "/v1?a=1"], [])).toMatchObject({ method: "GET", path: "/v1?a=1" });
    expect(readAsked(["web", "orders", "/v1"], [])).toMatchObject({ method: "GET", path: "/v1" });
    expect(readAsked(["abc-1"], [])).toEqual({ what: "request", id: "abc-1" });
  });

  test("says what it cannot read", () => {
    expect(() => readAsked(["web", "-", "GET"], [])).toThrow('the shell took the ">"');
    expect(() => readAsked(["a\u001b"], [])).toThrow("expected a request id");
    expect(() => readAsked(["Web", "orders"], [])).toThrow("Cannot use the caller");
    expect(() => readAsked(["web", "orders", "GET", "v1"], [])).toThrow("begins with /");
    expect(() => readAsked(["web", "orders", "GET", "/", "x"], [])).toThrow('Cannot read "x"');
    expect(() => readAsked(["web", "orders"], ["nothing"])).toThrow("Cannot use --header");
    expect(() => readAsked(["abc"], ["a: b"])).toThrow("had its own");
  });
});

/** `heddle why`: what it says of requests that failed in every way that there is, from what both proxies remember. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Terminal } from "../../../src/cli/terminal.ts";
import { Shown } from "../../../src/cli/why/show.ts";
import { flags } from "../../../src/model/outcome.ts";
import { limits } from "../../../src/model/limits.ts";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import type { PolicyChain } from "../../../src/policy/chain.ts";
import type { PolicyVerdict } from "../../../src/policy/verdict.ts";
import { idOf, named, openAccess } from "../../support/planes.ts";
import { testMs } from "../../support/patience.ts";
import { terminalUnderTest } from "../../support/terminal_under_test.ts";
import { okAnswer, WhyScene, type WhyPlan } from "../../support/why_scene.ts";
import { bytesOf } from "../../support/wire.ts";

setDefaultTimeout(testMs);

const deciding = (verdict: PolicyVerdict): PolicyChain => ({
  evaluate: (_bindings, _call, done) => done(verdict),
});
const bound = { hash: "h", name: "guard", options: {} };
const record = { name: "guard", hash: "h", hook: "onRequest", us: 5, said: "" } as const;

function routeOf(name: string, change: Partial<CompiledRoute> & { path?: string } = {}): CompiledRoute {
  const { path = "/", ...rest } = change;
  return {
    name,
    match: { path: { type: "PathPrefix", value: path }, method: null, headers: [] },
    backends: [{ service: named("web"), subset: null, weight: 1, invalid: null }],
    requestTimeoutMs: null,
    idempotent: false,
    policies: [],
    ...rest,
  };
}

interface Failure extends WhyPlan {
  /** How it is made, where the request alone does not. */
  readonly make?: (scene: WhyScene) => Promise<void>;
  readonly head?: string;
  readonly flag: string | null;
  readonly side: string;
  readonly machine: string;
  readonly detail: RegExp;
}

const failures: Readonly<Record<string, Failure>> = {
  "no instance is ready": {
    web: { unready: ["b"] },
    ...{ flag: "UH", side: "upstream", machine: "a", detail: /none of its 1 instances fits and is ready/ },
  },
  "the machine of the instance is gone": {
    make: async ({ planes, net }) => {
      void planes.machine("b").plane.close(0);
      await net.pass(1_000);
    },
    ...{ flag: "UF", side: "upstream", machine: "a", detail: /web\.default on b/ },
  },
  "the app is gone": {
    make: async ({ apps }) => apps[0]?.kill(),
    ...{ flag: "UF", side: "upstream", machine: "b", detail: /the app of web\.default at/ },
  },
  "the app is silent for longer than the timeout of the route": {
    web: { routes: [routeOf("all", { requestTimeoutMs: 2_000 })] },
    app: () => {},
    ...{ flag: "UT", side: "upstream", machine: "a", detail: /within 2000 ms/ },
  },
  "the route makes a fault of it on purpose": {
    web: { routes: [routeOf("all", { filters: { fault: { abort: { status: 503, share: 1 } } } })] },
    ...{ flag: "FI", side: "mesh", machine: "a", detail: /the route all answers .* on purpose/ },
  },
  "the caller waits no longer": {
    app: () => {},
    head: "GET /v1/x HTTP/1.1\r\nx-request-deadline: 500ms",
    ...{ flag: "DP", side: "downstream", machine: "a", detail: /gave web\.default 500 ms/ },
  },
  "the app closes before its answer is whole": {
    app: (step, socket) => {
      if (step !== "whole") return;
      socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"));
      socket.shutdown();
    },
    ...{ flag: "UC", side: "upstream", machine: "b", detail: /closed/ },
  },
  "the app resets": {
    app: (step, socket) => (step === "whole" ? socket.reset() : undefined),
    head: "POST /v1/x HTTP/1.1",
    ...{ flag: "UR", side: "upstream", machine: "b", detail: /reset/ },
  },
  "the app answers what is no HTTP": {
    app: (step, socket) => (step === "whole" ? void socket.write(bytesOf("HELLO\r\n\r\n")) : undefined),
    ...{ flag: "UPE", side: "upstream", machine: "b", detail: /the app of web\.default/ },
  },
  "the retries are used up": {
    app: (step, socket) => (step === "whole" ? socket.reset() : undefined),
    make: async ({ planes, net }) => {
      const budget = planes.machine("a").plane.state?.destinations.get("web.default")?.budget;
      while (budget?.take(net.clock.now()) === true);
    },
    ...{ flag: "URX", side: "upstream", machine: "a", detail: /retries of web\.default are used up/ },
  },
  "no route matches": {
    web: { routes: [routeOf("v2", { path: "/v2" })] },
    ...{
      flag: "NR",
      side: "downstream",
      machine: "a",
      detail: /no route of web\.default matches GET \/v1\/x/,
    },
  },
  "the route leads nowhere": {
    web: {
      routes: [
        routeOf("gone", {
          backends: [{ service: named("old"), subset: null, weight: 1, invalid: "there is no service old" }],
        }),
      ],
    },
    ...{ flag: "NC", side: "mesh", machine: "a", detail: /there is no service old/ },
  },
  "an access rule denies it": {
    web: {
      access: {
        ...openAccess,
        deny: [
          {
            id: "web#deny[0]",
            mode: "enforce",
            source: { kind: "exact", value: idOf("caller") },
            methods: [],
            paths: [],
          },
        ],
      },
    },
    ...{ flag: "AD", side: "downstream", machine: "b", detail: /the access rule web#deny\[0\] denies it/ },
  },
  "a policy answers": {
    web: { policies: [bound] },
    policies: deciding({
      do: "respond",
      policy: "guard",
      status: 403,
      headers: { remove: [], set: [], add: [] },
      body: "no",
      records: [{ ...record, action: "respond", failure: null, said: "403", reason: "read-only at night" }],
    }),
    ...{
      flag: "PD",
      side: "policy",
      machine: "a",
      detail: /the policy "guard" of web\.default answered 403/,
    },
  },
  "a policy fails": {
    web: { policies: [bound] },
    policies: deciding({
      do: "error",
      outcome: { flag: "PE", side: "policy", repeat: "no", status: 503, detail: "the policy guard failed" },
      records: [{ ...record, action: "error", failure: "throw", reason: "guard.ts:3:1: bad" }],
    }),
    ...{ flag: "PE", side: "policy", machine: "a", detail: /the policy guard failed/ },
  },
  "more come than a rate lets through": {
    web: { traffic: { rateLimit: { total: { perSecond: 1, burst: 1 } } } },
    make: async (scene) => void (await scene.call("before")),
    ...{ flag: "RL", side: "downstream", machine: "b", detail: /rateLimit\.total/ },
  },
  "too much is under way": {
    web: { traffic: { limits: { requests: 2 } } },
    app: () => {},
    make: async (scene) => {
      for (const id of ["r-2", "r-3"]) await scene.call(id);
    },
    ...{ flag: "UO", side: "mesh", machine: "a", detail: /limits\.requests/ },
  },
  "the proxy of the service cannot keep up": {
    web: { traffic: { priority: { callers: { "caller.default": "background" } } } },
    make: async ({ planes, net }) => {
      const { shedding } = planes.machine("b").plane;
      for (let step = 0; step < 5; step++) {
        shedding.delayed(10 * limits.shedDelayMs, net.clock.now());
        await net.pass(limits.shedStepMs);
      }
    },
    ...{ flag: "OM", side: "mesh", machine: "b", detail: /cannot keep up/ },
  },
  "the service speaks no HTTP": {
    web: { protocol: "tcp" },
    head: "GET http://web.mesh/v1/x HTTP/1.1",
    ...{ flag: "DPE", side: "downstream", machine: "a", detail: /speaks tcp, not HTTP/ },
  },
  "the answer goes on no more": {
    app: (step, socket) =>
      step === "whole"
        ? void socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"))
        : undefined,
    ...{ flag: "SI", side: "upstream", machine: "a", detail: /sent nothing for/ },
  },
  "the caller has no certificate": {
    make: async ({ planes }) => void planes.machine("a").credentials.delete("caller.default"),
    ...{ flag: "ID", side: "mesh", machine: "a", detail: /no valid certificate of caller\.default/ },
  },
  "the app answers that it failed": {
    app: (step, socket) =>
      step === "whole"
        ? void socket.write(bytesOf("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"))
        : undefined,
    ...{ flag: null, side: "upstream", machine: "b", detail: /answered 500 itself/ },
  },
};

describe("why a request failed when", () => {
  for (const [name, { make, head, flag, side, machine, detail, ...plan }] of Object.entries(failures))
    test(name, async () => {
      const scene = await WhyScene.start(plan);
      await make?.(scene);
      await scene.call("r-1", head, head?.includes("http://") === true ? "name" : "web");
      await scene.net.pass(2 * limits.answerIdleMs + 10_000);
      const { cause, hops } = scene.story("r-1");
      expect(cause).toMatchObject({ flag: flag as never, side: side as never, machine });
      expect(cause?.detail).toMatch(detail);
      expect(hops.length).toBe(1);
      expect((cause?.next ?? "").length).toBeGreaterThan(5);
    });

  test("the proxy ends", async () => {
    const scene = await WhyScene.start({ web: { protocol: "tcp" }, app: () => {} });
    await scene.call("r-1");
    const [open] = scene.telemetry.get("a")?.underWay ?? [];
    await scene.planes.machine("a").plane.close(0);
    await scene.net.settle();
    const { cause } = scene.story(open?.requestId ?? "");
    expect(cause).toMatchObject({ flag: "DT", side: "mesh", machine: "a" });
  });

  test("the client leaves", async () => {
    const scene = await WhyScene.start({ app: () => {} });
    const call = await scene.call("r-1");
    expect(scene.story("r-1")).toMatchObject({
      cause: null,
      hops: [{ caller: { record: { durationMs: null } } }],
    });
    call.leave();
    await scene.net.settle();
    const { cause, hops } = scene.story("r-1");
    expect(cause).toMatchObject({ flag: "DC", side: "downstream", machine: "a" });
    expect(hops[0]?.callees).toMatchObject([{ machine: "b", record: { outcome: { flag: "DC" } } }]);
  });
});

test("each flag that there is is made here", () => {
  const made = new Set([...Object.values(failures).map(({ flag }) => flag), "DC", "DT"]);
  expect(flags.filter((flag) => !made.has(flag))).toEqual([]);
});

test("a request that was tried again ended well, and what failed before is told", async () => {
  const scene = await WhyScene.start({ machines: ["b", "c"] });
  scene.apps[0]?.kill();
  for (let count = 0; count < 4; count++) await scene.call(`r-${count}`);
  const stories = [0, 1, 2, 3].map((count) => scene.story(`r-${count}`));
  expect(stories.map(({ cause }) => cause)).toEqual([null, null, null, null]);
  const tried = stories.find(({ hops }) => (hops[0]?.caller?.record.attempts.length ?? 0) > 1);
  expect(tried?.hops[0]?.caller?.record.attempts.map(({ result }) => result)).toEqual(["UF", "ok"]);
  expect(tried?.hops[0]?.callees.map(({ machine }) => machine).sort()).toEqual(["b", "c"]);
});

/** As a person reads it. */
function shown(scene: WhyScene, requestId: string): string {
  const { host, out } = terminalUnderTest({});
  new Shown(new Terminal(host)).story(requestId, scene.story(requestId));
  return out();
}

describe("what is shown of a request", () => {
  test("says why what failed was not sent again", async () => {
    const scene = await WhyScene.start({
      web: { traffic: { retries: { codes: [503] } } },
      app: (step, socket) => {
        if (step === "whole") socket.write(bytesOf("HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno"));
      },
    });
    await scene.call("unsafe", "POST /v1/x HTTP/1.1\r\ncontent-length: 0");
    expect(shown(scene, "unsafe")).toContain(
      "not sent again: it must not happen twice, and may have happened",
    );
    await scene.call("twice");
    await scene.net.pass(1_000);
    expect(shown(scene, "twice")).toContain("not sent again: it had all its attempts");
  });

  test("names the streams that hold all connections which there may be", async () => {
    const scene = await WhyScene.start({
      web: { traffic: { limits: { connectionsPerEndpoint: 1 } } },
      app: (step, socket) => {
        if (step === "whole")
          socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n"));
      },
    });
    await scene.call("stream");
    await scene.call("waits");
    await scene.net.pass(2 * limits.pendingMs + 1_000);
    const { cause } = scene.story("waits");
    expect(cause).toMatchObject({ flag: "UO", machine: "b" });
    expect(cause?.detail).toContain("limits.connectionsPerEndpoint");
    expect(shown(scene, "waits")).toMatch(/^ +streams +1 event stream open now: each holds its place/m);
  });

  test("names the route that it took, why the others lost, and what both sides saw", async () => {
    const beta = { path: { type: "PathPrefix", value: "/" }, method: null } as const;
    const scene = await WhyScene.start({
      web: {
        routes: [
          routeOf("other", { path: "/v2" }),
          routeOf("beta", {
            match: { ...beta, headers: [{ type: "Exact", name: "x-user", value: "beta" }] },
          }),
          routeOf("v1", { path: "/v1" }),
          routeOf("all"),
        ],
      },
    });
    await scene.call("r-1");
    const text = shown(scene, "r-1");
    expect(text).toContain("caller.default -> web.default: GET /v1/x (HTTP/1.1), 200 after");
    expect(text).toContain("It ended well.");
    expect(text).toMatch(/route +v1\n/);
    expect(text).toContain("not other: it takes /v2 and below, not /v1/x\n");
    expect(text).toContain("not beta: a header did not fit: x-user: beta\n");
    expect(text).toContain("not all: it fits too, and comes later\n");
    expect(text).toContain(`${idOf("caller")} -> ${idOf("web")}, mutual TLS`);
    expect(text).toMatch(/endpoints +b\/web\.default\/\d+: ready now, 0 under way, load /);
    expect(text).toMatch(/limits +0 of \d+ requests under way, nobody waits; \d+ retries left/);
    expect(text).toMatch(/callee +on b: 200 after/);
    expect(text).toMatch(/access +allow by default/);
  });

  test("is plain text, whatever its client and its policies say", async () => {
    const nasty = "\u001b[2J\u009b1m\u202e";
    const scene = await WhyScene.start({
      web: { policies: [bound] },
      policies: deciding({
        do: "next",
        edits: { remove: [], set: [], add: [] },
        target: null,
        records: [{ ...record, action: "next", failure: null, reason: `${nasty}\nAt fault: nobody` }],
      }),
    });
    await scene.call("r-1", `GET /${"%1b[2J".repeat(2_000)} HTTP/1.1`);
    const text = shown(scene, "r-1");
    expect(text).not.toMatch(/[^\x20-\x7e\n]/);
    expect(text).not.toMatch(/^At fault: nobody/m);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(2_000);
  });

  test("is a request that goes on, too", async () => {
    const scene = await WhyScene.start({ app: () => {} });
    await scene.call("r-1");
    expect(shown(scene, "r-1")).toContain("It is under way.");
  });
});

test("the answer of an app is not held against it when it is good", async () => {
  const scene = await WhyScene.start({
    app: (step, socket) =>
      step === "whole" ? void socket.write(bytesOf(okAnswer.replace("200 OK", "404 Not"))) : undefined,
  });
  await scene.call("r-1");
  expect(scene.story("r-1").cause).toBeNull();
});

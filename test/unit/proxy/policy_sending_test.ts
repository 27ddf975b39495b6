/** How a request is sent because a policy says so: retries, hedging and copies of the mesh, set for this one. Through planes in memory. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import type { TrafficTraits } from "../../../src/model/traffic.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { testMs } from "../../support/patience.ts";
import { named, Planes, type DestinationPlan, type TestMachine } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { bytesOf } from "../../support/wire.ts";

setDefaultTimeout(testMs);

/** What apps do with the n-th request that any of them gets: a status to answer, or nothing. */
type Acts = readonly (number | "silent")[];

class Scene {
  readonly net = new MemoryNet();
  readonly policies = new ScriptedPolicies();
  sent = 0;
  planes!: Planes;
  shadow!: MemoryApp;

  static async start(
    acts: Acts,
    decision: object,
    web: DestinationPlan = {},
    side = "caller",
  ): Promise<Scene> {
    const scene = new Scene();
    const { net, policies } = scene;
    const app = (does: () => number | "silent") =>
      new MemoryApp(net, {
        at(step, socket: Socket) {
          const act = step === "whole" ? does() : "silent";
          if (act !== "silent")
            void socket.write(bytesOf(`HTTP/1.1 ${act} X\r\ncontent-length: 2\r\n\r\nok`));
        },
      });
    const webs = [0, 1].map(() => app(() => acts[Math.min(scene.sent++, acts.length - 1)] ?? "silent"));
    scene.shadow = app(() => 200);
    const chain = createPolicyChain(policies, net.clock);
    scene.planes = await Planes.inMemory(
      net,
      { name: "a", services: { caller: { app: 9, upstreams: ["web"] } }, policies: chain },
      ...webs.map(({ port }, at) => ({
        ...{ name: `web-${at}`, services: { web: { app: port } } },
        policies: chain,
      })),
      { name: "s", services: { shadow: { app: scene.shadow.port } } },
    );
    policies.says = { onRequest: decision };
    const bindings = [policies.binding({ to: "shadow", gone: "ghost" }, ["onRequest"])];
    const attached = side === "caller" ? { policies: bindings } : { serverPolicies: bindings };
    scene.planes.apply({ caller: {}, shadow: {}, web: { ...attached, ...web } });
    return scene;
  }

  get caller(): TestMachine {
    return this.planes.machine("a");
  }

  /** The status that the app gets; 0: none within `passMs`. */
  async call(head = "GET /x", passMs = 1_000): Promise<number> {
    const request = `${head} HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: 2\r\n\r\nhi`;
    const call = new MemoryCall(this.net, this.caller.port("caller", "web"), [request]);
    await this.net.settle();
    await this.net.pass(passMs);
    return call.text === "" ? 0 : call.answer.status;
  }
}

const retries = (said: object) => ({ do: "next", retries: said });

describe("retries of a policy", () => {
  test("send a request again after a status that nothing else names", async () => {
    const scene = await Scene.start([503, 503, 200], retries({ attempts: 2, codes: [503] }));
    expect([await scene.call(), scene.sent]).toEqual([200, 3]);
    const plain = await Scene.start([503, 200], { do: "next" });
    expect([await plain.call(), plain.sent]).toEqual([503, 1]);
  });

  test("are in place of those of the service, none included", async () => {
    const traffic: TrafficTraits = { retries: { attempts: 3, codes: [503] } };
    const none = await Scene.start([503, 200], retries({ attempts: 0 }), { traffic });
    expect([await none.call(), none.sent]).toEqual([503, 1]);
    const others = await Scene.start([503, 200], retries({ codes: [500] }), { traffic });
    expect([await others.call(), others.sent]).toEqual([503, 1]);
  });

  test("hold for the service that the policy routes to, and under what its route says", async () => {
    const backend = { service: named("web"), subset: null, weight: 1, invalid: null };
    const match = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] } as const;
    const route: CompiledRoute = {
      ...{ name: "r/1", match, requestTimeoutMs: null, idempotent: false, policies: [] },
      ...{ retry: { attempts: 0, codes: [503] }, backends: [backend] },
    };
    const scene = await Scene.start([503, 200], retries({ attempts: 1 }), { routes: [route] });
    expect([await scene.call(), scene.sent]).toEqual([200, 2]);
    const routed = await Scene.start([503], {
      ...{ do: "route", service: "shadow", retries: { attempts: 1, codes: [503] } },
    });
    expect(await routed.call()).toBe(200);
    expect(routed.shadow.requests).toHaveLength(1);
  });

  test("repeat what is not idempotent only where the policy says that it may be", async () => {
    const said = { attempts: 1, codes: [503] };
    const unsafe = await Scene.start([503, 200], retries(said));
    expect([await unsafe.call("POST /x"), unsafe.sent]).toEqual([503, 1]);
    const keyed = await Scene.start([503, 200], retries({ ...said, idempotent: true }));
    expect([await keyed.call("POST /x"), keyed.sent]).toEqual([200, 2]);
  });

  test("end an attempt that takes longer than each may", async () => {
    const scene = await Scene.start(["silent", 200], retries({ attempts: 1, perTry: "100ms" }));
    expect([await scene.call("GET /x", 600), scene.sent]).toEqual([200, 2]);
  });

  test("are paid for from the budget of the service", async () => {
    const traffic: TrafficTraits = { retryBudget: { percent: 0, min: 0 } };
    const scene = await Scene.start([503, 200], retries({ attempts: 1, codes: [503] }), { traffic });
    expect([await scene.call(), scene.sent]).toEqual([503, 1]);
  });
});

describe("hedging of a policy", () => {
  test("sends a slow request to a second instance", async () => {
    const scene = await Scene.start(["silent", 200], { do: "next", hedge: "50ms" });
    expect([await scene.call("GET /x", 200), scene.sent]).toEqual([200, 2]);
  });

  test("is off where the policy says so", async () => {
    const traffic: TrafficTraits = { hedging: { delay: "50ms" } };
    const scene = await Scene.start(["silent", 200], { do: "next", hedge: "off" }, { traffic });
    expect([await scene.call("GET /x", 500), scene.sent]).toEqual([0, 1]);
  });
});

describe("a mirror of a policy", () => {
  test("gets the request as it leaves, and nobody its answer", async () => {
    const decision = { do: "next", mirror: "shadow", path: "/y", headers: { set: { "x-a": "1" } } };
    const scene = await Scene.start([200], decision);
    expect([await scene.call("POST /x"), scene.sent]).toEqual([200, 1]);
    const [copy] = scene.shadow.requests;
    expect([copy?.method, copy?.target, copy?.body, copy?.fields.get("x-a")]).toEqual([
      ...["POST", "/y", "hi", "1"],
    ]);
    expect(scene.caller.records.open.size).toBe(0);
  });

  test("gets one copy beside that of the route", async () => {
    const backend = { service: named("web"), subset: null, weight: 1, invalid: null };
    const match = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] } as const;
    const route: CompiledRoute = {
      ...{ name: "r/1", match, requestTimeoutMs: null, idempotent: false, policies: [], backends: [backend] },
      filters: { mirrors: [{ service: named("shadow"), subset: null, share: 1 }] },
    };
    const scene = await Scene.start([200], { do: "next", mirror: "shadow" }, { routes: [route] });
    await scene.call();
    expect(scene.shadow.requests).toHaveLength(2);
  });

  test("that its options do not name is a failure of the policy, and one that is not there gets nothing", async () => {
    const other = await Scene.start([200], { do: "next", mirror: "web" });
    expect(await other.call()).toBe(503);
    expect(other.policies.trips).toEqual(['it mirrors to "web", which its options do not name']);
    const gone = await Scene.start([200], { do: "next", mirror: "ghost" });
    expect([await gone.call(), gone.policies.trips]).toEqual([200, []]);
  });

  test("is none at the server's side", async () => {
    const scene = await Scene.start([200], { do: "next", mirror: "shadow" }, {}, "server");
    expect(await scene.call()).toBe(503);
    expect(scene.policies.trips.join()).toContain("at the server's side");
  });
});

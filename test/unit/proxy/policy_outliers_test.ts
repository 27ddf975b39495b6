/** An instance whose answers say nothing of it, and of which a policy says that it failed: through planes in memory. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { endpointState } from "../../../src/app/endpoint_states.ts";
import { limits } from "../../../src/model/limits.ts";
import type { CircuitBreaking, TrafficTraits } from "../../../src/model/traffic.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { testMs } from "../../support/patience.ts";
import { Planes } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { bytesOf } from "../../support/wire.ts";

setDefaultTimeout(testMs);

const longestPenaltyMs = limits.breakerPenaltyMs * (1 + limits.breakerJitterRatio);

class Scene {
  readonly net = new MemoryNet();
  readonly policies = new ScriptedPolicies();
  /** By instance. */
  readonly got = [0, 0, 0];
  /** Of the answers of the first instance; the others say 200. */
  first = "HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok";
  /** So long each instance takes. */
  answerMs = 0;
  planes!: Planes;

  static async start(circuitBreaking: CircuitBreaking = {}, more: TrafficTraits = {}): Promise<Scene> {
    const scene = new Scene();
    const { net, policies } = scene;
    const answer = (at: number, socket: Socket): void => {
      scene.got[at] = (scene.got[at] ?? 0) + 1;
      const text = at === 0 ? scene.first : "HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok";
      const write = (): void => void socket.write(bytesOf(text));
      if (scene.answerMs === 0) write();
      else net.clock.after(scene.answerMs, write);
    };
    const apps = [0, 1, 2].map(
      (at) => new MemoryApp(net, { at: (step, socket) => step === "whole" && answer(at, socket) }),
    );
    scene.planes = await Planes.inMemory(
      net,
      {
        ...{ name: "a", services: { caller: { app: 9, upstreams: ["web"] } } },
        policies: createPolicyChain(policies, net.clock),
      },
      ...apps.map(({ port }, at) => ({ name: `web-${at}`, services: { web: { app: port } } })),
    );
    const traffic = { balance: { strategy: "round-robin" }, circuitBreaking, ...more } as const;
    const bindings = [policies.binding({}, ["onRequest", "onResponse"])];
    scene.planes.apply({ caller: {}, web: { policies: bindings, traffic } });
    return scene;
  }

  /** What its policy says of the answers of the first instance. */
  says(decision: unknown): void {
    this.policies.says = {
      onResponse: (about: { endpoint: string }) =>
        about.endpoint.startsWith("web-0/") ? decision : { do: "next" },
    };
  }

  async call(count: number): Promise<number[]> {
    const statuses: number[] = [];
    const { port } = this.planes.machine("a");
    for (let at = 0; at < count; at++) {
      const call = new MemoryCall(this.net, port("caller", "web"), ["GET / HTTP/1.1\r\nhost: web\r\n\r\n"]);
      await this.net.settle();
      statuses.push(call.answer.status);
    }
    return statuses;
  }

  get states(): string[] {
    const web = this.planes.machine("a").plane.state?.destinations.get("web.default");
    return [...(web?.endpoints.values() ?? [])].map(endpointState);
  }
}

const all200 = (count: number): number[] => Array(count).fill(200);
const out = ["ejected", "ready", "ready"];

test("an instance of which a policy says so often enough that it failed gets no more, and its answers pass as they came", async () => {
  const scene = await Scene.start();
  scene.says({ do: "next", failed: true });
  expect(await scene.call(40)).toEqual(all200(40));
  expect([scene.got[0], scene.states]).toEqual([limits.breakerStreakMax, out]);
  expect(scene.policies.trips).toEqual([]);
});

test("one of which it says nothing, or that it did not, stays", async () => {
  for (const decision of [{ do: "next" }, { do: "next", failed: false }, new Error("late")]) {
    const scene = await Scene.start();
    scene.policies.onError = "open";
    scene.says(decision);
    expect(await scene.call(40)).toEqual(all200(40));
    expect(scene.states).toEqual(["ready", "ready", "ready"]);
  }
});

test("what is no failure for a policy is one all the same where its status is", async () => {
  const scene = await Scene.start();
  scene.first = "HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\nok";
  scene.says({ do: "next", failed: false });
  await scene.call(40);
  expect([scene.got[0], scene.states]).toEqual([limits.breakerStreakMax, out]);
});

test("an answer between that is none of those begins the count anew", async () => {
  const scene = await Scene.start({ successPercent: 0 });
  let asked = 0;
  scene.policies.says = {
    onResponse: ({ endpoint }: { readonly endpoint: string }) => ({
      do: "next",
      failed: endpoint.startsWith("web-0/") && ++asked % limits.breakerStreakMax !== 0,
    }),
  };
  await scene.call(3 * (limits.breakerStreakMax * 2 - 1));
  expect(scene.states).toEqual(["ready", "ready", "ready"]);
});

test("one that is out comes back by an answer of which the policy says nothing, and not by one that failed", async () => {
  const scene = await Scene.start();
  scene.says({ do: "next", failed: true });
  await scene.call(40);
  await scene.net.pass(longestPenaltyMs);
  await scene.call(10);
  expect([scene.got[0], scene.states]).toEqual([limits.breakerStreakMax + 1, out]);
  scene.says({ do: "next" });
  await scene.net.pass(2 * longestPenaltyMs);
  await scene.call(10);
  expect(scene.states).toEqual(["ready", "ready", "ready"]);
});

test("a client that leaves while the policy decides takes nothing from what it says", async () => {
  const scene = await Scene.start();
  scene.says({ do: "next", failed: true });
  scene.policies.later.add("onResponse");
  const { port } = scene.planes.machine("a");
  for (let at = 0; at < 3 * limits.breakerStreakMax; at++) {
    const call = new MemoryCall(scene.net, port("caller", "web"), ["GET / HTTP/1.1\r\nhost: web\r\n\r\n"]);
    await scene.net.settle();
    call.leave();
    await scene.net.settle();
    scene.policies.release();
    await scene.net.settle();
  }
  expect(scene.states).toEqual(out);
});

/** What policies hear of how long it took, in all and its instance. */
function timesHeard(scene: Scene): (readonly [endpoint: string, ms: number, instanceMs: number])[] {
  const heard: (readonly [string, number, number])[] = [];
  scene.policies.says = {
    onResponse: (about: { endpoint: string; ms: number; instanceMs: number }) => {
      heard.push([about.endpoint.slice(0, 5), about.ms, about.instanceMs]);
      return { do: "next" };
    },
  };
  return heard;
}

test("how long an instance took is told without the time of another one that was tried before it", async () => {
  const scene = await Scene.start({}, { timeouts: { perTryMs: 500 }, retries: { on: ["timeout"] } });
  scene.first = "";
  const heard = timesHeard(scene);
  const { port } = scene.planes.machine("a");
  for (let at = 0; at < 3; at++) {
    const call = new MemoryCall(scene.net, port("caller", "web"), ["GET / HTTP/1.1\r\nhost: web\r\n\r\n"]);
    await scene.net.settle();
    await scene.net.pass(1_000);
    expect(call.answer.status).toBe(200);
  }
  const [slow] = heard.filter(([, ms]) => ms >= 500);
  expect(slow?.[0]).not.toBe("web-0");
  expect(slow?.[2]).toBeLessThan(500);
});

test("how long an instance took is told without the time that its client took to send the request", async () => {
  const scene = await Scene.start();
  scene.answerMs = 300;
  const heard = timesHeard(scene);
  const { port } = scene.planes.machine("a");
  const head = "POST / HTTP/1.1\r\nhost: web\r\ncontent-length: 4\r\n\r\nab";
  const call = new MemoryCall(scene.net, port("caller", "web"), [head]);
  await scene.net.settle();
  await scene.net.pass(5_000);
  call.send("cd");
  await scene.net.settle();
  await scene.net.pass(400);
  expect(call.answer.status).toBe(200);
  const [[, ms = 0, instanceMs = Infinity] = []] = heard;
  expect(ms).toBeGreaterThanOrEqual(5_300);
  expect(instanceMs).toBeGreaterThanOrEqual(300);
  expect(instanceMs).toBeLessThan(1_000);
});

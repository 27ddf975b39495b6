/** What goes first when not all can be served, on the compiled binary: a proxy that is late, and an app that is full. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { ports } from "../../src/model/ports.ts";
import { addressOf } from "../support/addresses.ts";
import { callByName, callUrl, type Answer } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
kind: HTTPRoute
name: web
service: web
rules:
  - {name: vital, match: {path: /vital}, priority: critical}
  - {name: later, match: {path: /later}, priority: background}
  - {name: usual}
---
{kind: Service, name: full, port: 80, protocol: http}
---
kind: HTTPRoute
name: full
service: full
rules:
  - {name: vital, match: {path: /vital}, priority: critical}
  - {name: usual}
---
kind: Traffic
name: full
service: full
concurrency: {max: 1, pending: 2, pendingWait: 50s}
retries: {attempts: 0}
`;

describe.skipIf(binaryMissing)("requests that matter less", () => {
  const host = addressOf(97);
  /** What the app that serves one at a time has got, in that order, and not answered. */
  const held: { readonly path: string; readonly answer: () => void }[] = [];
  let server: ReturnType<typeof Bun.serve>;
  let mesh: Mesh;

  beforeAll(async () => {
    server = Bun.serve({
      hostname: host,
      port: 8_080,
      fetch: ({ url }) =>
        new Promise<Response>((resolve) => {
          held.push({ path: new URL(url).pathname, answer: () => resolve(new Response("")) });
        }),
    });
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [{ service: "caller", app: "none", calls: { web: "by-name", full: "by-name" } }],
        },
        { name: "vm-b", services: [{ service: "web" }, { service: "full", host, port: 8_080 }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    for (const { answer } of held) answer();
    await mesh?.stop();
    await server.stop(true);
  });

  const call = (to: string, path: string): Promise<Answer> =>
    callByName(mesh.machine("vm-a"), "caller", to, { path });
  const metrics = async (machine: string): Promise<string> =>
    (await callUrl(`http://${mesh.machine(machine).address}:${ports.admin}/metrics`)).text;

  /** A machine that is busy itself may shed before it is held back. */
  const served = (): Promise<true> =>
    waitFor("all are served", async () => (await call("web", "/later")).status === 200 || null);

  /** Until it is called back, the event loop of that proxy stands still most of the time. */
  function holdBack(machine: string): () => Promise<void> {
    const { proxy } = mesh.machine(machine);
    let goesOn = true;
    const holding = (async () => {
      while (goesOn) {
        proxy.signal("SIGSTOP");
        await Bun.sleep(4 * limits.shedDelayMs);
        proxy.signal("SIGCONT");
        await Bun.sleep(limits.shedDelayMs / 2);
      }
    })();
    return async () => {
      goesOn = false;
      await holding;
    };
  }

  test(
    "are refused by a proxy whose event loop is late, with the limit that says so, while all others pass",
    async () => {
      await served();
      const letGo = holdBack("vm-a");
      try {
        const refused = await waitFor("the proxy sheds", async () => {
          const answer = await call("web", "/later");
          return answer.status === 503 ? answer : null;
        });
        expect(refused.headers.get("x-heddle-error")).toStartWith("OM/");
        expect(refused.headers.get("x-heddle-error")).toContain("background");
        for (const path of ["/vital", "/usual"]) expect((await call("web", path)).status).toBe(200);
        const seen = await metrics("vm-a");
        expect(seen).toMatch(/heddle_limit_trips_total\{limit="shedDelayMs",listener="[^"]*"\} [1-9]/);
        for (const [priority, served] of [
          ["critical", 1],
          ["default", 1],
          ["background", 0],
        ])
          expect(seen).toContain(`heddle_priorities_served{priority="${priority}"} ${served}\n`);
      } finally {
        await letGo();
      }
      expect(mesh.machine("vm-a").proxy.output()).toContain("ms late (shedDelayMs)");
      await served();
    },
    testMs,
  );

  test(
    "give way in the line before an app that is full, and what matters most is served first",
    async () => {
      const first = call("full", "/usual");
      await waitFor("the app is full", () => held.length === 1 || null);
      const ended: string[] = [];
      const wait = (path: string): Promise<Answer> => {
        const answer = call("full", path);
        void answer.then(({ status }) => ended.push(`${path} ${status}`));
        return answer;
      };
      const waiting = async (count: number): Promise<void> =>
        void (await waitFor(`${count} wait`, async () => {
          const found = /heddle_concurrency_requests\{service="full.default",state="waiting"\} (\d+)/.exec(
            await metrics("vm-b"),
          );
          return Number(found?.[1] ?? 0) === count || null;
        }));
      const one = wait("/usual/1");
      await waiting(1);
      const two = wait("/usual/2");
      await waiting(2);
      const vital = wait("/vital");
      const turnedAway = await waitFor("one of them gave way", () => ended[0] ?? null);
      expect(turnedAway).toMatch(/^\/usual\/[12] 503$/);
      for (let at = 0; at < 3; at++) {
        await waitFor("the app has the next one", () => held.length > at || null);
        held[at]?.answer();
      }
      expect((await first).status).toBe(200);
      expect((await vital).status).toBe(200);
      expect([(await one).status, (await two).status].sort()).toEqual([200, 503]);
      expect(held.map(({ path }) => path.replace(/\/\d$/, ""))).toEqual(["/usual", "/vital", "/usual"]);
    },
    testMs,
  );
});

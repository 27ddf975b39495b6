/** Session persistence in whole planes in memory: a client comes back to its instance, by two proxies, until that is gone. */
import { describe, expect, test } from "bun:test";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import type { SessionPersistence } from "../../../src/model/traffic.ts";
import { MemoryApp, MemoryCall, type MemoryAnswer } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { named, Planes, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const sessionKey = Buffer.alloc(32, 3).toString("base64");

/** Two machines of `caller`, a and b, and four instances of `web`, each of which says which one it is. */
async function meshOf(rules: SessionPersistence = {}, web: DestinationPlan = {}) {
  const net = new MemoryNet();
  const status = { of: 200 };
  const apps = Array.from(
    { length: 4 },
    (_, at) =>
      new MemoryApp(net, {
        at: (step, socket) => {
          if (step !== "whole") return;
          const head = `HTTP/1.1 ${status.of} X\r\nset-cookie: own=${at}\r\nx-at: ${at}\r\ncontent-length: 2\r\n\r\nok`;
          socket.write(bytesOf(head));
        },
      }),
  );
  const caller = { caller: { app: 9, upstreams: ["web"] } };
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: caller },
    { name: "b", services: caller },
    ...apps.map(({ port }, at) => ({ name: `web-${at}`, services: { web: { app: port } } })),
  );
  const apply = (changes: DestinationPlan = {}): void => {
    const traffic = { sessionPersistence: { type: "Cookie", ...rules } } as const;
    planes.apply({ caller: {}, web: { traffic, sessionKey, ...web, ...changes } });
  };
  apply();
  const call = async (lines: readonly string[] = [], machine = "a"): Promise<MemoryAnswer> => {
    const head = ["GET /x HTTP/1.1", "host: web.mesh", ...lines, "", ""].join("\r\n");
    const made = new MemoryCall(net, planes.machine(machine).port("caller", "web"), [head]);
    await net.settle();
    return made.answer;
  };
  return { net, planes, apps, status, apply, call };
}

const at = ({ fields }: MemoryAnswer): number => Number(fields.get("x-at"));
/** The last Set-Cookie of an answer, which is heddle's own where there is one. */
const pairOf = ({ fields }: MemoryAnswer): string => fields.get("set-cookie")?.split(";")[0] ?? "";
const keeps = (pair: string): string[] => [`cookie: theme=dark; ${pair}`];

describe("a client that has the cookie of its session", () => {
  test("comes back to its instance fifty times, through the proxy of either machine, and gets no further cookie", async () => {
    const mesh = await meshOf();
    const first = await mesh.call();
    expect(pairOf(first)).toMatch(/^heddle-web=/);
    for (let time = 0; time < 50; time++) {
      const again = await mesh.call(keeps(pairOf(first)), time % 2 === 0 ? "a" : "b");
      expect(at(again)).toBe(at(first));
      expect(pairOf(again)).toBe(`own=${at(first)}`);
    }
  });

  test("has one of its own for each client: those without are spread", async () => {
    const mesh = await meshOf();
    const seen = new Set<number>();
    for (let client = 0; client < 8; client++) seen.add(at(await mesh.call()));
    expect(seen.size).toBe(4);
  });

  test("goes to another instance once its own is gone, and stays there", async () => {
    const mesh = await meshOf();
    const first = await mesh.call();
    mesh.apply({ unready: [`web-${at(first)}`] });
    const second = await mesh.call(keeps(pairOf(first)));
    expect(at(second)).not.toBe(at(first));
    expect(pairOf(second)).toMatch(/^heddle-web=/);
    mesh.apply();
    expect(at(await mesh.call(keeps(pairOf(second))))).toBe(at(second));
  });

  test("goes elsewhere while its instance is ejected, whatever its cookie says", async () => {
    const mesh = await meshOf();
    const first = await mesh.call();
    mesh.apps[at(first)]?.kill();
    for (let time = 0; time < 10; time++) {
      const answer = await mesh.call(keeps(pairOf(first)));
      expect([answer.status, at(answer) === at(first)]).toEqual([200, false]);
    }
    const { ejections } = mesh.planes.machine("a").records;
    expect(ejections).toHaveLength(1);
  });

  test("gets a new session in place of a forged one, and reaches no other service by it", async () => {
    const mesh = await meshOf();
    for (const forged of ["heddle-web=bm90aGluZw", "heddle-web=web-0/web.default/8080"]) {
      const answer = await mesh.call(keeps(forged));
      expect([answer.status, pairOf(answer).startsWith("heddle-web=")]).toEqual([200, true]);
    }
  });

  test("gets a new one when its time is over", async () => {
    const mesh = await meshOf({ absoluteTimeoutMs: 60_000 });
    const first = await mesh.call();
    await mesh.net.pass(30_000);
    expect(at(await mesh.call(keeps(pairOf(first))))).toBe(at(first));
    await mesh.net.pass(31_000);
    expect(pairOf(await mesh.call(keeps(pairOf(first))))).toMatch(/^heddle-web=/);
  });

  test("stays with its backend when that gets no new clients any more", async () => {
    const labels = { "web-0": { version: "v1" }, "web-1": { version: "v2" } };
    const subsets = { v1: { version: "v1" }, v2: { version: "v2" } };
    const route = (v1: number, v2: number): CompiledRoute => ({
      name: "split",
      match: { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] },
      backends: [
        { service: named("web"), subset: "v1", weight: v1, invalid: null },
        { service: named("web"), subset: "v2", weight: v2, invalid: null },
      ],
      requestTimeoutMs: null,
      idempotent: false,
      policies: [],
    });
    const mesh = await meshOf({}, { labels, subsets, routes: [route(1, 0)] });
    const first = await mesh.call();
    expect(at(first)).toBe(0);
    mesh.apply({ routes: [route(0, 1)] });
    expect(at(await mesh.call())).toBe(1);
    expect(at(await mesh.call(keeps(pairOf(first))))).toBe(0);
    // What the route leads nowhere near is nobody's session.
    mesh.apply({ routes: [{ ...route(0, 1), backends: route(0, 1).backends.slice(1) }] });
    expect(at(await mesh.call(keeps(pairOf(first))))).toBe(1);
  });
});

describe("a rule that says what its sessions are", () => {
  const ruleOf = (
    name: string,
    path: string,
    sessionPersistence?: CompiledRoute["sessionPersistence"],
  ): CompiledRoute => ({
    name: `web/${name}`,
    match: { path: { type: "PathPrefix", value: path }, method: null, headers: [] },
    backends: [{ service: named("web"), subset: null, weight: 1, invalid: null }],
    requestTimeoutMs: null,
    idempotent: false,
    policies: [],
    ...(sessionPersistence === undefined ? {} : { sessionPersistence }),
  });

  test("goes before the service, which other rules go by", async () => {
    const rules = [ruleOf("own", "/x", { type: "Header", sessionName: "sid" }), ruleOf("other", "/")];
    const mesh = await meshOf({ sessionName: "service" }, { routes: rules });
    const first = await mesh.call();
    const token = first.fields.get("sid");
    expect(pairOf(first)).toBe(`own=${at(first)}`);
    for (let time = 0; time < 10; time++) expect(at(await mesh.call([`sid: ${token}`]))).toBe(at(first));
    mesh.apply({ routes: rules.slice(1) });
    expect(pairOf(await mesh.call())).toStartWith("service=");
  });

  test("has none where it says so, though its service has", async () => {
    const mesh = await meshOf({}, { routes: [ruleOf("none", "/", { type: "None" })] });
    expect(pairOf(await mesh.call())).toMatch(/^own=/);
  });

  test("shares none with another rule, though both lead to the same instances under the same name", async () => {
    const cookie = { type: "Cookie", sessionName: "sid" } as const;
    const mesh = await meshOf({ type: "None" }, { routes: [ruleOf("one", "/x", cookie)] });
    const first = await mesh.call();
    mesh.apply({ routes: [ruleOf("two", "/x", cookie)] });
    const other = await mesh.call(keeps(pairOf(first)));
    expect(pairOf(other)).toStartWith("sid=");
    mesh.apply({ routes: [ruleOf("one", "/x", cookie)] });
    expect(pairOf(await mesh.call(keeps(pairOf(first))))).toBe(`own=${at(first)}`);
  });
});

describe("the answer", () => {
  test("keeps the cookies of the app, errors too", async () => {
    const mesh = await meshOf();
    mesh.status.of = 404;
    const port = mesh.planes.machine("a").port("caller", "web");
    const raw: string[] = [];
    mesh.net.connect(
      { host: "127.0.0.1", port, timeoutMs: 1_000 },
      {
        opened: (socket) => {
          socket.write(bytesOf("GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"));
          return {
            data: (chunk) => void raw.push(Buffer.from(chunk).toString("latin1")),
            drain() {},
            end() {},
            close() {},
          };
        },
        failed() {},
      },
    );
    await mesh.net.settle();
    expect(raw.join("").match(/set-cookie: /g)).toHaveLength(2);
    expect(raw.join("")).toMatch(/set-cookie: own=\d\r\n/);
  });

  test("has nothing of a session where heddle itself says that there is no instance", async () => {
    const mesh = await meshOf({}, { unready: ["web-0", "web-1", "web-2", "web-3"] });
    const answer = await mesh.call();
    expect([answer.status, answer.fields.has("set-cookie")]).toEqual([503, false]);
  });

  test("has a header in place of the cookie where the document says so", async () => {
    const mesh = await meshOf({ type: "Header", sessionName: "X-Session" });
    const first = await mesh.call();
    const token = first.fields.get("x-session");
    expect(pairOf(first)).toBe(`own=${at(first)}`);
    for (let time = 0; time < 10; time++)
      expect(at(await mesh.call([`x-session: ${token}`]))).toBe(at(first));
  });

  test("has nothing of a session with a key that is none", async () => {
    const mesh = await meshOf({}, { sessionKey: "no key" });
    expect(pairOf(await mesh.call())).toMatch(/^own=/);
  });
});

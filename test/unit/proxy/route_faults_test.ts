/** Mirrors, faults and CORS of routes, on requests through planes in memory. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { RouteFilters, RouteMatch } from "../../../src/model/document.ts";
import { limits } from "../../../src/model/limits.ts";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import { MemoryApp, MemoryCall, type AppRequest } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { testMs } from "../../support/patience.ts";
import { named, Planes, type TestMachine } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

setDefaultTimeout(testMs);

interface Scene {
  readonly net: MemoryNet;
  readonly caller: TestMachine;
  readonly web: AppRequest[];
  readonly copies: AppRequest[];
  ask(request: string): Promise<MemoryCall>;
}

/** `mirrorAt`: the mirror's machine; `a` is the caller's own. */
async function sceneOf(
  filters: RouteFilters,
  { mirrorAt = "b", mirrorAnswers = true, mirrorPort = 0 } = {},
): Promise<Scene> {
  const net = new MemoryNet();
  const answering = (wanted: boolean) =>
    new MemoryApp(net, {
      at: (step, socket) =>
        void (
          step === "whole" &&
          wanted &&
          socket.write(
            bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\naccess-control-allow-origin: *\r\n\r\nok"),
          )
        ),
    });
  const [web, shadow] = [answering(true), answering(mirrorAnswers)];
  const shadowAt = { shadow: { app: mirrorPort || shadow.port } };
  const planes = await Planes.inMemory(
    net,
    {
      name: "a",
      services: { caller: { app: 9, upstreams: ["web"] }, ...(mirrorAt === "a" ? shadowAt : {}) },
    },
    { name: "b", services: { web: { app: web.port }, ...(mirrorAt === "b" ? shadowAt : {}) } },
  );
  const match: RouteMatch = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] };
  const backend = { service: named("web"), subset: null, weight: 1, invalid: null };
  const route: CompiledRoute = {
    ...{ name: "r/1", match, requestTimeoutMs: null, idempotent: false, policies: [], filters },
    backends: [{ ...backend, filters: { requestHeaders: { remove: [], set: ["x-backend", "1"], add: [] } } }],
  };
  planes.apply({ caller: {}, web: { routes: [route] }, shadow: {} });
  const caller = planes.machine("a");
  const ask = async (request: string): Promise<MemoryCall> => {
    const call = new MemoryCall(net, caller.port("caller", "web"), [request]);
    await net.settle();
    return call;
  };
  return { net, caller, web: web.requests, copies: shadow.requests, ask };
}

const mirror = (share = 1): RouteFilters => ({
  requestHeaders: { remove: [], set: ["x-team", "blue"], add: [] },
  mirrors: [{ service: named("shadow"), subset: null, share }],
});

describe("a mirror", () => {
  for (const mirrorAt of ["a", "b"])
    test(`on machine ${mirrorAt} gets the request as its route leaves it, with its body, under an id of its own`, async () => {
      const scene = await sceneOf(mirror(), { mirrorAt });
      const call = await scene.ask(
        "POST /x?y HTTP/1.1\r\nhost: web\r\nx-request-id: q1\r\ncontent-length: 5\r\n\r\nhello",
      );
      expect(call.answer.status).toBe(200);
      const [copy] = scene.copies;
      expect([copy?.method, copy?.target, copy?.body]).toEqual(["POST", "/x?y", "hello"]);
      expect(copy?.fields.get("x-team")).toBe("blue");
      expect(copy?.fields.get("x-request-id")).toBe("q1-mirror");
      // What is of the share of one backend alone is not of the mirror.
      expect(copy?.fields.has("x-backend")).toBe(false);
      expect(scene.web[0]?.fields.get("x-request-id")).toBe("q1");
      expect(scene.caller.records.open.size).toBe(0);
      const routes = scene.caller.records.of("outbound").map(({ service, route }) => `${service} ${route}`);
      expect(routes.sort()).toEqual(["shadow.default r/1 mirror", "web.default r/1"]);
    });

  test("gets none where the share is none, and about its share else", async () => {
    const none = await sceneOf(mirror(0));
    const some = await sceneOf(mirror(0.25));
    for (let at = 0; at < 200; at++) {
      await none.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
      await some.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    }
    expect(none.copies).toHaveLength(0);
    expect(some.copies.length).toBeGreaterThan(20);
    expect(some.copies.length).toBeLessThan(90);
  });

  test("that never answers delays nobody, and is cancelled when its time is over", async () => {
    const scene = await sceneOf(mirror(), { mirrorAnswers: false });
    const call = await scene.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    expect(call.answer.status).toBe(200);
    expect(scene.caller.records.open.size).toBe(1);
    await scene.net.pass(limits.mirrorMs + 1_000);
    expect(scene.caller.records.open.size).toBe(0);
    expect(scene.caller.records.all.at(-1)?.outcome?.flag).toBe("UT");
  });

  test("whose app is gone fails nobody", async () => {
    const scene = await sceneOf(mirror(), { mirrorPort: 1 });
    const call = await scene.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    expect(call.answer.status).toBe(200);
    expect(scene.caller.records.open.size).toBe(0);
  });

  test("gets no request whose body is longer than the bound, known or not, and that is counted", async () => {
    const body = "x".repeat(limits.mirrorBodyBytesMax + 1);
    const chunked = `POST / HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    for (const request of [
      `POST / HTTP/1.1\r\nhost: web\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      chunked,
    ]) {
      const scene = await sceneOf(mirror());
      const call = await scene.ask(request);
      expect(call.answer.status).toBe(200);
      expect(scene.web[0]?.body.length).toBe(body.length);
      expect(scene.copies).toHaveLength(0);
      expect(scene.caller.records.limits).toContain("mirrorBodyBytesMax");
    }
  });

  test("gets no more copies at a time than the bound, and goes on when they are over", async () => {
    const scene = await sceneOf(mirror(), { mirrorAnswers: false });
    for (let at = 0; at <= limits.mirrorsMax; at++) await scene.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    expect(scene.caller.records.limits).toContain("mirrorsMax");
    await scene.net.pass(limits.mirrorMs + 1_000);
    const before = scene.caller.records.limits.length;
    await scene.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    expect(scene.caller.records.limits).toHaveLength(before);
  });
});

describe("a fault", () => {
  test("answers in the place of the service, with the flag FI", async () => {
    const scene = await sceneOf({ fault: { abort: { status: 503, share: 1 } } });
    const { answer } = await scene.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    expect(answer.status).toBe(503);
    expect(scene.web).toHaveLength(0);
    expect(scene.caller.records.all[0]?.outcome?.flag).toBe("FI");
  });

  test("lets a request wait, which goes on then", async () => {
    const scene = await sceneOf({ fault: { delay: { ms: 2_000, share: 1 } } });
    const call = await scene.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    expect(scene.web).toHaveLength(0);
    await scene.net.pass(1_900);
    expect(scene.web).toHaveLength(0);
    await scene.net.pass(200);
    expect(scene.web).toHaveLength(1);
    expect(call.answer.status).toBe(200);
  });

  test("is for its share of the requests alone", async () => {
    const scene = await sceneOf({ fault: { abort: { status: 500, share: 0.3 } } });
    const statuses: number[] = [];
    for (let at = 0; at < 200; at++)
      statuses.push((await scene.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n")).answer.status);
    const failed = statuses.filter((status) => status === 500).length;
    expect(failed).toBeGreaterThan(30);
    expect(failed).toBeLessThan(100);
  });

  test("that waits ends when its client leaves", async () => {
    const scene = await sceneOf({ fault: { delay: { ms: 2_000, share: 1 } } });
    const call = await scene.ask("GET / HTTP/1.1\r\nhost: web\r\n\r\n");
    call.leave();
    await scene.net.pass(5_000);
    expect(scene.web).toHaveLength(0);
    expect(scene.caller.records.open.size).toBe(0);
  });
});

describe("CORS of a route", () => {
  const cors = { credentials: false, methods: [], headers: [], expose: [], maxAgeS: 5 };
  const get = (origin: string) => `GET / HTTP/1.1\r\nhost: web\r\norigin: ${origin}\r\n\r\n`;

  test("answers preflight requests itself, and stands over what the app says", async () => {
    const scene = await sceneOf({ cors: { ...cors, origins: ["https://a.example"] } });
    const asked = "origin: https://a.example\r\naccess-control-request-method: PUT";
    const preflight = await scene.ask(`OPTIONS / HTTP/1.1\r\nhost: web\r\n${asked}\r\n\r\n`);
    expect(preflight.answer.status).toBe(200);
    expect(preflight.answer.fields.get("access-control-allow-origin")).toBe("https://a.example");
    expect(scene.web).toHaveLength(0);
    const own = (await scene.ask(get("https://a.example"))).text.match(/access-control-allow-origin: .*/gi);
    expect(own).toEqual(["access-control-allow-origin: https://a.example"]);
    const foreign = await scene.ask(get("https://b.example"));
    expect(foreign.answer.status).toBe(200);
    expect(foreign.text).not.toMatch(/access-control-allow-origin/i);
  });
});

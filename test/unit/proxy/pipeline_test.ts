/** One request on its way through whole planes in memory: where it goes, what is added and left out, what is remembered. */
import { describe, expect, test } from "bun:test";
import type { PolicyChain, PolicyVerdict } from "../../../src/policy/chain.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { MemoryApp, MemoryCall, type MemoryAnswer } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import {
  idOf,
  named,
  openAccess,
  Planes,
  type DestinationPlan,
  type MachinePlan,
} from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

interface Mesh {
  readonly net: MemoryNet;
  readonly planes: Planes;
  readonly apps: readonly MemoryApp[];
  /** Sends a request from machine a and waits for what comes of it. */
  call(head?: string): Promise<MemoryAnswer>;
}

/** `caller` on machine a, `web` on b and c. */
async function meshOf(web: DestinationPlan = {}, a: Partial<MachinePlan> = {}): Promise<Mesh> {
  const net = new MemoryNet();
  const app = (): MemoryApp =>
    new MemoryApp(net, { at: (step, socket) => void (step === "whole" && socket.write(bytesOf(ok))) });
  const apps = [app(), app()];
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: { caller: { app: 9, upstreams: ["web"] } }, ...a },
    ...["b", "c"].map((name, at) => ({ name, services: { web: { app: apps[at]?.port ?? 0 } } })),
  );
  planes.apply({ caller: {}, web });
  return {
    net,
    planes,
    apps,
    call: async (head = "GET /x HTTP/1.1\r\nhost: web.mesh\r\n") => {
      const call = new MemoryCall(net, planes.machine("a").port("caller", "web"), [`${head}\r\n`]);
      await net.settle();
      return call.answer;
    },
  };
}

const sentTo = ({ apps }: Mesh): number[] => apps.map((app) => app.requests.length);

describe("a request", () => {
  test("that no route matches reaches nobody", async () => {
    const match = { path: { type: "Exact", value: "/y" }, method: null, headers: [] } as const;
    const backends = [{ service: named("web"), subset: null, weight: 1, invalid: null }];
    const route = { name: "y", match, backends, requestTimeoutMs: null, idempotent: false, policies: [] };
    const mesh = await meshOf({ routes: [route] });
    expect((await mesh.call()).status).toBe(404);
    expect(mesh.planes.machine("a").records.of("outbound")[0]).toMatchObject({
      route: "unmatched",
      outcome: { flag: "NR" },
    });
    expect((await mesh.call("GET /y HTTP/1.1\r\nhost: web.mesh\r\n")).status).toBe(200);
    expect(sentTo(mesh).reduce((sum, each) => sum + each)).toBe(1);
  });

  test("tells the app who called, whatever its client says", async () => {
    const mesh = await meshOf();
    const forged =
      "x-heddle-caller: admin.default\r\nX_Heddle_Caller: admin\r\nx-forwarded-client-cert: By=x\r\n";
    await mesh.call(`GET /x HTTP/1.1\r\nhost: web.mesh\r\n${forged}`);
    const { fields } = mesh.apps.flatMap((app) => app.requests)[0] ?? {};
    expect(fields?.get("x-heddle-caller")).toBe("caller.default");
    expect([...(fields?.keys() ?? [])].filter((name) => /^x[-_](?:heddle|forwarded)/.test(name))).toEqual([
      "x-heddle-caller",
    ]);
  });

  test("that an access rule denies never reaches the app", async () => {
    const deny = [
      { id: "no", mode: "enforce", source: { kind: "exact", value: idOf("caller") }, methods: [], paths: [] },
    ] as const;
    const mesh = await meshOf({ access: { ...openAccess, deny } });
    expect((await mesh.call()).status).toBe(403);
    expect(sentTo(mesh)).toEqual([0, 0]);
    expect(mesh.planes.machine("a").records.of("outbound")[0]?.outcome?.flag).toBe("AD");
  });

  test("goes only to instances that are ready", async () => {
    const mesh = await meshOf({ unready: ["b"] });
    for (let count = 0; count < 8; count++) await mesh.call();
    expect(sentTo(mesh)).toEqual([0, 8]);
  });
});

describe("a policy", () => {
  const deciding = (verdict: PolicyVerdict): PolicyChain => ({
    evaluate: (_all, _call, done) => done(verdict),
  });
  const bound = { hash: "h", binding: "b", options: {} } as never;

  test("adds, replaces and takes away header fields of the request", async () => {
    const edits = { remove: ["x-old"], set: ["x-kind", "new"], add: ["x-more", "two"] };
    const policies = deciding({ do: "next", edits, target: null, records: [] });
    const mesh = await meshOf({ policies: [bound] }, { policies });
    await mesh.call("GET /x HTTP/1.1\r\nhost: web.mesh\r\nx-old: 1\r\nx-kind: old\r\n");
    const { fields } = mesh.apps.flatMap((app) => app.requests)[0] ?? {};
    expect(["x-old", "x-kind", "x-more"].map((name) => fields?.get(name))).toEqual([undefined, "new", "two"]);
  });

  test("writes another path, which the app gets and the record tells", async () => {
    const target = { target: "/v2/x?a=1", path: "/v2/x" };
    const policies = deciding({ do: "next", edits: noEdits, target, records: [] });
    const mesh = await meshOf({ policies: [bound] }, { policies });
    await mesh.call();
    expect(mesh.apps.flatMap((app) => app.requests)[0]?.target).toBe("/v2/x?a=1");
    expect(mesh.planes.machine("b").records.all.concat(mesh.planes.machine("c").records.all)).toMatchObject([
      { path: "/v2/x" },
    ]);
  });

  test("that failed closed lets nothing pass", async () => {
    const outcome = { flag: "PE", side: "policy", repeat: "no", status: 503, detail: "p failed" } as const;
    const mesh = await meshOf(
      { policies: [bound] },
      { policies: deciding({ do: "error", outcome, records: [] }) },
    );
    expect((await mesh.call()).status).toBe(503);
    expect(sentTo(mesh)).toEqual([0, 0]);
  });
});

describe("an endpoint that failed", () => {
  /** Of 20 requests after one that failed at the first endpoint: how many went there. */
  async function share(fail: (mesh: Mesh) => void): Promise<number> {
    const mesh = await meshOf({ balance: "ewma" });
    // Both are known to be quick.
    for (let count = 0; count < 40; count++) await mesh.call();
    expect(Math.min(...sentTo(mesh))).toBeGreaterThan(0);
    fail(mesh);
    let failed = false;
    for (let count = 0; count < 40 && !failed; count++) {
      await mesh.call();
      const [record] = mesh.planes.machine("a").records.of("outbound").slice(-1);
      failed = (record?.attempts.length ?? 0) > 0 || record?.outcome !== null;
    }
    expect(failed).toBe(true);
    const before = mesh.planes.machine("a").records.attempts.length;
    for (let count = 0; count < 20; count++) await mesh.call();
    return mesh.planes
      .machine("a")
      .records.attempts.slice(before)
      .filter((each) => !each.endsWith(" first ok")).length;
  }

  test("is avoided while another one answers, when its app is gone", async () => {
    expect(await share((mesh) => mesh.apps[0]?.kill())).toBe(0);
  });

  test("is avoided while another one answers, when its machine is gone", async () => {
    const fail = (mesh: Mesh): void => void mesh.planes.machine("b").plane.close(0);
    expect(await share(fail)).toBe(0);
  });
});

describe("a new certificate of the caller", () => {
  test("is shown at once, and what was opened with the old one takes nothing new", async () => {
    const mesh = await meshOf({ unready: ["c"] });
    await mesh.call();
    await mesh.call();
    expect(mesh.net.connections).toBe(4);
    const a = mesh.planes.machine("a");
    a.credentials.set("caller.default", await mesh.planes.issue("caller"));
    a.plane.credentialsChanged();
    await mesh.call();
    // One of the client, one to the other machine; the app's own connection is kept.
    expect(mesh.net.connections).toBe(6);
  });

  test("is shown by a connection of its own where a dial was under way with the old one", async () => {
    const mesh = await meshOf({ unready: ["c"] });
    const a = mesh.planes.machine("a");
    const port = a.port("caller", "web");
    const call = new MemoryCall(mesh.net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
    // The client's connection, then the one to the other machine, whose handshake is not over.
    mesh.net.stepUntil(() => mesh.net.connections === 2);
    a.credentials.set("caller.default", await mesh.planes.issue("caller"));
    a.plane.credentialsChanged();
    await mesh.net.settle();
    expect(call.answer.status).toBe(200);
    // Both of these, the new one, and that of the app.
    expect(mesh.net.connections).toBe(4);
  });
});

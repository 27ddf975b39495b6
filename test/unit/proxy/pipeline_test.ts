/** One request on its way through whole planes in memory: where it goes, what is added and left out, what is remembered. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import type { PolicyChain } from "../../../src/policy/chain.ts";
import type { PolicyVerdict } from "../../../src/policy/verdict.ts";
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

interface MeshPlan {
  readonly policies?: PolicyChain;
  /** Where `web` runs; default: on b and c. */
  readonly machines?: readonly string[];
  /** What the first app does with a whole request instead of answering it. */
  readonly first?: (socket: Socket) => void;
}

/** `caller` on machine a, `web` on others. */
async function meshOf(web: DestinationPlan = {}, plan: MeshPlan = {}): Promise<Mesh> {
  const net = new MemoryNet();
  const { machines = ["b", "c"], policies, first } = plan;
  const answers = (socket: Socket): void => void socket.write(bytesOf(ok));
  const apps = machines.map(
    (_, at) =>
      new MemoryApp(net, {
        at: (step, socket) => {
          if (step === "whole") (at === 0 && first !== undefined ? first : answers)(socket);
        },
      }),
  );
  const runs = (name: string): MachinePlan["services"] => {
    const app = apps[machines.indexOf(name)];
    return app === undefined ? {} : { web: { app: app.port } };
  };
  const caller = { caller: { app: 9, upstreams: ["web"] } };
  const others = machines.filter((name) => name !== "a");
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: { ...caller, ...runs("a") }, ...(policies === undefined ? {} : { policies }) },
    ...others.map((name) => ({ name, services: runs(name) })),
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

  for (const where of ["another machine", "its own machine"])
    test(`tells an app on ${where} who called, whatever its client says`, async () => {
      const mesh = await meshOf({}, { machines: [where === "its own machine" ? "a" : "b"] });
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

describe("whoever records", () => {
  for (const machines of [["b"], ["a"]])
    test(`hears of a call to machine ${machines[0]} on both sides when it begins, and when it ends`, async () => {
      let answer = (): void => {};
      const first = (socket: Socket): void => void (answer = () => socket.write(bytesOf(ok)));
      const mesh = await meshOf({}, { machines, first });
      const calling = mesh.call();
      await calling;
      const open = (): string[] =>
        mesh.planes.machines.flatMap(({ records }) =>
          [...records.open].map(({ direction, service, path }) => `${direction} ${service} ${path}`),
        );
      expect(open()).toEqual(["outbound web.default /x", "inbound web.default /x"]);
      answer();
      await mesh.net.settle();
      expect(open()).toEqual([]);
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
  /** Of 20 requests after the first that failed: how many went there again. */
  async function sentAfterFailure(mesh: Mesh, head?: string): Promise<number> {
    const { records } = mesh.planes.machine("a");
    const failures = (): number => records.attempts.filter((each) => !each.endsWith(" ok")).length;
    for (let count = 0; count < 60 && failures() === 0; count++) await mesh.call(head);
    expect(failures()).toBe(1);
    for (let count = 0; count < 20; count++) await mesh.call(head);
    return failures() - 1;
  }

  test("is avoided while another one answers, when its app is gone", async () => {
    const mesh = await meshOf({ balance: "ewma" });
    mesh.apps[0]?.kill();
    expect(await sentAfterFailure(mesh)).toBe(0);
  });

  test("is avoided while another one answers, when its machine is gone", async () => {
    const mesh = await meshOf({ balance: "ewma" });
    void mesh.planes.machine("b").plane.close(0);
    await mesh.net.pass(1_000);
    expect(await sentAfterFailure(mesh)).toBe(0);
  });

  test("is avoided while another one answers, also by what is never sent twice", async () => {
    const mesh = await meshOf({ balance: "ewma" }, { first: (socket) => socket.reset() });
    const head = "POST /x HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: 0\r\n";
    expect(await sentAfterFailure(mesh, head)).toBe(0);
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

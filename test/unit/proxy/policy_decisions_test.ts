/**
 * What policies decide, through data planes: access rules see what the app gets, whoever wrote the path; an answer of a policy
 * leaves its trace, and a failure tells its caller nothing of its inside.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { PolicyBinding } from "../../../src/model/snapshot.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { Answer } from "../../../src/policy/policy_call.ts";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { dialHttp2, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime, type DestinationPlan } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";

/** Targets as apps got them. One that says so is not answered. */
const got: string[] = [];
const app = serve(runtime, (exchange) => {
  got.push(exchange.request.target);
  if (exchange.request.target === "/silent") return exchange.accept(nobody);
  exchange.respond(200, null, noEdits, 0);
  exchange.end(null);
});

const nobody = { data() {}, end() {}, aborted() {}, writable() {} };

/** What the one policy answers next, and how it fails. */
const script = {
  answer: { do: "next" } as unknown,
  onError: "closed" as "open" | "closed",
  trips: [] as string[],
};
const host = {
  refOf: (hash: string) => ({ hash, name: "guide", version: "1", onError: script.onError, cpuMs: 2 }),
  evaluate: (_binding: PolicyBinding, _call: unknown, answer: Answer) =>
    answer({ ok: true, decision: script.answer, us: 1 }),
  trip: (_hash: string, reason: string) => void script.trips.push(reason),
};

const noAdmin = {
  otherwise: "allow",
  deny: [{ id: "no-admin", mode: "enforce", source: { kind: "any" }, methods: [], paths: ["/admin/*"] }],
  allow: [],
} as const;
const policies = [
  {
    hash: "1",
    name: "guide",
    options: { to: ["far-refuse", "far-decode", "here-refuse", "far-keep", "ghost"] },
  },
];
const plan = (change: Partial<DestinationPlan> = {}): DestinationPlan => ({
  protocol: "http2",
  access: noAdmin,
  policies,
  ...change,
});

let planes: Planes;
beforeAll(async () => {
  const apps = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { app: app.port }]));
  planes = await Planes.start(
    {
      name: "a",
      services: { caller: { app: 9 }, ...apps("here-keep", "here-refuse") },
      policies: createPolicyChain(host, runtime.clock),
    },
    { name: "b", services: apps("far-keep", "far-refuse", "far-decode") },
  );
  planes.apply({
    "here-keep": plan(),
    "here-refuse": plan({ escapedSlashes: "refuse" }),
    "far-keep": plan(),
    "far-refuse": plan({ escapedSlashes: "refuse" }),
    "far-decode": plan({ escapedSlashes: "decode" }),
  });
});
afterAll(async () => {
  await planes.close();
  app.close();
});
beforeEach(() => {
  script.trips.length = 0;
  script.onError = "closed";
});

interface Told {
  readonly status: number;
  readonly target: string | null;
  readonly heard: Heard;
  readonly record: ExchangeRecord;
}

async function call(service: string, target: string, answer: unknown, type?: string): Promise<Told> {
  script.answer = answer;
  got.length = 0;
  const { records, port } = planes.machine("a");
  const before = records.of("outbound").length;
  const client = await dialHttp2(runtime, port("caller"));
  const heard = new Heard();
  const edits = type === undefined ? noEdits : { ...noEdits, set: ["content-type", type] };
  client.start(request({ authority: `${service}.mesh`, target }), edits, heard).end(null);
  await until(() => heard.over && records.of("outbound").length > before, "the call is over and recorded");
  client.destroy();
  const record = records.of("outbound").at(-1) as ExchangeRecord;
  return { status: heard.answer?.status ?? 0, target: got[0] ?? null, heard, record };
}

const errorOf = ({ heard }: Told): string => heard.answer?.fields.get("x-heddle-error") ?? "";

for (const place of ["here", "far"]) {
  describe(`a path that a policy writes, to a service that is ${place}`, () => {
    const service = `${place}-keep`;

    test("is normalised before access rules look at it, and they see what the app gets", async () => {
      for (const path of ["/public/../admin/x", "/./admin/x", "/public/%2E./../../admin/x", "/%61dmin/x"]) {
        const told = await call(service, "/", { do: "next", path });
        const refused = path.includes("%2E") ? 503 : 403;
        expect([path, told.status, told.target]).toEqual([path, refused, null]);
      }
      expect(await call(service, "/", { do: "next", path: "/admin/../public?a=../b" })).toMatchObject({
        status: 200,
        target: "/public?a=../b",
      });
    });

    test("that a client would be refused for is a failure of the policy", async () => {
      for (const path of ["/%00", "/a\\..\\admin/x", "/%zz", "/%2e%2e/admin/x", "admin"]) {
        const told = await call(service, "/", { do: "next", path });
        expect([path, told.status, told.target, errorOf(told).slice(0, 3)]).toEqual([path, 503, null, "PE/"]);
        expect(told.record.outcome).toMatchObject({ flag: "PE", side: "policy" });
      }
      expect(script.trips).toHaveLength(5);
      script.onError = "open";
      expect(await call(service, "/as-it-came", { do: "next", path: "/%00" })).toMatchObject({
        status: 200,
        target: "/as-it-came",
      });
    });
  });
}

describe("what an escaped slash is", () => {
  test("the service decides that a policy chose", async () => {
    const routed = (service: string, path?: string) => ({
      do: "route",
      service,
      ...(path === undefined ? {} : { path }),
    });
    const decoded = await call("here-keep", "/a%2Fb", routed("far-decode"));
    expect([decoded.status, decoded.target]).toEqual([200, "/a/b"]);
    const denied = await call("here-keep", "/admin%2Fx", routed("far-decode"));
    expect([denied.status, denied.target]).toEqual([403, null]);
    for (const service of ["far-refuse", "here-refuse"]) {
      const refused = await call("here-keep", "/a%2Fb", routed(service));
      expect([service, refused.status, errorOf(refused).slice(0, 4)]).toEqual([service, 400, "DPE/"]);
      const written = await call("here-keep", "/", routed(service, "/a%2Fb"));
      expect([service, written.status, errorOf(written).slice(0, 3)]).toEqual([service, 503, "PE/"]);
      expect([refused.target, written.target]).toEqual([null, null]);
    }
  });

  test("counts for a path that a policy writes for the service that was called", async () => {
    expect(await call("far-decode", "/", { do: "next", path: "/admin%2Fx" })).toMatchObject({
      status: 403,
      target: null,
    });
    expect(await call("far-decode", "/", { do: "next", path: "/a%2Fb" })).toMatchObject({
      status: 200,
      target: "/a/b",
    });
    expect((await call("far-refuse", "/", { do: "next", path: "/a%2Fb" })).status).toBe(503);
    script.onError = "open";
    expect(await call("far-refuse", "/", { do: "next", path: "/a%2Fb" })).toMatchObject({
      status: 200,
      target: "/",
    });
  });
});

describe("a service that a policy chooses", () => {
  test("must be named in its options", async () => {
    const told = await call("here-keep", "/", { do: "route", service: "here-keep" });
    expect([told.status, told.target, told.record.outcome?.flag]).toEqual([503, null, "PE"]);
    expect((await call("here-keep", "/", { do: "route", service: "far-keep" })).status).toBe(200);
  });

  test("and must be known, or the failure is the policy's, by its name", async () => {
    const told = await call("here-keep", "/", { do: "route", service: "ghost" });
    expect([told.status, told.record.outcome?.flag, told.record.outcome?.side]).toEqual([
      503,
      "PE",
      "policy",
    ]);
    expect(told.heard.body).toContain('the policy "guide" of here-keep.default');
    expect(told.heard.body + errorOf(told)).not.toContain("ghost");
    const reason = "it routes to ghost.default, which is not known here";
    expect(told.record.policies).toMatchObject([{ action: "error", failure: "invalid", reason }]);
  });
});

describe("a time that a policy gives", () => {
  test("ends a request that takes longer, of this service or of another one", async () => {
    for (const answer of [
      { do: "next", timeout: "40ms" },
      { do: "route", service: "far-keep", timeout: "40ms" },
    ]) {
      const told = await call("here-keep", "/silent", answer);
      expect([told.status, told.record.outcome?.flag, told.record.outcome?.side]).toEqual([
        504,
        "UT",
        "upstream",
      ]);
      expect(errorOf(told)).toContain("40 ms");
    }
  });

  test("is nothing to one that is answered in it", async () => {
    expect((await call("here-keep", "/", { do: "next", timeout: "50s" })).status).toBe(200);
  });

  test("that is none is a failure of the policy", async () => {
    for (const timeout of ["soon", "0s", 40, "-1s", null])
      expect((await call("here-keep", "/", { do: "next", timeout })).status).toBe(503);
  });
});

describe("an answer of a policy", () => {
  test("that denies has its flag in the record and on the answer, and its reason in the record alone", async () => {
    const denial = {
      do: "respond",
      status: 403,
      reason: "over budget",
      body: "no",
      headers: { "x-why": "b" },
    };
    const told = await call("here-keep", "/", denial);
    expect([told.status, told.heard.body, told.heard.answer?.fields.get("x-why")]).toEqual([403, "no", "b"]);
    expect(errorOf(told)).toBe('PD/the policy "guide" of here-keep.default answered 403');
    expect(told.heard.answer?.fields.get("x-request-id")).toBe(told.record.requestId);
    expect(told.record.outcome).toMatchObject({ flag: "PD", side: "policy", status: 403 });
    expect(told.record.policies).toMatchObject([
      { name: "guide", action: "respond", said: "403", reason: "over budget" },
    ]);
  });

  test("that denies no one is no error, and its reason is in the record all the same", async () => {
    const told = await call("here-keep", "/", {
      do: "respond",
      status: 302,
      reason: "moved",
      headers: { location: "/b" },
    });
    expect([told.status, errorOf(told), told.record.outcome]).toEqual([302, "", null]);
    expect(told.record.policies).toMatchObject([{ action: "respond", said: "302", reason: "moved" }]);
  });

  test("that denies a gRPC call is a gRPC status, unless the policy speaks gRPC itself", async () => {
    const type = "application/grpc";
    const told = await call("here-keep", "/", { do: "respond", status: 403, reason: "no", body: "no" }, type);
    expect([told.status, told.heard.answer?.fields.get("grpc-status"), told.heard.body]).toEqual([
      200,
      "7",
      "",
    ]);
    expect(told.record.outcome?.flag).toBe("PD");
    const headers = { "content-type": type, "grpc-status": "8" };
    const own = await call("here-keep", "/", { do: "respond", status: 429, reason: "no", headers }, type);
    expect([own.status, own.heard.answer?.fields.get("grpc-status")]).toEqual([429, "8"]);
  });
});

test("why a policy failed reaches the record and nobody else", async () => {
  const reason = "policies/guide.ts:12:5: TypeError: secret is undefined";
  const told = await call("far-keep", "/", { do: "fail", reason });
  expect(told.status).toBe(503);
  expect(told.record.policies).toMatchObject([{ action: "error", failure: "throw", reason }]);
  const fields = told.heard.answer?.fields;
  const said =
    Array.from({ length: fields?.count ?? 0 }, (_, at) => fields?.valueAt(at)).join("\n") + told.heard.body;
  expect(said).toContain('the policy "guide" of far-keep.default');
  expect(said).toContain(told.record.requestId);
  expect(said).not.toContain("TypeError");
  expect(said).not.toContain("guide.ts");
});

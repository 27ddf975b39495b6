/**
 * What `%2F` in a path means, by service: routes, policies, access rules and the app see one and the same string, in either version
 * of HTTP, whether the app is here or on another machine, and also where the proxy of the caller knows nothing of it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import type { EscapedSlashes } from "../../../src/model/service.ts";
import type { PolicyChain } from "../../../src/policy/chain.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { dialHttp2, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime, type DestinationPlan } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";

const ways: readonly EscapedSlashes[] = ["keep", "refuse", "decode"];
/** Targets as apps got them. */
const got: string[] = [];
/** Targets as policies saw them. */
const asked: string[] = [];
const app = serve(runtime, (exchange) => {
  got.push(exchange.request.target);
  exchange.respond(200, null, noEdits, 0);
  exchange.end(null);
});
const policies: PolicyChain = {
  evaluate(_bindings, call, done) {
    asked.push(call.target);
    done({ do: "next", edits: noEdits, target: null, records: [] });
  },
};

function planOf(name: string, escapedSlashes: EscapedSlashes): DestinationPlan {
  const [, service] = name.split("-");
  const deny = [
    {
      id: "no-admin",
      mode: "enforce",
      source: { kind: "any" },
      methods: [],
      paths: ["/admin/*"],
    } as const,
  ];
  const route = (path: string, label: string): CompiledRoute => ({
    name: label,
    match: { path: { type: "PathPrefix", value: path }, method: null, headers: [] },
    backends: [{ service: { name, namespace: "default" }, subset: null, weight: 1, invalid: null }],
    requestTimeoutMs: null,
    idempotent: false,
    policies: [{ hash: "p", name: "p", options: {} }],
  });
  return {
    protocol: "http2",
    escapedSlashes,
    access: { otherwise: "allow", deny, allow: [] },
    routes: [route("/v1", "below-v1"), route("/", `rest-${service}`)],
  };
}

const names = ways.flatMap((way) => [`here-${way}`, `far-${way}`]);
const planNow = (trusting: boolean): Record<string, DestinationPlan> =>
  Object.fromEntries(
    names.map((name) => [name, planOf(name, trusting ? "keep" : (name.split("-")[1] as EscapedSlashes))]),
  );
let planes: Planes;

beforeAll(async () => {
  const of = (place: string) =>
    Object.fromEntries(
      names.filter((each) => each.startsWith(place)).map((each) => [each, { app: app.port }]),
    );
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 }, ...of("here") }, policies },
    { name: "b", services: of("far") },
  );
  planes.apply(planNow(false));
});
afterAll(async () => {
  await planes.close();
  app.close();
});

interface Told {
  readonly status: number;
  /** As the app got it; null when it got nothing. */
  readonly target: string | null;
  readonly asked: string | null;
  readonly route: string;
  readonly logged: string;
}

async function callHttp2(service: string, target: string): Promise<number> {
  const client = await dialHttp2(runtime, planes.machine("a").port("caller"));
  const heard = new Heard();
  client.start(request({ authority: `${service}.mesh`, target }), noEdits, heard).end(null);
  await until(() => heard.over, "the call is over");
  client.destroy();
  return heard.answer?.status ?? 0;
}

async function callHttp1(service: string, target: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${planes.machine("a").port("caller")}${target}`, {
    headers: { host: `${service}.mesh` },
  });
  await answer.text();
  return answer.status;
}

async function tell(call: typeof callHttp1, service: string, target: string): Promise<Told> {
  got.length = asked.length = 0;
  const { records } = planes.machine("a");
  const before = records.of("outbound").length;
  const status = await call(service, target);
  await until(() => records.of("outbound").length > before, "the call is recorded");
  const record = records.of("outbound").at(-1);
  return {
    status,
    target: got[0] ?? null,
    asked: asked[0] ?? null,
    route: record?.route ?? "",
    logged: record?.path ?? "",
  };
}

for (const [version, call] of [
  ["HTTP/1.1", callHttp1],
  ["HTTP/2", callHttp2],
] as const)
  for (const place of ["here", "far"]) {
    describe(`over ${version} to a service that is ${place}, an escaped slash`, () => {
      test("that is kept is a letter to routes and rules, and goes on as it came", async () => {
        const service = `${place}-keep`;
        expect(await tell(call, service, "/v1%2fx?a=%2f")).toEqual({
          status: 200,
          target: "/v1%2Fx?a=%2f",
          asked: "/v1%2Fx?a=%2f",
          route: "rest-keep",
          logged: "/v1%2Fx",
        });
        expect(await tell(call, service, "/admin%2Fx")).toMatchObject({ status: 200, target: "/admin%2Fx" });
        expect(await tell(call, service, "/admin/x")).toMatchObject({ status: 403, target: null });
      });

      test("that is refused ends with 400 before any route, policy or app", async () => {
        const service = `${place}-refuse`;
        const refused = { status: 400, target: null, asked: null, route: "" };
        expect(await tell(call, service, "/v1%2Fx")).toMatchObject(refused);
        expect(await tell(call, service, "/v1/x?a=%2F")).toMatchObject({
          status: 200,
          target: "/v1/x?a=%2F",
        });
      });

      test("that is decoded is a slash to routes, policies, rules, the app and the log", async () => {
        const service = `${place}-decode`;
        expect(await tell(call, service, "/v1%2Fx?a=%2F")).toEqual({
          status: 200,
          target: "/v1/x?a=%2F",
          asked: "/v1/x?a=%2F",
          route: "below-v1",
          logged: "/v1/x",
        });
        expect(await tell(call, service, "/admin%2fx")).toMatchObject({ status: 403, target: null });
        expect(await tell(call, service, "/v1%2F..%2Fadmin%2Fx")).toMatchObject({
          status: 400,
          target: null,
        });
        expect(await tell(call, service, "/admin%252Fx")).toMatchObject({
          status: 200,
          target: "/admin%252Fx",
        });
      });
    });
  }

test("the proxy of the service reads it by itself: what a caller's proxy let pass is refused or decoded there", async () => {
  const [a, b] = [planes.machine("a"), planes.machine("b")];
  a.plane.apply(planes.snapshot(a, planNow(true)));
  b.plane.apply(planes.snapshot(b, planNow(false)));
  expect(await tell(callHttp2, "far-keep", "/admin%2Fx")).toMatchObject({ status: 200 });
  expect(await tell(callHttp2, "far-refuse", "/v1%2Fx")).toMatchObject({ status: 400, target: null });
  expect(await tell(callHttp2, "far-decode", "/v1%2Fx")).toMatchObject({ status: 200, target: "/v1/x" });
  expect(await tell(callHttp2, "far-decode", "/admin%2Fx")).toMatchObject({ status: 403, target: null });
});

/**
 * What policies ask services: over the mesh, as the service that asked the policy and under the rules of the one that is called,
 * inside the time that they may wait, in bounds, and only those that their options name.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { CompiledAccessRule } from "../../../src/model/snapshot.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import { forgotten } from "../../../src/policy/waits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request, serve } from "../../support/http_relay.ts";
import { idOf, Planes, runtime } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { until } from "../../support/sockets.ts";

const policies = new ScriptedPolicies();
const asked: string[] = [];
const left: string[] = [];
const answer = new TextEncoder().encode('{"may":true}');

const statuses: Readonly<Record<string, number>> = { "/no": 403, "/failing": 500 };

/** What policies ask. `/silent` is not answered, `/long` is too long, `/echo` gives what came. */
const keys = serve(
  runtime,
  (exchange) => {
    const { method, target, fields, authority } = exchange.request;
    asked.push(
      `${method} ${authority} ${target} ${fields.get("x-heddle-caller")} ${fields.get("x-a") ?? "-"}`,
    );
    let body = "";
    exchange.accept({
      data: (bytes, start, end) => void (body += new TextDecoder().decode(bytes.subarray(start, end))),
      end() {
        if (target === "/silent") return;
        const bytes = target === "/long" ? new Uint8Array(limits.policyCallBodyBytesMax + 1) : answer;
        const given = target === "/echo" ? new TextEncoder().encode(body) : bytes;
        exchange.respond(statuses[target] ?? 200, null, { ...noEdits, set: ["x-b", "2"] }, given.length);
        exchange.write(given);
        exchange.end(null);
      },
      aborted: () => void left.push(target),
      writable() {},
    });
  },
  { version: "http/1.1" },
);
const app = serve(
  runtime,
  (exchange) => {
    exchange.accept({ data() {}, end() {}, aborted() {}, writable() {} });
    exchange.respond(
      200,
      null,
      { ...noEdits, set: ["x-got", exchange.request.fields.get("x-told") ?? "-"] },
      0,
    );
    exchange.end(null);
  },
  { version: "http/1.1" },
);

let planes: Planes;
beforeAll(async () => {
  const chain = () => createPolicyChain(policies, runtime.clock);
  planes = await Planes.start(
    { name: "a", services: { shop: { app: 9 }, other: { app: 9 } }, policies: chain() },
    {
      name: "b",
      services: { there: { app: app.port }, here: { app: app.port }, keys: { app: keys.port } },
      policies: chain(),
    },
  );
  const bindings = [policies.binding({ service: "keys" })];
  planes.apply({
    there: { policies: bindings },
    here: { serverPolicies: bindings },
    keys: {
      policies: bindings,
      access: { otherwise: "deny", deny: [], allow: ["shop", "here"].map((name) => ruleFor(name)) },
    },
  });
});
const ruleFor = (name: string): CompiledAccessRule => ({
  ...{ id: name, mode: "enforce", methods: [], paths: [] },
  source: { kind: "exact", value: idOf(name) },
});
afterAll(async () => {
  await planes.close();
  keys.close();
  app.close();
});
beforeEach(() => {
  policies.reset();
  asked.length = 0;
  left.length = 0;
});

const want = (path: string, more: object = {}) => ({
  ...{ service: "keys", path, method: "GET", headers: {}, body: "" },
  ...more,
});

/** The policy waits for these, and tells the app what came of them. */
function waitsFor(...wants: object[]): void {
  policies.says = {
    onRequest: (about: unknown) =>
      about === undefined
        ? { do: "wait", ticket: 1, wants }
        : {
            do: "next",
            headers: {
              set: {
                "x-told": JSON.stringify(about)
                  .replace(/[^ -~]/g, "?")
                  .slice(0, 2_000),
              },
            },
          },
  };
}

async function call(service: string, from = "shop"): Promise<{ status: number; told: string }> {
  const backend = new Backend(runtime, planes.machine("a").port(from), "http/1.1");
  const client = await backend.take();
  const heard = new Heard();
  client.start(request({ authority: `${service}.mesh`, target: "/" }), noEdits, heard).end(null);
  await until(() => heard.over, "the call is over");
  client.destroy();
  const { status = 0, fields } = heard.answer ?? {};
  return { status, told: fields?.get("x-got") ?? "" };
}

for (const [side, service, caller] of [
  ["caller's", "there", "shop.default"],
  ["server's", "here", "here.default"],
] as const)
  describe(`a policy at the ${side} side`, () => {
    test("is told what a service answered, which it asked as the service it stands at", async () => {
      waitsFor(
        want("/may?a=1", { headers: { "x-a": "1" } }),
        want("/echo", { method: "POST", body: "héllo" }),
      );
      const { status, told } = await call(service);
      expect(status).toBe(200);
      expect(told).toContain('"status":200');
      expect(told).toContain('{\\"may\\":true}');
      expect(told).toContain('"x-b","2"');
      expect(told).toContain('"body":"h?llo"');
      expect(asked.toSorted()).toEqual([
        `GET keys.default.mesh /may?a=1 ${caller} 1`,
        `POST keys.default.mesh /echo ${caller} -`,
      ]);
    });

    test("is told what came of a call whatever its status is", async () => {
      waitsFor(want("/no"));
      expect((await call(service)).told).toContain('"status":403');
    });

    test("hears that a service did not answer in time, and the service that nobody waits", async () => {
      waitsFor(want("/silent"));
      policies.waitMs = 30;
      const { told } = await call(service);
      expect(told).toContain("keys.default did not answer within 30 ms (limits.wait)");
      await until(() => left.length > 0, "the service hears of it");
    });

    test("hears that an answer is too long, and gets none of it", async () => {
      waitsFor(want("/long"));
      expect((await call(service)).told).toBe(
        `[{"ok":false,"problem":"The answer has more than 65536 bytes"}]`,
      );
    });

    test("asks nobody whom its options do not name", async () => {
      waitsFor(want("/", { service: "other" }), want("/", { service: "keys.elsewhere" }));
      const { told } = await call(service);
      expect(told).toContain('The options of the policy do not name the service \\"other\\"');
      expect(told).toContain('The options of the policy do not name the service \\"keys.elsewhere\\"');
    });

    test("has signatures checked", async () => {
      waitsFor({ algorithm: "HS256", key: { kty: "oct", k: "A".repeat(43) }, signature: "AAAA", data: "x" });
      expect((await call(service)).told).toBe('[{"ok":true,"value":false}]');
    });

    test("may ask for so many things and no more", async () => {
      let rounds = 0;
      policies.says = {
        onRequest: (about: unknown) =>
          ++rounds <= limits.policyWantsMax + 1
            ? { do: "wait", ticket: 1, wants: [want("/no")] }
            : { do: "next", headers: { set: { "x-told": JSON.stringify(about) } } },
      };
      expect((await call(service)).told).toContain(
        "One call of a policy may ask for 16 things (policyWantsMax)",
      );
      expect(asked.length).toBeLessThanOrEqual(limits.policyWantsMax);
    });

    test("has failed when it asks for ever, whatever it is told", async () => {
      let rounds = 0;
      policies.says = {
        onRequest: () =>
          ++rounds < 1_000
            ? { do: "wait", ticket: 1, wants: [want("/no", { service: "other" })] }
            : { do: "next" },
      };
      expect((await call(service)).status).toBe(503);
      // The caller's side tries again where the server's side says 503.
      expect(rounds).toBe(policies.trips.length * (limits.policyWantsMax + 2));
      expect(policies.trips).toContain("it goes on to ask after 16 things (policyWantsMax)");
    });

    for (const [name, wants] of [
      ["for nothing", []],
      ["with a method that is none", [want("/", { method: "GET / HTTP/1.1\r\n" })]],
      ["for a tunnel", [want("/", { method: "CONNECT" })]],
      ["with a path that climbs", [want("/%2e%2e/../..\\a")]],
      ["with a field that frames", [want("/", { headers: { "content-length": "5" } })]],
      ["with a field of heddle's", [want("/", { headers: { "X-Heddle-Caller": "root" } })]],
      ["with two lines in a field", [want("/", { headers: { "x-a": "1\r\nx-b: 2" } })]],
      ["with a body that is too long", [want("/", { body: "x".repeat(limits.policyCallBodyBytesMax + 1) })]],
      ["with a signature of no algorithm", [{ algorithm: "none", key: {}, signature: "", data: "" }]],
      ["for too much at once", new Array(17).fill(want("/"))],
    ] as const)
      test(`fails closed when it waits ${name}`, async () => {
        waitsFor(...(wants as object[]));
        expect((await call(service)).status).toBe(503);
        expect(policies.trips.length).toBeGreaterThan(0);
        expect(asked).toEqual([]);
      });
  });

test("the rules of the service that is asked hold for the service that the policy stands at", async () => {
  waitsFor(want("/may"));
  const { told } = await call("there", "other");
  expect(told).toContain("keys.default.mesh: AD/other.default may not GET /may");
  expect(asked).toEqual([]);
});

test("no policy at the caller's side sees what a policy asks", async () => {
  waitsFor(want("/may"));
  await call("there");
  expect(asked.length).toBe(1);
  expect(new Set(policies.asked.map(({ service }) => service.name))).toEqual(new Set(["there"]));
});

test("its record has the id of the request that the policy decides about", async () => {
  waitsFor(want("/may"));
  const before = planes.machine("a").records.all.length;
  await call("there");
  const [first, second] = planes.machine("a").records.all.slice(before);
  expect([first?.service, second?.service]).toEqual(["keys.default", "there.default"]);
  expect(first?.requestId).toBe(second?.requestId as string);
});

for (const [name, path, reason] of [
  ["because there was no answer", "/silent", "Error: no answer"],
  ["because the service itself failed", "/failing", "Error: keys answered 500"],
  ["because its realm, which was started again, knows nothing of the call", "/no", forgotten],
] as const)
  test(`a policy that fails ${name} is not put aside for it`, async () => {
    policies.waitMs = path === "/silent" ? 30 : 50_000;
    policies.says = {
      onRequest: (about: unknown) =>
        about === undefined ? { do: "wait", ticket: 1, wants: [want(path)] } : { do: "fail", reason },
    };
    expect((await call("there")).status).toBe(503);
    expect(policies.trips).toEqual([]);
  });

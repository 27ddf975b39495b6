/**
 * Bodies and statuses of answers, as policies see and write them: on both sides, in each protocol, however the body is framed and cut,
 * and whatever becomes of it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { ServerExchange } from "../../../src/http/exchange.ts";
import type { PolicyBinding } from "../../../src/model/snapshot.ts";
import type { BodySeen } from "../../../src/policy/bodies.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { UnreadBody } from "../../../src/policy/sdk_bodies.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime, type DestinationPlan } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { until } from "../../support/sockets.ts";

const most = 1_000;
const policies = new ScriptedPolicies();

interface Said {
  readonly parts: readonly string[];
  readonly declared?: boolean;
  readonly status?: number;
  readonly set?: readonly string[];
  /** It breaks off behind its parts, or waits there. */
  readonly then?: "breaks" | "waits";
}

let says: Said = { parts: [] };
const asked: (string | null)[] = [];
const open: ServerExchange[] = [];
const answering = (version: "http/1.1" | "h2") =>
  serve(
    runtime,
    (exchange) => {
      const { parts, declared = true, status = 200, set = [], then } = says;
      asked.push(exchange.request.fields.get("accept-encoding"));
      const length = parts.reduce((sum, part) => sum + Buffer.byteLength(part), then === undefined ? 0 : 9);
      const type = ["content-type", "application/json", ...set];
      exchange.accept({ data() {}, end() {}, aborted() {}, writable() {} });
      exchange.respond(status, null, { ...noEdits, set: type }, declared ? length : -1);
      for (const part of parts) exchange.write(new TextEncoder().encode(part));
      if (then === "waits") open.push(exchange);
      else if (then === "breaks") exchange.abort();
      else exchange.end(null);
    },
    { version },
  );
const apps = { "http/1.1": answering("http/1.1"), h2: answering("h2") };

const sides = ["caller", "server"] as const;
type Side = (typeof sides)[number];
const protocols = { one: "http/1.1", two: "h2" } as const;
type Protocol = keyof typeof protocols;
const reader: PolicyBinding = { ...policies.binding(), bodies: { response: most } };

let planes: Planes;
beforeAll(async () => {
  const chain = () => createPolicyChain(policies, runtime.clock);
  const services = Object.fromEntries(
    sides.flatMap((side) =>
      Object.entries(protocols).map(([name, version]) => [`${name}-${side}`, { app: apps[version].port }]),
    ),
  );
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } }, policies: chain() },
    { name: "b", services, policies: chain() },
  );
  apply([reader]);
});
afterAll(async () => {
  await planes.close();
  for (const app of Object.values(apps)) app.close();
});
beforeEach(() => {
  policies.reset();
  asked.length = 0;
  for (const exchange of open.splice(0)) exchange.abort();
});

function apply(bindings: readonly PolicyBinding[]): void {
  const speaks = { one: "http", two: "http2" } as const;
  const plans = sides.flatMap((side) =>
    Object.entries(speaks).map(([name, protocol]): [string, DestinationPlan] => [
      `${name}-${side}`,
      { protocol, ...(side === "caller" ? { policies: bindings } : { serverPolicies: bindings }) },
    ]),
  );
  planes.apply(Object.fromEntries(plans));
}

async function begin(protocol: Protocol, side: Side, said: Said, method = "GET") {
  says = said;
  const backend = new Backend(runtime, planes.machine("a").port("caller"), protocols[protocol]);
  const client = await backend.take();
  const heard = new Heard();
  const head = request({ method, authority: `${protocol}-${side}.mesh`, target: "/a" });
  const stream = client.start(head, { ...noEdits, set: ["accept-encoding", "gzip"] }, heard);
  stream.end(null);
  const over = async (): Promise<Heard> => {
    await until(() => heard.over, "the call is over");
    await until(() => policies.times("onEnd") >= policies.times("onRequest"), "its policy hears of the end");
    client.destroy();
    return heard;
  };
  return { over, stream, client, heard };
}

const call = async (protocol: Protocol, side: Side, said: Said, method?: string): Promise<Heard> =>
  await (await begin(protocol, side, said, method)).over();

const seen = () => policies.asked.findLast((each) => each.hook === "onResponse")?.body;
const unread = (why: UnreadBody): BodySeen => ({ text: "", bytes: 0, unread: why });
const long = `{"a":"${"x".repeat(most)}"}`;
const far = "y".repeat(300_000);

for (const side of sides)
  for (const protocol of Object.keys(protocols) as Protocol[])
    describe(`an answer in ${protocols[protocol]}, at the ${side}'s side`, () => {
      for (const declared of [true, false]) {
        const framed = declared ? "of a length that is said" : "of no length that is said";

        test(`${framed} is shown whole, and goes on as it came; it was asked for without compression`, async () => {
          const heard = await call(protocol, side, { parts: ['{"a":', '"ü', '"}'], declared });
          expect(seen()).toEqual({ text: '{"a":"ü"}', bytes: 10, unread: null });
          expect([heard.answer?.status, heard.answer?.contentLength, heard.bytes]).toEqual([
            200,
            declared ? 10 : -1,
            10,
          ]);
          expect(asked).toEqual(["identity"]);
        });

        test(`${framed} is replaced by what a policy writes, with another status, its length and no digest`, async () => {
          policies.says = {
            onResponse: { do: "next", json: '{"a":"[name]"}', status: 203, headers: { set: { "x-p": "1" } } },
          };
          const set = ["repr-digest", "sha-256=:AA==:"];
          const { answer, body } = await call(protocol, side, { parts: ['{"a":"Ada"}'], declared, set });
          expect([answer?.status, answer?.contentLength, body]).toEqual([
            203,
            declared ? 14 : -1,
            '{"a":"[name]"}',
          ]);
          expect([answer?.fields.get("x-p"), answer?.fields.get("repr-digest")]).toEqual(["1", null]);
          const at = planes.machine(side === "caller" ? "a" : "b").records;
          expect(at.of(side === "caller" ? "outbound" : "inbound").at(-1)?.status).toBe(203);
        });

        test(`${framed} that is too long is not shown, and all of it goes on`, async () => {
          const heard = await call(protocol, side, { parts: [long, far], declared });
          expect([seen(), heard.answer?.status, heard.bytes]).toEqual([
            unread("too long"),
            200,
            long.length + far.length,
          ]);
        });

        test(`${framed} that breaks off before it is whole asks no policy, and fails`, async () => {
          const heard = await call(protocol, side, { parts: ['{"a":'], declared, then: "breaks" });
          expect(policies.times("onResponse")).toBe(0);
          // What an app says by resetting a stream of HTTP/2 its caller hears, too.
          expect(heard.answer?.status ?? heard.failure?.side).toBeOneOf([502, "upstream"]);
          expect(heard.body).not.toContain('{"a":');
        });
      }

      test("whose client leaves before it is whole is over once, and no policy is asked about it", async () => {
        const begun = await begin(protocol, side, { parts: ["{"], then: "waits" });
        await until(() => open.length > 0, "the app has begun");
        begun.stream.cancel();
        begun.client.destroy();
        await until(() => policies.times("onEnd") === 1, "its policy hears of the end");
        expect((policies.about("onEnd") as { flag: string }).flag).toBe("DC");
        expect(policies.times("onResponse")).toBe(0);
      });

      test("is given by a policy instead, or kept back by one that fails closed", async () => {
        policies.says = { onResponse: { do: "respond", status: 451, reason: "no", body: "none" } };
        const given = await call(protocol, side, { parts: ["{}"] });
        expect([given.answer?.status, given.body]).toEqual([451, "none"]);
        policies.says = { onResponse: { do: "fail", reason: "no" } };
        const kept = await call(protocol, side, { parts: ["{}"] });
        expect([kept.answer?.status, kept.body.includes("{}")]).toEqual([503, false]);
      });

      const cases: Readonly<Record<string, readonly [Said, BodySeen]>> = {
        "of another kind": [{ parts: ["a"], set: ["content-type", "text/plain"] }, unread("no JSON")],
        "in an encoding all the same": [{ parts: ["a"], set: ["content-encoding", "br"] }, unread("encoded")],
        "without a body": [
          { parts: [], status: 204 },
          { text: "", bytes: 0, unread: null },
        ],
      };
      for (const [what, [said, expected]] of Object.entries(cases))
        test(`${what} is told of so, and goes on`, async () => {
          const heard = await call(protocol, side, said);
          expect([heard.answer?.status, heard.body]).toEqual([said.status ?? 200, said.parts.join("")]);
          expect(seen()).toEqual(expected);
        });

      test("gets no status that has no body, nor a body that was not shown: that is a failure", async () => {
        const wrong: readonly (readonly [Said, object])[] = [
          [{ parts: ["{}"] }, { status: 204 }],
          [{ parts: [], status: 304 }, { status: 200 }],
          [{ parts: ["a"], set: ["content-type", "text/plain"] }, { json: "{}" }],
        ];
        for (const [said, decision] of wrong) {
          policies.says = { onResponse: { do: "next", ...decision } };
          const { answer } = await call(protocol, side, said);
          expect([answer?.status, policies.trips.length]).toEqual([503, 1]);
          policies.trips.length = 0;
        }
      });
    });

test("where no policy asks for it an answer waits for none of its body, and may be compressed", async () => {
  apply([policies.binding({}, ["onRequest", "onResponse", "onEnd"])]);
  const begun = await begin("two", "caller", { parts: ["{"], then: "waits" });
  await until(() => begun.heard.bytes === 1, "the beginning of the answer has come");
  expect([asked, seen()]).toEqual([["gzip"], undefined]);
  begun.stream.cancel();
  begun.client.destroy();
  apply([reader]);
});

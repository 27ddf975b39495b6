/**
 * Bodies that policies ask to see: shown whole or not at all, with the reason; what they write goes on in their place; and what no
 * policy asks for waits for nobody. On both sides, in each protocol, however the body is framed and cut.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { PolicyBinding } from "../../../src/model/snapshot.ts";
import type { BodySeen } from "../../../src/policy/bodies.ts";
import type { UnreadBody } from "../../../src/policy/sdk_bodies.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import { fieldsFrom } from "../../../src/wire/head_fields.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime, type DestinationPlan } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { until } from "../../support/sockets.ts";

const most = 1_000;
const policies = new ScriptedPolicies();

/** What came to the app, of each request that was whole. */
interface Came {
  readonly body: string;
  readonly length: string | null;
  readonly digest: string | null;
  readonly trailers: number;
}
const came: Came[] = [];
const began: string[] = [];
/** Bodies that came to the app, of all requests. */
const written: string[] = [];
/** Its target is the number of the last request: one that nobody waits for any more may still come. */
let number = 0;
/** So many requests more are answered 503 once they are whole. */
let failing = 0;
/** The app answers nothing. */
let holding = false;

const answering = (version: "http/1.1" | "h2") =>
  serve(
    runtime,
    (exchange) => {
      const { fields, contentLength, target } = exchange.request;
      const [length, digest] = [String(contentLength), fields.get("content-digest")];
      if (target === `/${number}`) began.push(length);
      let body = "";
      exchange.accept({
        data: (bytes, start, end) => (body += Buffer.from(bytes.subarray(start, end)).toString()),
        end(trailers) {
          written.push(body);
          if (target === `/${number}`) came.push({ body, length, digest, trailers: trailers?.count ?? 0 });
          if (holding) return;
          exchange.respond(failing-- > 0 ? 503 : 200, null, noEdits, 2);
          exchange.write(new TextEncoder().encode("ok"));
          exchange.end(null);
        },
        aborted() {},
        writable() {},
      });
    },
    { version },
  );
const apps = { "http/1.1": answering("http/1.1"), h2: answering("h2") };

const sides = ["caller", "server", "here"] as const;
type Side = (typeof sides)[number];
const protocols = { one: "http/1.1", two: "h2" } as const;
type Protocol = keyof typeof protocols;

const reader: PolicyBinding = { ...policies.binding(), bodies: { request: most } };

let planes: Planes;
beforeAll(async () => {
  const chain = () => createPolicyChain(policies, runtime.clock);
  const running = (of: readonly Side[]) =>
    Object.fromEntries(
      of.flatMap((side) =>
        Object.entries(protocols).map(([name, version]) => [`${name}-${side}`, { app: apps[version].port }]),
      ),
    );
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 }, ...running(["here"]) }, policies: chain() },
    { name: "b", services: running(["caller", "server"]), policies: chain() },
  );
  apply([reader]);
});
afterAll(async () => {
  await planes.close();
  for (const app of Object.values(apps)) app.close();
});
beforeEach(() => {
  policies.reset();
  number++;
  came.length = 0;
  began.length = 0;
  failing = 0;
  holding = false;
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

interface Sent {
  readonly parts: readonly string[];
  /** Its length is said before. */
  readonly declared?: boolean;
  readonly type?: string;
  readonly set?: readonly string[];
  readonly trailers?: readonly string[];
  readonly method?: string;
  readonly target?: string;
  /** It wants to hear that its body is wanted. */
  readonly asksFirst?: boolean;
}

const recordsOf = (side: Side) =>
  side === "caller"
    ? planes.machine("a").records.of("outbound")
    : planes.machine(side === "server" ? "b" : "a").records.of("inbound");

async function begin(protocol: Protocol, side: Side, sent: Sent) {
  const { parts, declared = true, type = "application/json", set = [], method = "POST" } = sent;
  const backend = new Backend(runtime, planes.machine("a").port("caller"), protocols[protocol]);
  const client = await backend.take();
  const heard = new Heard();
  const length = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  const head = request({
    method,
    authority: `${protocol}-${side}.mesh`,
    target: sent.target ?? `/${++number}`,
    contentLength: declared ? length : -1,
    expectContinue: sent.asksFirst === true,
  });
  const expects = sent.asksFirst === true ? ["expect", "100-continue"] : [];
  const stream = client.start(head, { ...noEdits, set: ["content-type", type, ...set, ...expects] }, heard);
  const write = (part: string): boolean => stream.write(new TextEncoder().encode(part));
  const end = (): void => stream.end(sent.trailers === undefined ? null : fieldsFrom([...sent.trailers]));
  const over = async (): Promise<Heard> => {
    await until(() => heard.over, "the call is over");
    client.destroy();
    return heard;
  };
  return { write, end, over, client, stream, heard };
}

async function send(protocol: Protocol, side: Side, sent: Sent): Promise<Heard> {
  const begun = await begin(protocol, side, sent);
  for (const part of sent.parts) begun.write(part);
  begun.end();
  return await begun.over();
}

const seen = () => policies.asked.findLast((call) => call.hook === "onRequest")?.body;
const unread = (why: UnreadBody): BodySeen => ({ text: "", bytes: 0, unread: why });
const long = `{"a":"${"x".repeat(most)}"}`;

for (const side of sides)
  for (const protocol of Object.keys(protocols) as Protocol[])
    describe(`a request in ${protocols[protocol]}, at the ${side}'s side`, () => {
      for (const declared of [true, false]) {
        const framed = declared ? "of a length that is said" : "of no length that is said";

        test(`${framed} is shown whole, and goes on as it came`, async () => {
          const parts = ['{"a":', '"ü', '"}'];
          const heard = await send(protocol, side, { parts, declared });
          expect(heard.answer?.status).toBe(200);
          expect(seen()).toEqual({ text: '{"a":"ü"}', bytes: 10, unread: null });
          expect(came).toMatchObject([{ body: '{"a":"ü"}', length: declared ? "10" : "-1" }]);
        });

        test(`${framed} is replaced by what a policy writes, with its length and without its digest`, async () => {
          policies.says = { onRequest: { do: "next", json: '{"a":"[name]"}' } };
          const set = ["content-digest", "sha-256=:AA==:"];
          const heard = await send(protocol, side, { parts: ['{"a":"Ada"}'], declared, set });
          expect(heard.answer?.status).toBe(200);
          expect(came).toMatchObject([
            { body: '{"a":"[name]"}', length: declared ? "14" : "-1", digest: null },
          ]);
        });

        test(`${framed} that is too long is not shown, and all of it goes on`, async () => {
          const parts = [long, "y".repeat(300_000)];
          const heard = await send(protocol, side, { parts, declared });
          expect([heard.answer?.status, seen()]).toEqual([200, unread("too long")]);
          expect(came[0]?.body).toBe(parts.join(""));
        });

        test(`${framed} that is too long is refused before the app hears of it`, async () => {
          policies.says = { onRequest: { do: "respond", status: 413, reason: "too long", body: "no" } };
          const heard = await send(protocol, side, { parts: [long, "y".repeat(300_000)], declared });
          expect([heard.answer?.status, heard.body, began]).toEqual([413, "no", []]);
        });
      }

      test("whose client leaves before it is whole asks no policy", async () => {
        const begun = await begin(protocol, side, { parts: ["{}", "x"], asksFirst: true });
        await until(() => begun.heard.interim.includes(100), "its body is wanted");
        begun.write("{");
        const ended = recordsOf(side).length;
        begun.stream.cancel();
        begun.client.destroy();
        await until(() => recordsOf(side).length > ended, "its end is recorded");
        expect([policies.asked.length, began, recordsOf(side).at(-1)?.outcome?.flag]).toEqual([0, [], "DC"]);
      });

      test("whose client leaves while a policy decides is over once, and the policy hears so", async () => {
        policies.later.add("onRequest");
        holding = true;
        const begun = await begin(protocol, side, { parts: ["{}"] });
        begun.write("{}");
        begun.end();
        await until(() => policies.waits, "the policy is asked");
        const ended = recordsOf(side).length;
        begun.stream.cancel();
        begun.client.destroy();
        // At the caller's side it holds its place until its policies have decided.
        if (side !== "caller") await until(() => recordsOf(side).length > ended, "its end is recorded");
        policies.release();
        await until(() => policies.times("onEnd") === 1, "the policy hears of the end");
        expect((policies.about("onEnd") as { flag: string }).flag).toBe("DC");
        if (side !== "caller") expect(began).toEqual([]);
      });

      test("keeps its trailers, also where its body is another", async () => {
        policies.says = { onRequest: { do: "next", json: "[]" } };
        await send(protocol, side, { parts: ["{}"], declared: false, trailers: ["x-sum", "1"] });
        expect(came).toMatchObject([{ body: "[]", trailers: 1 }]);
      });

      const cases: Readonly<Record<string, readonly [Sent, unknown]>> = {
        "of another kind": [{ parts: ["a=b"], type: "text/plain" }, unread("no JSON")],
        "in an encoding": [{ parts: ["{}"], set: ["content-encoding", "gzip"] }, unread("encoded")],
        "that is no text": [{ parts: ["{}"], type: "application/jsonlines" }, unread("no JSON")],
        "without a body": [
          { parts: [], method: "GET" },
          { text: "", bytes: 0, unread: null },
        ],
        "of a kind that ends in json": [
          { parts: ["[]"], type: "application/ld+json;a=b" },
          { text: "[]", bytes: 2, unread: null },
        ],
      };
      for (const [what, [sent, expected]] of Object.entries(cases))
        test(`${what} is told of so`, async () => {
          expect((await send(protocol, side, sent)).answer?.status).toBe(200);
          expect(seen()).toEqual(expected as never);
          expect(came[0]?.body).toBe(sent.parts.join(""));
        });

      test("that was not shown cannot be written, which is a failure of the policy", async () => {
        policies.says = { onRequest: { do: "next", json: "{}" } };
        for (const sent of [
          { parts: ["a"], type: "text/plain" },
          { parts: [], method: "GET" },
        ]) {
          const heard = await send(protocol, side, sent);
          expect([heard.answer?.status, policies.trips.at(-1)]).toEqual([
            503,
            "it writes a body where it has seen none",
          ]);
        }
      });
    });

test("another attempt sends what the policy wrote", async () => {
  policies.says = { onRequest: { do: "next", json: '{"b":2}' } };
  failing = 1;
  const retry = { attempts: 2, on: ["5xx"] } as never;
  planes.apply({
    "two-caller": { protocol: "http2", policies: [reader], traffic: { retry, idempotent: true } as never },
  });
  const heard = await send("two", "caller", { parts: ['{"a":1}'], method: "PUT" });
  apply([reader]);
  expect(came.map(({ body }) => body)).toEqual(
    heard.answer?.status === 200 ? ['{"b":2}', '{"b":2}'] : ['{"b":2}'],
  );
});

test("a prompt that was read before is shown whole, and written, too; where its client asks first it is told to send", async () => {
  planes.apply({
    "two-caller": { protocol: "http2", policies: [reader], inference: { engine: "vllm" } },
  });
  const shown: unknown[] = [];
  policies.says = { onRequest: () => shown.push(seen()?.text) && { do: "next", json: '{"model":"b"}' } };
  const parts = ['{"model":"a","prompt":"one', " two three", '"}'];
  for (const asksFirst of [false, true])
    expect(
      (await send("two", "caller", { parts, target: "/v1/completions", asksFirst })).answer?.status,
    ).toBe(200);
  apply([reader]);
  expect(shown).toEqual([parts.join(""), parts.join("")]);
  expect(written.slice(-2)).toEqual(['{"model":"b"}', '{"model":"b"}']);
});

test("each policy sees what the one before it wrote, up to its own bound, and one that does not ask sees nothing", async () => {
  const bodies: unknown[] = [];
  policies.says = {
    onRequest: () => ({ do: "next", json: JSON.stringify({ at: bodies.push(policies.asked.at(-1)?.body) }) }),
  };
  apply([reader, { ...reader, bodies: { request: 4 } }]);
  const heard = await send("two", "caller", { parts: ["{}"] });
  expect([heard.answer?.status, bodies]).toEqual([
    503,
    [{ text: "{}", bytes: 2, unread: null }, unread("too long")],
  ]);
  policies.says = {};
  policies.asked.length = 0;
  apply([reader, policies.binding()]);
  await send("two", "caller", { parts: ["{}"] });
  apply([reader]);
  expect(policies.asked.filter(({ hook }) => hook === "onRequest").map((call) => call.body)).toEqual([
    { text: "{}", bytes: 2, unread: null },
    undefined,
  ]);
});

test("where no policy asks for it a body waits for none of them", async () => {
  apply([policies.binding()]);
  policies.later.add("onRequest");
  const begun = await begin("two", "caller", { parts: ["{}", "[]"], declared: false });
  await until(() => policies.waits, "the policy is asked before anything of it came");
  policies.release();
  begun.write("{}");
  begun.end();
  expect((await begun.over()).answer?.status).toBe(200);
  apply([reader]);
});

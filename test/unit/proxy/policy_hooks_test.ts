/**
 * Each hook of policies, in each protocol, on both sides, whatever the policy does there: it answers at once or later, not at all,
 * throws, or says what is no decision, and the client may leave meanwhile. The exchange ends as the policy says of itself, and
 * every policy that saw its request hears once that it is over.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { PolicySummary } from "../../../src/policy/sdk.ts";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime, type DestinationPlan } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { until } from "../../support/sockets.ts";

const policies = new ScriptedPolicies();
const body = "x".repeat(200_000);

/** Answers of two pieces, one with the head and one when it is asked to. */
const open: (() => void)[] = [];
const seen: string[] = [];
const answering = (version: "http/1.1" | "h2") =>
  serve(
    runtime,
    (exchange) => {
      const { fields, target } = exchange.request;
      seen.push(`${target} ${fields.get("x-edited") ?? "-"}`);
      const grpc = fields.get("content-type") === "application/grpc";
      const set = ["x-app", "1", ...(grpc ? ["content-type", "application/grpc"] : [])];
      exchange.accept({ data() {}, end() {}, aborted() {}, writable() {} });
      exchange.respond(200, null, { ...noEdits, set }, -1);
      const bytes = new TextEncoder().encode(body);
      exchange.write(bytes, 0, 10);
      const finish = (): void => {
        if (exchange.finished) return;
        exchange.write(bytes, 10, bytes.length);
        exchange.end(null);
      };
      if (fields.get("x-hold") === "1") open.push(finish);
      else finish();
    },
    { version },
  );
const apps = { "http/1.1": answering("http/1.1"), h2: answering("h2") };

/** By protocol: the service, how the client speaks, and fields of its requests. */
const protocols = {
  "http/1.1": { service: "one", version: "http/1.1", set: [] },
  "http/2": { service: "two", version: "h2", set: [] },
  grpc: { service: "grpc", version: "h2", set: ["content-type", "application/grpc"] },
} as const;
/** On two machines. */
const many = { service: "many", version: "h2", set: [] } as const;
type Protocol = keyof typeof protocols;

const sides = ["caller", "server"] as const;
type Side = (typeof sides)[number];

let planes: Planes;
beforeAll(async () => {
  const chain = () => createPolicyChain(policies, runtime.clock);
  const services = { one: "http/1.1", two: "h2", grpc: "h2" } as const;
  const running = Object.fromEntries(
    sides.flatMap((side) =>
      Object.entries(services).map(([name, version]) => [`${name}-${side}`, { app: apps[version].port }]),
    ),
  );
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } }, policies: chain() },
    {
      name: "b",
      services: { ...running, "many-caller": { app: apps.h2.port } },
      policies: chain(),
    },
    { name: "c", services: { "many-caller": { app: apps.h2.port } }, policies: chain() },
  );
  const speaks = { one: "http", two: "http2", grpc: "grpc" } as const;
  const plans = sides.flatMap((side) =>
    Object.entries(speaks).map(([name, protocol]): [string, DestinationPlan] => {
      const bindings = [policies.binding()];
      const attached = side === "caller" ? { policies: bindings } : { serverPolicies: bindings };
      return [`${name}-${side}`, { protocol, ...attached }];
    }),
  );
  const many = { protocol: "http2", policies: [policies.binding()] } as const;
  planes.apply({ ...Object.fromEntries(plans), "many-caller": many });
});
afterAll(async () => {
  await planes.close();
  for (const app of Object.values(apps)) app.close();
});
beforeEach(() => {
  policies.reset();
  open.length = 0;
  seen.length = 0;
});

interface Told {
  readonly heard: Heard;
  /** Of the side that asks the policy. */
  readonly record: ExchangeRecord;
}

/** A call on its way. */
async function begin(protocol: Protocol | "many", side: Side, hold = false) {
  const { service, version, set } = protocol === "many" ? many : protocols[protocol];
  const fields = [...set, ...(hold ? ["x-hold", "1"] : [])];
  const backend = new Backend(runtime, planes.machine("a").port("caller"), version);
  const client = await backend.take();
  const heard = new Heard();
  const before = recordsOf(side).length;
  const stream = client.start(
    request({ authority: `${service}-${side}.mesh`, target: "/v1/a?b=1" }),
    { ...noEdits, set: fields },
    heard,
  );
  stream.end(null);
  const over = async (): Promise<Told> => {
    await until(() => heard.over && recordsOf(side).length > before, "the call is over and recorded");
    await until(() => policies.times("onEnd") >= policies.times("onRequest"), "its policy hears of the end");
    client.destroy();
    return { heard, record: recordsOf(side).at(-1) as ExchangeRecord };
  };
  const leave = async (): Promise<void> => {
    stream.cancel();
    client.destroy();
    await until(() => recordsOf(side).length > before, "the call is recorded");
  };
  return { over, leave, stream };
}

const recordsOf = (side: Side): ExchangeRecord[] =>
  side === "caller" ? planes.machine("a").records.of("outbound") : planes.machine("b").records.of("inbound");

const call = async (protocol: Protocol | "many", side: Side): Promise<Told> =>
  await (await begin(protocol, side)).over();

const statusOf = ({ heard }: Told): number => heard.answer?.status ?? 0;
const flagOf = ({ record }: Told): string => record.outcome?.flag ?? "";

/** By hook: a decision that shows, and whether it showed. */
const plays = {
  onRequest: {
    says: { do: "next", headers: { set: { "x-edited": "yes" } }, path: "/v2/b" },
    shows: () => seen.includes("/v2/b yes"),
  },
  onResponse: {
    says: { do: "next", headers: { set: { "x-policy": "saw" }, remove: ["x-app"] } },
    shows: ({ heard }: Told) =>
      heard.answer?.fields.get("x-policy") === "saw" && heard.answer.fields.get("x-app") === null,
  },
} as const;

for (const [hook, { says, shows }] of Object.entries(plays)) {
  for (const side of sides) {
    for (const protocol of Object.keys(protocols) as Protocol[]) {
      describe(`${hook} at the ${side}'s side, in ${protocol}`, () => {
        const wholeAndSeen = (told: Told): void => {
          expect([statusOf(told), told.heard.bytes, shows(told)]).toEqual([200, body.length, true]);
        };

        test("decides at once, and hears of the end", async () => {
          policies.says = { [hook]: says };
          wholeAndSeen(await call(protocol, side));
          expect([policies.times(hook), policies.times("onEnd")]).toEqual([1, 1]);
          const summary = policies.about("onEnd") as PolicySummary;
          expect(summary).toMatchObject({ status: 200, flag: "", bytesOut: body.length, retries: 0 });
        });

        test("decides later, and nothing that comes meanwhile is lost", async () => {
          policies.says = { [hook]: says };
          policies.later.add(hook);
          const begun = await begin(protocol, side);
          await until(() => policies.waits, "the policy is asked");
          policies.release();
          wholeAndSeen(await begun.over());
        });

        const failures: Readonly<Record<string, unknown>> = {
          "is too late": new Error("no answer in time"),
          throws: { do: "fail", reason: "policies/a.ts:1:2: Error: no" },
          "says what is no decision": { do: "explode" },
          "writes what nobody may": { do: "next", headers: { set: { host: "x" } } },
        };
        for (const [what, said] of Object.entries(failures)) {
          test(`${what}: closed refuses, open goes on`, async () => {
            policies.says = { [hook]: said };
            const refused = await call(protocol, side);
            const expected = protocol === "grpc" ? 200 : 503;
            expect([statusOf(refused), flagOf(refused)]).toEqual([expected, "PE"]);
            if (protocol === "grpc") expect(refused.heard.answer?.fields.get("grpc-status")).not.toBe("0");
            expect(refused.heard.body).not.toContain("policies/a.ts");
            policies.reset();
            policies.onError = "open";
            policies.says = { [hook]: said };
            const passed = await call(protocol, side);
            expect([statusOf(passed), passed.heard.bytes, flagOf(passed)]).toEqual([200, body.length, ""]);
            expect(policies.times("onEnd")).toBe(policies.times("onRequest"));
          });
        }

        test("answers in the place of the app", async () => {
          policies.says = {
            [hook]: { do: "respond", status: 418, reason: "no", body: "tea", headers: { "x-t": "1" } },
          };
          const told = await call(protocol, side);
          if (protocol === "grpc") expect(told.heard.answer?.fields.get("grpc-status")).not.toBe("0");
          else
            expect([statusOf(told), told.heard.body, told.heard.answer?.fields.get("x-t")]).toEqual([
              418,
              "tea",
              "1",
            ]);
          expect(flagOf(told)).toBe("PD");
          expect(policies.times("onEnd")).toBe(1);
        });

        test("is asked when the client leaves, and hears once of the end", async () => {
          policies.later.add(hook);
          const begun = await begin(protocol, side, true);
          await until(() => policies.waits, "the policy is asked");
          begun.stream.cancel();
          policies.release();
          await begun.leave();
          await until(() => policies.times("onEnd") === 1, "the policy hears of the end");
          expect((policies.about("onEnd") as PolicySummary).flag).toBe("DC");
        });
      });
    }
  }
}

describe("onEnd", () => {
  for (const side of sides)
    test(`is asked once at the ${side}'s side when the client leaves inside the answer, and its failure hurts nobody`, async () => {
      policies.says = { onEnd: { do: "fail", reason: "no" } };
      const begun = await begin("http/2", side, true);
      await until(() => open.length > 0, "the app has answered");
      await begun.leave();
      await until(() => policies.trips.length === 1, "the failure counts");
      expect(policies.times("onEnd")).toBe(1);
    });
});

describe("pick", () => {
  const endpointOf = ({ record }: Told): string => record.endpoint.split("/")[0] ?? "";
  const idsOf = () => (policies.about("pick") as { id: string; labels: unknown }[]).map(({ id }) => id);

  test("sends every request to the endpoint that it prefers, and shows all of them", async () => {
    const first = await call("many", "caller");
    expect(["b", "c"]).toContain(endpointOf(first));
    const ids = idsOf();
    expect(ids).toHaveLength(2);
    for (const id of ids) {
      policies.says = { pick: { do: "prefer", ids: ["ghost", id] } };
      for (let at = 0; at < 3; at++) expect((await call("many", "caller")).record.endpoint).toBe(id);
    }
  });

  test("leaves it to the balancer when it fails, is late or knows none of them", async () => {
    for (const said of [new Error("late"), { do: "fail", reason: "no" }, { do: "prefer", ids: ["ghost"] }]) {
      policies.says = { pick: said };
      const told = await call("many", "caller");
      expect([statusOf(told), flagOf(told)]).toEqual([200, ""]);
    }
  });

  test("is not asked at the server's side, nor again when it has decided", async () => {
    await call("http/2", "server");
    expect(policies.times("pick")).toBe(0);
    await call("many", "caller");
    expect(policies.times("pick")).toBe(1);
  });
});

test("a path that a policy writes at the server's side is read by access rules again", async () => {
  const deny = { id: "no-admin", mode: "enforce", source: { kind: "any" }, methods: [], paths: ["/admin/*"] };
  const access = { otherwise: "allow", deny: [deny], allow: [] } as const;
  planes.apply({
    "two-server": { protocol: "http2", access: access as never, serverPolicies: [policies.binding()] },
  });
  policies.says = { onRequest: { do: "next", path: "/public/../admin/x" } };
  const told = await call("http/2", "server");
  expect([statusOf(told), flagOf(told), seen]).toEqual([403, "AD", []]);
  policies.says = { onRequest: { do: "route", service: "one-server" } };
  const routed = await call("http/2", "server");
  expect([statusOf(routed), flagOf(routed)]).toEqual([503, "PE"]);
});

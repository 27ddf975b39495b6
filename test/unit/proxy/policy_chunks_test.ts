/** Bytes on their way, as policies see them: both ways, in order, on both sides, in each protocol; and nothing waits for it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, echo, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime, type DestinationPlan } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { until } from "../../support/sockets.ts";

const policies = new ScriptedPolicies();
const apps = {
  "http/1.1": serve(runtime, echo, { version: "http/1.1" }),
  h2: serve(runtime, echo, { version: "h2" }),
};
const sides = ["caller", "server"] as const;
type Side = (typeof sides)[number];
const protocols = {
  one: { version: "http/1.1", type: "text/plain" },
  two: { version: "h2", type: "text/plain" },
  grpc: { version: "h2", type: "application/grpc" },
} as const;
type Protocol = keyof typeof protocols;
const binding = policies.binding({}, ["onRequest", "onChunk", "onEnd"]);

let planes: Planes;
beforeAll(async () => {
  const chain = () => createPolicyChain(policies, runtime.clock);
  const services = Object.fromEntries(
    sides.flatMap((side) =>
      Object.entries(protocols).map(([name, { version }]) => [
        `${name}-${side}`,
        { app: apps[version].port },
      ]),
    ),
  );
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } }, policies: chain() },
    { name: "b", services, policies: chain() },
  );
  const speaks = { one: "http", two: "http2", grpc: "grpc" } as const;
  const plans = sides.flatMap((side) =>
    Object.entries(speaks).map(([name, protocol]): [string, DestinationPlan] => [
      `${name}-${side}`,
      { protocol, ...(side === "caller" ? { policies: [binding] } : { serverPolicies: [binding] }) },
    ]),
  );
  planes.apply(Object.fromEntries(plans));
});
afterAll(async () => {
  await planes.close();
  for (const app of Object.values(apps)) app.close();
});
beforeEach(() => policies.reset());

async function exchange(protocol: Protocol, side: Side, parts: readonly string[]): Promise<Heard> {
  const { version, type } = protocols[protocol];
  const client = await new Backend(runtime, planes.machine("a").port("caller"), version).take();
  const heard = new Heard();
  const head = request({
    method: "POST",
    authority: `${protocol}-${side}.mesh`,
    target: "/a",
    contentLength: -1,
  });
  const stream = client.start(head, { ...noEdits, set: ["content-type", type] }, heard);
  for (const part of parts) stream.write(new TextEncoder().encode(part));
  stream.end(null);
  await until(() => heard.over, "the call is over");
  client.destroy();
  return heard;
}

interface Shown {
  readonly of: string;
  readonly data: string;
  readonly missed: number;
}

const shown = (of: string): Shown[] =>
  policies.asked
    .filter(({ hook }) => hook === "onChunk")
    .map(({ about }) => about as Shown)
    .filter((each) => each.of === of);
const bytesOf = (chunks: readonly Shown[]): string =>
  chunks.map(({ data }) => Buffer.from(data, "base64").toString()).join("");

for (const side of sides)
  for (const protocol of Object.keys(protocols) as Protocol[])
    describe(`bytes in ${protocol === "grpc" ? "gRPC" : protocols[protocol].version}, at the ${side}'s side`, () => {
      const parts = ["one ", "two ", "x".repeat(100_000)];

      test("are seen both ways, in order, before the end is told", async () => {
        const heard = await exchange(protocol, side, parts);
        await until(() => policies.times("onEnd") === 1, "its policy hears of the end");
        expect(heard.bytes).toBe(parts.join("").length);
        expect([bytesOf(shown("request")), bytesOf(shown("response"))]).toEqual([
          parts.join(""),
          parts.join(""),
        ]);
        expect(policies.asked.at(-1)?.hook).toBe("onEnd");
        const most = Math.ceil(limits.policyChunkPartBytes / 3) * 4;
        expect(Math.max(...shown("response").map(({ data }) => data.length))).toBeLessThanOrEqual(most);
      });

      test("pass whatever it does with them, and what comes while too much waits for it is left out", async () => {
        policies.later.add("onChunk");
        const far = "y".repeat(2 * limits.policyChunkBytesMax);
        expect((await exchange(protocol, side, [far])).bytes).toBe(far.length);
        const seen = [...shown("request"), ...shown("response")];
        expect(bytesOf(seen).length).toBeLessThanOrEqual(limits.policyChunkBytesMax);
        policies.reset();
        policies.says = { onChunk: { do: "respond", status: 500, reason: "no" } };
        expect((await exchange(protocol, side, ["one"])).body).toBe("one");
        await until(() => policies.trips.length > 0, "its failure counts");
      });
    });

test("what was left out is told with the bytes behind it", async () => {
  policies.later.add("onChunk");
  const first = "y".repeat(2 * limits.policyChunkBytesMax);
  const client = await new Backend(runtime, planes.machine("a").port("caller"), "h2").take();
  const heard = new Heard();
  const head = request({ method: "POST", authority: "two-caller.mesh", target: "/a", contentLength: -1 });
  const stream = client.start(head, noEdits, heard);
  stream.write(new TextEncoder().encode(first));
  await until(() => heard.bytes === first.length, "all of it has passed both ways");
  policies.later.clear();
  policies.release();
  const before = shown("request").length;
  stream.write(new TextEncoder().encode("end"));
  stream.end(null);
  await until(() => heard.over, "the call is over");
  client.destroy();
  const [last] = shown("request").slice(before);
  expect([bytesOf(last === undefined ? [] : [last]), (last?.missed ?? 0) > 0]).toEqual(["end", true]);
  expect(bytesOf(shown("request")).length + (last?.missed ?? 0)).toBe(first.length + 3);
});

test("bytes that come in many small pieces are shown by few calls, all of them in order", async () => {
  policies.later.add("onChunk");
  const pieces = Array.from({ length: 500 }, (_, at) => `${at} `);
  const client = await new Backend(runtime, planes.machine("a").port("caller"), "h2").take();
  const heard = new Heard();
  const head = request({ method: "POST", authority: "two-caller.mesh", target: "/a", contentLength: -1 });
  const stream = client.start(head, noEdits, heard);
  for (const piece of pieces) stream.write(new TextEncoder().encode(piece));
  await until(() => heard.bytes === pieces.join("").length, "all of it has passed both ways");
  expect(policies.times("onChunk")).toBeLessThanOrEqual(limits.policyChunkCallsMax);
  policies.later.clear();
  policies.release();
  stream.end(null);
  await until(() => heard.over, "the call is over");
  client.destroy();
  for (const of of ["request", "response"]) {
    expect(bytesOf(shown(of))).toBe(pieces.join(""));
    expect(shown(of).every(({ missed }) => missed === 0)).toBe(true);
  }
});

test("bytes whose call had no place are told as left out, too", async () => {
  policies.says = { onChunk: new Error("its inbox is full") };
  const client = await new Backend(runtime, planes.machine("a").port("caller"), "h2").take();
  const heard = new Heard();
  const head = request({ method: "POST", authority: "two-caller.mesh", target: "/a", contentLength: -1 });
  const stream = client.start(head, noEdits, heard);
  stream.write(new TextEncoder().encode("first"));
  await until(() => heard.bytes === 5 && policies.times("onChunk") === 2, "it has passed both ways");
  policies.says = {};
  stream.write(new TextEncoder().encode("end"));
  stream.end(null);
  await until(() => heard.over, "the call is over");
  client.destroy();
  const told = shown("request").map(({ data, missed }) => [atob(data), missed]);
  expect(told).toEqual([
    ["first", 0],
    ["end", 5],
  ]);
});

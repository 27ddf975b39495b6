/** Events of an answer pass policies in order, however they were split: kept, changed, dropped; or the stream ends as the policy says. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { PolicyEvent, PolicySummary } from "../../../src/policy/sdk.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { until } from "../../support/sockets.ts";

const policies = new ScriptedPolicies();
/** Parts of the answer, and what it says it is. */
const plan = { parts: [] as string[], type: "text/event-stream", length: -1, encoding: [] as string[] };
/** What the app was told that its client takes. */
const accepted: (string | null)[] = [];
const encoder = new TextEncoder();

const answering = (version: "http/1.1" | "h2") =>
  serve(
    runtime,
    (exchange) => {
      exchange.accept({ data() {}, end() {}, aborted() {}, writable() {} });
      accepted.push(exchange.request.fields.get("accept-encoding"));
      const add = plan.encoding.flatMap((encoding) => ["content-encoding", encoding]);
      exchange.respond(200, null, { ...noEdits, set: ["content-type", plan.type], add }, plan.length);
      const parts = plan.parts.map((part) => encoder.encode(part));
      const step = (): void => {
        const part = parts.shift();
        if (exchange.finished) return;
        if (part === undefined) return exchange.end(null);
        exchange.write(part);
        setImmediate(step);
      };
      step();
    },
    { version },
  );
const apps = { "http/1.1": answering("http/1.1"), h2: answering("h2") };

let planes: Planes;
beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } }, policies: createPolicyChain(policies, runtime.clock) },
    { name: "b", services: { one: { app: apps["http/1.1"].port }, two: { app: apps.h2.port } } },
  );
  const bindings = { policies: [policies.binding()] };
  planes.apply({ one: { protocol: "http", ...bindings }, two: { protocol: "http2", ...bindings } });
});
afterAll(async () => {
  await planes.close();
  for (const app of Object.values(apps)) app.close();
});
beforeEach(() => {
  policies.reset();
  Object.assign(plan, { parts: [], type: "text/event-stream", length: -1, encoding: [] });
});

async function call(service: string, set: string[] = []): Promise<Heard> {
  const version = service === "one" ? "http/1.1" : "h2";
  const client = await new Backend(runtime, planes.machine("a").port("caller"), version).take();
  const heard = new Heard();
  const ends = policies.times("onEnd") + 1;
  client.start(request({ authority: `${service}.mesh` }), { ...noEdits, set }, heard).end(null);
  await until(() => heard.over && policies.times("onEnd") === ends, "the stream is over");
  client.destroy();
  return heard;
}

/** Drops what is `drop`, makes `edit` two lines, leaves the rest. */
const edits = (about: unknown): unknown => ({
  do: "events",
  events: (about as PolicyEvent[]).map(({ data }) =>
    data === "drop" ? null : data.startsWith("edit") ? { event: "edited", data: `${data}\nmore` } : 0,
  ),
});

const whole = "data: a\r\n\r\n: ping\n\ndata: drop\n\nid: 1\ndata: edit\n\nevent: z\ndata: last\n\n";
const left = "data: a\r\n\r\n: ping\n\nevent: edited\ndata: edit\ndata: more\n\nevent: z\ndata: last\n\n";

for (const service of ["one", "two"]) {
  describe(`of ${service === "one" ? "HTTP/1.1" : "HTTP/2"}`, () => {
    test("are kept, changed and dropped, split at any byte", async () => {
      policies.says = { onEvent: edits };
      for (const size of [1, 3, 7, 1_000]) {
        plan.parts = whole.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
        expect([size, (await call(service)).body]).toEqual([size, left]);
      }
    });

    test("wait for a policy that is slow, in order, and the stream ends behind them", async () => {
      policies.says = { onEvent: edits };
      policies.later.add("onEvent");
      plan.parts = [whole.slice(0, 30), whole.slice(30)];
      const called = call(service);
      let over = false;
      void called.then(() => (over = true));
      while (!over) {
        policies.release();
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await called).body).toBe(left);
    });

    test("that a policy fails on go on as they came, or the stream ends with an error", async () => {
      plan.parts = [whole];
      for (const said of [new Error("late"), { do: "fail", reason: "no" }, { do: "events", events: [] }]) {
        policies.says = { onEvent: said };
        policies.onError = "open";
        expect((await call(service)).body).toBe(whole);
        policies.onError = "closed";
        const { body, failure } = await call(service);
        expect(body).toMatch(/^event: error\ndata: the policy "scripted" of \w+\.default failed.*\n\n$/);
        expect(failure).toBeNull();
        expect((policies.about("onEnd") as PolicySummary).flag).toBe("PE");
        policies.trips.length = 0;
        for (const record of planes.machine("a").records.of("outbound").slice(-2))
          expect(record.policies.filter(({ hook }) => hook === "onEvent")).toMatchObject([
            { action: "error" },
          ]);
      }
    });

    test("that are encoded go on unseen past a policy that fails open, and not at all past one that fails closed", async () => {
      policies.says = { onEvent: edits };
      Object.assign(plan, { parts: [whole], encoding: ["identity", "gzip"] });
      policies.onError = "open";
      expect((await call(service)).body).toBe(whole);
      policies.onError = "closed";
      const heard = await call(service);
      expect([heard.answer?.status, heard.body.includes("data: drop")]).toEqual([503, false]);
      expect((policies.about("onEnd") as PolicySummary).flag).toBe("PE");
      for (const record of planes.machine("a").records.of("outbound").slice(-2))
        expect(record.policies.filter(({ hook }) => hook === "onEvent")).toMatchObject([{ action: "error" }]);
      expect(policies.times("onEvent")).toBe(0);
    });

    test("that are too long to be read go on past a policy that fails open, and end the stream of one that fails closed", async () => {
      policies.says = { onEvent: edits };
      const long = `data: secret ${"x".repeat(limits.policyEventBytesMax)}\n\n`;
      for (const parts of [[`data: a\n\n${long}data: b\n\n`], [long.slice(0, 70_000), long.slice(70_000)]]) {
        plan.parts = parts;
        policies.onError = "open";
        expect((await call(service)).body === parts.join("")).toBeTrue();
        policies.onError = "closed";
        const { body } = await call(service);
        expect(body.slice(-200)).toMatch(
          /event: error\ndata: the policy "scripted" of \w+\.default failed.*\n\n$/,
        );
        expect(body.includes("secret")).toBeFalse();
        expect((policies.about("onEnd") as PolicySummary).flag).toBe("PE");
        for (const record of planes.machine("a").records.of("outbound").slice(-2))
          expect(record.policies.filter(({ action }) => action === "error")).toMatchObject([
            { hook: "onEvent", reason: expect.stringContaining("policyEventBytesMax") as string },
          ]);
      }
    });

    test("are seen by policies also where the stream ends without a blank line behind the last one", async () => {
      policies.says = { onEvent: edits };
      for (const [last, becomes] of [
        ["data: drop", ""],
        ["data: drop\n", ""],
        ["data: edit", "event: edited\ndata: edit\ndata: more\n\n"],
        ["data: kept", "data: kept"],
        [": only words", ": only words"],
      ] as const) {
        plan.parts = [`data: a\n\n${last}`];
        expect([last, (await call(service)).body]).toEqual([last, `data: a\n\n${becomes}`]);
      }
    });

    test("are asked for so that policies can read them, whatever else their client takes", async () => {
      policies.says = { onEvent: edits };
      Object.assign(plan, { parts: [whole], encoding: ["identity"] });
      expect((await call(service, ["accept-encoding", "gzip, br"])).body).toBe(left);
      expect(accepted.at(-1)).toBe("identity");
    });

    test("are not looked for where an answer is none of them", async () => {
      policies.says = { onEvent: edits };
      Object.assign(plan, { parts: [whole], type: "text/plain", length: whole.length });
      expect((await call(service)).body).toBe(whole);
      expect(policies.times("onEvent")).toBe(0);
    });

    test("that are many and large are all there, with a declared length, too", async () => {
      const many = Array.from({ length: 400 }, (_, at) => `data: ${at} ${"x".repeat(2_000)}\n\n`).join("");
      policies.says = { onEvent: edits };
      Object.assign(plan, { parts: many.match(/[^]{1,50000}/g) ?? [], length: many.length });
      expect((await call(service)).bytes).toBe(many.length);
    });
  });
}

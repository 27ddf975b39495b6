/** Calls to language models that routes spread by the model they ask for, through two data planes over real sockets. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { ModelMatch } from "../../../src/model/inference.ts";
import type { EscapedSlashes } from "../../../src/model/service.ts";
import type { CompiledBackend, CompiledRoute } from "../../../src/model/snapshot.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request } from "../../support/http_relay.ts";
import { FakeEngine } from "../../support/inference/fake_engine.ts";
import { named, Planes, runtime } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";

const settings = { stepMs: 1, stepMsPerStream: 0, prefillPerSecond: 1e7, blocks: 100_000 };
const small = new FakeEngine(runtime, { settings, outputTokens: 4, models: ["small-1", "small-2", "other"] });
const bigs = [0, 1].map(
  () => new FakeEngine(runtime, { settings, outputTokens: 4, models: ["Org/Big"], engine: "anthropic" }),
);
const bigCalls = () => bigs.flatMap(({ calls }) => calls);
let planes: Planes;
/** How `small` reads paths. */
let escapedSlashes: EscapedSlashes = "keep";
let firstContentMs = 60_000;

const to = (service: string, more: Partial<CompiledBackend> = {}): CompiledBackend => ({
  ...{ service: named(service), subset: null, weight: 1, invalid: null },
  ...more,
});
function rule(name: string, model: ModelMatch | null, ...backends: CompiledBackend[]): CompiledRoute {
  const match = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] } as const;
  return {
    ...{ name, backends, policies: [], requestTimeoutMs: null, idempotent: false },
    match: model === null ? match : { ...match, model },
  };
}

beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } } },
    {
      name: "b",
      services: {
        llm: { app: 9 },
        small: { app: small.port },
        big: { app: bigs[0]?.port ?? 0, more: [bigs[1]?.port ?? 0] },
      },
    },
  );
  apply();
});
function apply(...more: CompiledRoute[]): void {
  const plan = { protocol: "http", inference: { engine: "vllm", firstContentMs } } as const;
  const traffic = { circuitBreaking: { ejectedPercent: 0 }, retries: { codes: [503] } };
  const routes = [
    ...more,
    rule("named", { type: "Exact", value: "big" }, to("big", { filters: { model: "Org/Big" } })),
    rule("many", { type: "Prefix", value: "small-" }, to("small")),
  ];
  const reading = { traffic, escapedSlashes };
  planes.apply({ llm: { ...plan, routes }, small: { ...plan, ...reading }, big: { ...plan, traffic } });
}
afterAll(async () => {
  await planes.close();
  small.close();
  for (const engine of bigs) engine.close();
});
beforeEach(() => {
  for (const { calls } of [small, ...bigs]) calls.length = 0;
});

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly type?: string;
  readonly fields?: readonly string[];
  /** Bytes that are written at a time. */
  readonly piece?: number;
  /** All of it is there. */
  readonly ends?: boolean;
  /** Its length is not said. */
  readonly chunked?: boolean;
}

async function begin(body: object | string | null, ask: Ask = {}) {
  const { method = "POST", path = "/v1/chat/completions", type = "application/json", fields = [] } = ask;
  const client = await new Backend(runtime, planes.machine("a").port("caller"), "http/1.1").take();
  const heard = new Heard();
  const text = body === null ? "" : typeof body === "string" ? body : JSON.stringify(body);
  const bytes = new TextEncoder().encode(text);
  const contentLength = ask.chunked === true ? -1 : bytes.length;
  const stream = client.start(
    request({ method, target: path, authority: "llm.mesh", contentLength }),
    { ...noEdits, set: ["content-type", type, ...fields] },
    heard,
  );
  const { piece = bytes.length } = ask;
  for (let at = 0; at < bytes.length && !heard.over; at += piece) {
    stream.write(bytes.subarray(at, at + piece));
    if (piece < bytes.length) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  if (ask.ends === true) stream.end(null);
  return { heard, client, stream };
}

async function answerTo(body: object | string | null, ask: Ask = {}): Promise<Heard> {
  const { heard, client, stream } = await begin(body, ask);
  if (!heard.over) stream.end(null);
  await until(() => heard.over, "the answer is over");
  client.destroy();
  return heard;
}

const messages = [{ role: "user", content: "hello" }];
const held = (): number => planes.machine("a").plane.options.shard.buffered.models.total;

describe("a request goes where its model leads", () => {
  test("by its whole name or by how it begins, and nowhere where no rule has it", async () => {
    expect((await answerTo({ model: "small-2", messages })).answer?.status).toBe(200);
    expect((await answerTo({ messages, model: "big" })).answer?.status).toBe(200);
    expect([small.calls.length, bigCalls().length]).toEqual([1, 1]);
    for (const model of ["bigger", "Big", "smal", undefined])
      expect((await answerTo({ messages, model })).answer?.status).toBe(404);
    expect([small.calls.length, bigCalls().length]).toEqual([1, 1]);
  });

  test("under the name that its backend has for it, with nothing else of its body changed, however it is cut", async () => {
    const text = `{"messages":[{"role":"user","content":"big \\"model\\":\\"big\\""}],  "model" : "b\\u0069g" ,"n":1}`;
    for (const [piece, chunked] of [
      [1, false],
      [7, true],
      [text.length, false],
    ] as const) {
      const { answer } = await answerTo(text, {
        piece,
        chunked,
        fields: ["content-digest", "sha-256=:AAAA:"],
      });
      expect(answer?.status).toBe(200);
    }
    for (const { body, exchange } of bigCalls()) {
      expect(body).toEqual({ ...JSON.parse(text), model: "Org/Big" });
      expect(exchange.request.fields.get("content-digest")).toBeNull();
    }
    expect(bigCalls().length).toBe(3);
  });

  test("under the same name at every attempt", async () => {
    for (const engine of bigs) engine.faultsOf = () => (bigCalls().length === 1 ? { status: 503 } : {});
    expect((await answerTo({ model: "big", messages })).answer?.status).toBe(200);
    for (const engine of bigs) engine.faultsOf = null;
    expect(bigCalls().map(({ body }) => body.model)).toEqual(["Org/Big", "Org/Big"]);
  });
});

describe("who reads a body after heddle reads the same model there", () => {
  const twice = [
    `{"model":"small-1","messages":[],"model":"big"}`,
    `{"model":"small-1","messages":[],"mod\\u0065l":"big"}`,
    `{"model":null,"messages":[],"model":"big"}`,
    `{"model":"small-1","messages":[],"Model":"big"}`,
    `{"MODEL":"big","messages":[]}`,
    `{"model":"${"small-".repeat(400)}","messages":[]}`,
    `{"model":"small-1","messages":[]`,
    `["model","small-1"]`,
  ];
  for (const body of twice)
    test(`so ${body.slice(0, 60)} is refused`, async () => {
      expect((await answerTo(body)).answer?.status).toBe(400);
      expect([small.calls.length, bigCalls().length]).toEqual([0, 0]);
    });

  test("so a byte order mark makes another name of model", async () => {
    expect((await answerTo(`{"\ufeffmodel":"small-1","messages":[]}`)).answer?.status).toBe(404);
    expect(small.calls.length).toBe(0);
  });

  test("so x-heddle-model says nothing of a body that nobody reads", async () => {
    const path = "/v1/images/generations";
    const fields = ["x-heddle-model", "small-1"];
    expect((await answerTo({ model: "big" }, { path, fields })).answer?.status).toBe(404);
    expect((await answerTo({ model: "big" }, { path, fields, chunked: true })).answer?.status).toBe(404);
    expect(small.calls.length).toBe(0);
    const asked = { method: "GET", path: "/v1/files", fields };
    expect((await answerTo(null, asked)).body).not.toContain("no route");
  });

  test("so what is compressed, or no JSON by its type, is refused", async () => {
    const body = { model: "small-1", messages };
    expect((await answerTo(body, { type: "text/plain" })).answer?.status).toBe(415);
    expect((await answerTo(body, { fields: ["content-encoding", "gzip"] })).answer?.status).toBe(415);
    expect(small.calls.length).toBe(0);
  });

  test("also behind what is held of it: a second one there ends the request before it gets any further", async () => {
    const long = "w".repeat(limits.inferenceHeldBytesMax + 400_000);
    const body = `{"model":"small-1","messages":[{"role":"user","content":"${long}"}],"model":"big"}`;
    expect((await answerTo(body, { piece: 300_000 })).answer?.status).toBe(400);
    expect(small.calls.length).toBe(0);
    const good = `{"model":"small-1","messages":[{"role":"user","content":"${long}"}]}`;
    expect((await answerTo(good, { piece: 300_000 })).answer?.status).toBe(200);
    expect(small.calls[0]?.body).toEqual(JSON.parse(good));
  });
});

describe("a body is held until its model comes", () => {
  const before = (bytes: number, model: string) =>
    `{"messages":[{"role":"user","content":"${"w".repeat(bytes)}"}],"model":"${model}"}`;

  test("as far as one may be, and is renamed where it came late", async () => {
    const body = before(limits.modelHeldBytesMax - 200_000, "big");
    expect((await answerTo(body, { piece: 500_000 })).answer?.status).toBe(200);
    expect(bigCalls()[0]?.body.model).toBe("Org/Big");
    expect(held()).toBe(0);
  });

  test("then it goes by x-heddle-model, which it must not contradict, or is refused with 413", async () => {
    const body = before(limits.modelHeldBytesMax + 1_500_000, "small-1");
    const piece = 500_000;
    expect((await answerTo(body, { piece })).answer?.status).toBe(413);
    expect((await answerTo(body, { piece, fields: ["x-heddle-model", "big"] })).answer?.status).toBe(413);
    expect((await answerTo(body, { piece, fields: ["x-heddle-model", "small-2"] })).answer?.status).toBe(400);
    expect([small.calls.length, bigCalls().length]).toEqual([0, 0]);
    const { answer } = await answerTo(body, { piece, fields: ["x-heddle-model", "small-1"] });
    expect(answer?.status).toBe(200);
    expect(small.calls[0]?.body.model).toBe("small-1");
    expect(small.calls[0]?.exchange.request.fields.get("x-heddle-model")).toBeNull();
  });

  test("and all that slow clients hold together is bounded", async () => {
    const slow = await Promise.all(
      Array.from({ length: 4 }, () => begin(`{"messages":"${"w".repeat(3_500_000)}`, { chunked: true })),
    );
    await until(() => slow.some(({ heard }) => heard.over), "one of them was refused");
    const refused = slow.filter(({ heard }) => heard.over).map(({ heard }) => heard);
    for (const { answer, body } of refused) {
      // Its own body is not too long: it may come again.
      expect(answer?.status).toBe(503);
      expect(body).toContain("modelsHeldBytesMax");
    }
    expect(held()).toBeLessThanOrEqual(limits.modelsHeldBytesMax);
    for (const { client } of slow) client.destroy();
    await until(() => held() === 0, "nothing is held for who left");
  });
});

describe("where a backend does not answer", () => {
  const set = { remove: [], set: ["x-key", "of big"], add: [] };
  const lead = (): void => {
    const last = to("small", { weight: 0, fallback: true, filters: { model: "small-1" } });
    apply(
      rule(
        "back",
        { type: "Exact", value: "top" },
        to("big", { filters: { model: "Org/Big", requestHeaders: set } }),
        last,
      ),
    );
  };
  beforeAll(lead);
  afterAll(() => apply());
  const each = (faults: (typeof small)["faults"] | null): void => {
    for (const engine of bigs) engine.faultsOf = faults === null ? null : () => faults;
  };
  afterEach(() => each(null));

  for (const status of [429, 500, 503])
    test(`but with ${status}, its fallback gets the call as it came, under its own name of the model`, async () => {
      each({ status });
      expect((await answerTo({ model: "top", messages })).answer?.status).toBe(200);
      expect(small.calls.map(({ body }) => body.model)).toEqual(["small-1"]);
      expect(small.calls[0]?.exchange.request.fields.get("x-key")).toBeNull();
      expect(bigCalls()[0]?.exchange.request.fields.get("x-key")).toBe("of big");
    });

  test("a fallback without a name of its own gets the whole body as it came, however long names before it were", async () => {
    const first = to("big", { filters: { model: "Org/Big" } });
    apply(rule("back", { type: "Exact", value: "top" }, first, to("small", { weight: 0, fallback: true })));
    each({ status: 503 });
    expect((await answerTo({ model: "top", messages })).answer?.status).toBe(200);
    expect(small.calls.map(({ body }) => body)).toEqual([{ model: "top", messages }]);
    lead();
  });

  test("a fallback that takes no escaped slashes gets none", async () => {
    escapedSlashes = "refuse";
    const first = to("big");
    apply(rule("back", { type: "Exact", value: "top" }, first, to("small", { weight: 0, fallback: true })));
    each({ status: 503 });
    const { records } = planes.machine("b");
    const before = records.all.length;
    const { answer } = await answerTo({ model: "top", messages }, { path: "/v1%2Fa/chat/completions" });
    expect([answer?.status, bigCalls().length]).toEqual([400, 2]);
    // Not even its own proxy hears of it.
    expect(records.all.slice(before).map(({ service }) => service)).not.toContain("small.default");
    escapedSlashes = "keep";
    lead();
  });

  test("in time, so does it, and the engine hears that nobody waits", async () => {
    firstContentMs = 200;
    lead();
    each({ stall: "head" });
    const { client } = await begin({ model: "top", messages, stream: true }, { ends: true });
    await until(() => small.calls.length > 0, "the fallback is asked");
    await until(() => bigCalls().every(({ cancelledMs }) => cancelledMs !== null), "the engines hear it");
    client.destroy();
    expect(bigCalls().length).toBe(2);
    firstContentMs = 60_000;
    lead();
  });

  test("nothing is asked of its fallback as long as it does", async () => {
    for (const status of [200, 400]) {
      each(status === 200 ? null : { status });
      expect((await answerTo({ model: "top", messages })).answer?.status).toBe(status);
    }
    expect([bigCalls().length, small.calls.length]).toEqual([2, 0]);
  });

  test("what may act twice goes to no other, and of the failed answer all is passed on", async () => {
    each({ status: 500 });
    const { answer, body } = await answerTo({ model: "top", input: "x" }, { path: "/v1/responses" });
    expect([answer?.status, body.includes("on purpose")]).toEqual([500, true]);
    expect(small.calls.length).toBe(0);
  });

  test("and the fallback does not either, its answer is passed on, and nothing is left behind", async () => {
    each({ status: 503 });
    small.faultsOf = () => ({ status: 500 });
    expect((await answerTo({ model: "top", messages })).answer?.status).toBe(500);
    small.faultsOf = null;
    const { state } = planes.machine("a").plane;
    for (const name of ["big.default", "small.default"])
      for (const { load } of state?.destinations.get(name)?.endpoints.values() ?? [])
        expect([load.engine.tokens, load.engine.streams, load.pending]).toEqual([0, 0, 0]);
  });

  test("once the caller has some of its answer, no other one is asked", async () => {
    each({ breakAfter: 2 });
    const heard = await answerTo({ model: "top", messages, stream: true });
    expect(heard.body).toContain('"error"');
    expect([heard.ended, small.calls.length]).toEqual([false, 0]);
  });
});

describe("a list of models", () => {
  test("has what routes name and what services behind them list, as far as routes lead there", async () => {
    const { answer, body } = await answerTo(null, { method: "GET", path: "/v1/models" });
    expect(answer?.fields.get("content-type")).toBe("application/json");
    const { object, data } = JSON.parse(body) as { object: string; data: { id: string; object: string }[] };
    expect([object, ...data.map(({ id }) => id)]).toEqual(["list", "big", "small-1", "small-2"]);
    expect(new Set(data.map(({ object }) => object))).toEqual(new Set(["model"]));
  });

  test("comes in the shape of Anthropic to who speaks that", async () => {
    const fields = ["anthropic-version", "2023-06-01"];
    const { body } = await answerTo(null, { method: "GET", path: "/v1/models", fields });
    expect(JSON.parse(body)).toMatchObject({
      data: [{ type: "model", id: "big", display_name: "big" }, { id: "small-1" }, { id: "small-2" }],
      ...{ has_more: false, first_id: "big", last_id: "small-2" },
    });
  });

  test("has what is there where a service behind it does not answer", async () => {
    apply(rule("gone", { type: "Prefix", value: "gone-" }, to("llm")));
    const { body } = await answerTo(null, { method: "GET", path: "/v1/models" });
    expect(JSON.parse(body).data.length).toBe(3);
    apply();
  });
});

/** Calls to language models through two data planes over real sockets, before engines that are made for tests. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { noEdits } from "../../../src/wire/fields.ts";
import type { InferenceTraits } from "../../../src/model/inference.ts";
import { limits } from "../../../src/model/limits.ts";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import { Backend, Heard, request } from "../../support/http_relay.ts";
import { FakeEngine } from "../../support/inference/fake_engine.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";

const settings = { stepMs: 1, stepMsPerStream: 0, prefillPerSecond: 1e6, blocks: 100_000 };
const engines = [0, 1, 2].map(() => new FakeEngine(runtime, { settings, outputTokens: 4 }));
let planes: Planes;

beforeAll(async () => {
  const [one, ...more] = engines.map(({ port }) => port);
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } } },
    { name: "b", services: { llm: { app: one as number, more } } },
  );
  apply({});
});
function apply(more: Partial<InferenceTraits>): void {
  // What one test does to engines is none of the next one's business.
  const traffic = { circuitBreaking: { ejectedPercent: 0 } };
  planes.apply({
    llm: { protocol: "http", balance: "ewma", traffic, inference: { engine: "vllm", ...more } },
  });
}
afterAll(async () => {
  await planes.close();
  for (const engine of engines) engine.close();
});
beforeEach(() => {
  for (const engine of engines) {
    engine.calls.length = 0;
    engine.faultsOf = null;
    for (const fault of ["status", "headers", "stall", "length", "breakAfter"] as const)
      delete engine.faults[fault];
  }
});

const calls = () => engines.flatMap(({ calls }) => calls);

interface Post {
  readonly path?: string;
  readonly pieces?: number;
}

/** Sends a body in so many pieces. */
async function post(body: unknown, { path = "/v1/chat/completions", pieces = 1 }: Post = {}) {
  const client = await new Backend(runtime, planes.machine("a").port("caller"), "http/1.1").take();
  const heard = new Heard();
  const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  const fields = { ...noEdits, set: ["content-type", "application/json", "accept-encoding", "gzip"] };
  const stream = client.start(
    request({ method: "POST", target: path, authority: "llm.mesh", contentLength: bytes.length }),
    fields,
    heard,
  );
  const length = Math.ceil(bytes.length / pieces);
  for (let at = 0; at < bytes.length; at += length) {
    stream.write(bytes.subarray(at, at + length));
    if (pieces > 1) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  stream.end(null);
  return { heard, client, stream };
}

async function answerTo(body: unknown, options: Post = {}): Promise<Heard> {
  const before = planes.machine("a").records.all.length;
  const { heard, client } = await post(body, options);
  await until(() => heard.over, "the answer is over");
  await until(() => planes.machine("a").records.all.length > before, "its record is finished");
  client.destroy();
  return heard;
}

const lastRecord = (): ExchangeRecord => planes.machine("a").records.all.at(-1) as ExchangeRecord;
const say = (content: string, more: object = {}) => ({
  model: "tiny",
  messages: [{ role: "user", content }],
  ...more,
});

describe("a call to a language model", () => {
  test("reaches an engine byte for byte, however its body is cut, and is answered", async () => {
    for (const pieces of [1, 3, 40]) {
      const body = say("hello ".repeat(2_000), { stream: true });
      const heard = await answerTo(body, { pieces });
      expect(heard.answer?.status).toBe(200);
      expect(heard.body).toContain("[DONE]");
    }
    for (const { body } of calls()) expect(body).toEqual(say("hello ".repeat(2_000), { stream: true }));
  });

  test("has a record of its model, its tokens and its first content", async () => {
    await answerTo(say("count me", { stream: true, stream_options: { include_usage: true }, max_tokens: 6 }));
    const { inference, startedMs } = lastRecord();
    expect(inference).toMatchObject({
      ...{ operation: "chat", provider: "vllm", requestModel: "tiny", responseModel: "tiny" },
      ...{ stream: true, outputTokens: 6, finishReason: "stop" },
      usage: { output: 6 },
    });
    expect(inference?.usage.input).toBeGreaterThan(5);
    expect(inference?.firstContentMs).toBeGreaterThanOrEqual(startedMs);
    expect(inference?.lastContentMs).toBeGreaterThanOrEqual(inference?.firstContentMs ?? Infinity);
  });

  test("is asked without compression, which nobody could read", async () => {
    await answerTo(say("plain"));
    expect(calls()[0]?.exchange.request.fields.get("accept-encoding")).toBe("identity");
    expect(lastRecord().inference?.usage).toMatchObject({ output: 4 });
  });

  for (const path of ["/v1/messages", "/v1/responses", "/v1/completions", "/v1/embeddings"])
    test(`of ${path} is counted as well`, async () => {
      const own = path === "/v1/messages" ? say("x") : { model: "tiny", input: "x", prompt: "x" };
      await answerTo({ ...own, stream: path !== "/v1/embeddings" }, { path });
      expect(lastRecord().status).toBe(200);
      const { usage } = lastRecord().inference ?? {};
      if (path !== "/v1/completions") expect(usage?.input).toBeGreaterThan(0);
      if (path !== "/v1/embeddings") expect(lastRecord().inference?.outputTokens).toBe(4);
    });

  test("goes to the engine that has its beginning in the cache, turn after turn", async () => {
    const turns: string[] = [];
    for (let turn = 0; turn < 8; turn++) {
      turns.push(`turn ${turn} `.repeat(400));
      await answerTo({ model: "tiny", messages: turns.map((content) => ({ role: "user", content })) });
    }
    const busy = engines.filter((engine) => engine.calls.length > 0);
    expect(busy.map((engine) => engine.calls.length)).toEqual([8]);
    expect(busy[0]?.calls.at(-1)?.cachedTokens).toBeGreaterThan(4_000);
  });

  test("whose prompts have nothing in common spread over all engines", async () => {
    const many = Array.from({ length: 12 }, (_, at) => answerTo(say(`${at} `.repeat(3_000))));
    await Promise.all(many);
    for (const engine of engines) expect(engine.calls.length).toBeGreaterThanOrEqual(2);
  });

  test("that is no JSON, or longer than is held, goes on all the same", async () => {
    expect((await answerTo("{no json")).answer?.status).toBe(400);
    const long = say("w".repeat(limits.inferenceHeldBytesMax + 100_000));
    expect((await answerTo(long, { pieces: 20 })).answer?.status).toBe(200);
    expect(calls().at(-1)?.body).toEqual(long);
  });

  test("leaves nothing behind, however it ends", async () => {
    for (const engine of engines) engine.faults.breakAfter = 2;
    await answerTo(say("broken", { stream: true }));
    for (const engine of engines) Object.assign(engine.faults, { breakAfter: undefined, status: 500 });
    await answerTo(say("refused"));
    const live = planes.machine("a").plane.state?.destinations.get("llm.default");
    for (const { load } of live?.endpoints.values() ?? [])
      expect([load.engine.tokens, load.engine.streams, load.pending]).toEqual([0, 0, 0]);
  });
});

describe("an engine hears that its caller left", () => {
  for (const stall of ["head", "first", 2] as const)
    test(`while the caller waits for ${stall === 2 ? "the next token" : `the ${stall}`}`, async () => {
      for (const engine of engines) engine.faults.stall = stall;
      const { heard, client } = await post(say("never mind", { stream: true }));
      await until(() => calls().length === 1, "the engine has the call");
      if (stall === 2) await until(() => heard.body.includes("tok2"), "two tokens came");
      client.destroy();
      await until(() => calls()[0]?.cancelledMs !== null, "the engine hears it");
      for (const { model } of engines) await until(() => model.idle, "nothing runs");
    });
});

describe("a streamed answer", () => {
  afterEach(() => apply({}));

  test("that has no content in time is asked of another engine, while the caller has nothing of it", async () => {
    apply({ firstContentMs: 150 });
    for (const engine of engines) engine.faultsOf = () => (calls().length === 1 ? { stall: "head" } : {});
    const { heard, client } = await post(say("wake up", { stream: true }));
    await until(() => heard.over, "another one answers");
    expect([heard.answer?.status, heard.body.includes("[DONE]")]).toEqual([200, true]);
    await until(
      () => calls().filter(({ cancelledMs }) => cancelledMs !== null).length === 1,
      "the first one hears that it is not waited for",
    );
    client.destroy();
  });

  const cut = [
    ["first", { firstContentMs: 150 }, "/v1/chat/completions", 'data: {"error":{"message":'],
    [2, { nextContentMs: 150 }, "/v1/chat/completions", 'data: {"error":{"message":'],
    [
      2,
      { nextContentMs: 150 },
      "/v1/messages",
      'event: error\ndata: {"type":"error","error":{"type":"api_error"',
    ],
    [2, { nextContentMs: 150 }, "/v1/responses", 'event: error\ndata: {"type":"error","code":"server_error"'],
  ] as const;
  for (const [stall, times, path, error] of cut)
    test(`that stands still after ${stall} ends with an error in the form of ${path}, and never cleanly`, async () => {
      apply(times);
      for (const engine of engines) engine.faults.stall = stall;
      const own = path === "/v1/responses" ? { model: "tiny", input: "x" } : say("x");
      const heard = await answerTo({ ...own, stream: true }, { path });
      expect(heard.body).toContain(error);
      expect([heard.ended, heard.failure === null]).toEqual([false, false]);
      expect(lastRecord().outcome).toMatchObject({ flag: "SI", side: "upstream" });
      await until(() => calls().at(-1)?.cancelledMs !== null, "the engine hears it");
    });

  test("on which nothing comes gets comments, between events alone", async () => {
    apply({ heartbeatMs: 50 });
    for (const engine of engines) engine.faults.stall = 2;
    const { heard, client } = await post(say("slow", { stream: true }));
    await until(() => heard.body.split(": heddle\n\n").length > 3, "three comments came");
    expect(heard.body.replaceAll(": heddle\n\n", "")).toMatch(/^(?:data: [^\n]+\n\n)+$/);
    client.destroy();
  });

  test("that said how long it is gets nothing that is not of it", async () => {
    apply({ heartbeatMs: 50, nextContentMs: 300 });
    for (const { faults } of engines) Object.assign(faults, { stall: 2, length: 5_000 });
    const heard = await answerTo({
      model: "tiny",
      stream: true,
      messages: [{ role: "user", content: "hi" }],
    });
    expect(heard.answer?.fields.get("content-length")).toBe("5000");
    expect(heard.body).toContain("data: ");
    expect(heard.body).not.toContain("heddle");
    expect(heard.body).not.toContain('"error"');
    apply({});
  });

  test("that an engine breaks off ends with an error, too", async () => {
    for (const engine of engines) engine.faults.breakAfter = 2;
    const heard = await answerTo(say("break", { stream: true }));
    expect(heard.body).toContain('data: {"error":');
    expect([heard.ended, heard.failure === null]).toEqual([false, false]);
  });
});

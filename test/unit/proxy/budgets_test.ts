/** Budgets of tokens through two data planes over real sockets, before an engine that is made for tests, dealt out by a controller's part. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { SharedBudgets } from "../../../src/controller/budgets/shared_budgets.ts";
import { budgetKeyName } from "../../../src/model/budget.ts";
import type { TokenBudget } from "../../../src/model/inference.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request } from "../../support/http_relay.ts";
import { FakeEngine } from "../../support/inference/fake_engine.ts";
import { Planes, runtime, type DestinationPlan } from "../../support/planes.ts";
import { testMs } from "../../support/patience.ts";
import { until } from "../../support/sockets.ts";

const settings = { stepMs: 1, stepMsPerStream: 0, prefillPerSecond: 1e6, blocks: 100_000 };
const engine = new FakeEngine(runtime, { settings, outputTokens: 20 });
let planes: Planes;
let budgets: readonly TokenBudget[] = [];
/** As if the controller had run for long. */
const clock = { ...runtime.clock, now: () => runtime.clock.now() + later };
let later = 0;
let dealer: SharedBudgets;
let away = false;
let granted = 0;

beforeAll(async () => {
  planes = await Planes.start(
    {
      ...{ name: "a", services: { caller: { app: 9 } } },
      askBudgets: (asks, part = 0) => {
        if (away) return Promise.reject(new Error("no controller answered"));
        const answer = dealer.ask("a", { part, asks });
        granted = Math.max(granted, ...Object.values(answer.grants).map((grant) => grant.granted));
        return Promise.resolve(answer);
      },
    },
    { name: "b", services: { llm: { app: engine.port } } },
  );
});
afterAll(async () => {
  await planes.close();
  engine.close();
});
beforeEach(() => {
  engine.calls.length = 0;
  delete engine.faults.stall;
  delete engine.faults.type;
  away = false;
  granted = 0;
});

let names = 0;

/** Puts budgets in force that nobody has spent of, and a controller that knows them. */
function spend(...own: readonly Omit<TokenBudget, "name" | "windowMs">[]): void {
  enforce(own);
}

/** Behind `routes`, where there are any. */
function enforce(own: readonly Omit<TokenBudget, "name" | "windowMs">[], routes?: DestinationPlan["routes"]) {
  budgets = own.map((each) => ({ ...each, name: `budget-${names++}`, windowMs: 60_000 }));
  later = 0;
  dealer = new SharedBudgets({
    clock,
    limitOf: (service, budget) =>
      service === "llm.default" ? (budgets.find(({ name }) => name === budget) ?? null) : null,
  });
  later = limits.budgetGrantMs + limits.budgetAskMs;
  const inference = { engine: "vllm", budgets } as const;
  const plan = { protocol: "http", balance: "ewma", inference } as const;
  planes.apply({ llm: { ...plan, ...(routes === undefined ? {} : { routes }) } });
}

interface Post {
  readonly path?: string;
  readonly fields?: readonly string[];
}

async function begin(body: object | string, { path = "/v1/chat/completions", fields = [] }: Post = {}) {
  const client = await new Backend(runtime, planes.machine("a").port("caller"), "http/1.1").take();
  const heard = new Heard();
  const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  const stream = client.start(
    request({ method: "POST", target: path, authority: "llm.mesh", contentLength: bytes.length }),
    { ...noEdits, set: ["content-type", "application/json", ...fields] },
    heard,
  );
  stream.write(bytes);
  stream.end(null);
  return { heard, client };
}

async function answerTo(body: object | string, options: Post = {}): Promise<Heard> {
  const { heard, client } = await begin(body, options);
  await until(() => heard.over, "the answer is over");
  client.destroy();
  return heard;
}

const say = (content: string, more: object = {}) => ({
  model: "tiny",
  messages: [{ role: "user", content }],
  ...more,
});

/** Tokens that nobody may spend any more, of a key, once all that is over was told. */
async function spentOf(tokens: number): Promise<void> {
  const counts = {
    life: "probe",
    sequence: 0,
    granted: 0,
    spent: 0,
    returned: 0,
    ageMs: 0,
    inHand: 0,
    pace: 0,
  };
  let sequence = 0;
  await until(() => {
    // What is left of it can be had by somebody else, to the last token.
    const [budget] = budgets as [TokenBudget];
    const digest = "4f53cda18c2baa0c0354bb5f";
    const name = budgetKeyName("llm.default", budget.name, digest);
    const wanted = [budget.tokens - tokens];
    const probe = dealer.ask("probe", {
      part: 0,
      asks: { [name]: { ...counts, sequence: ++sequence, wanted } },
    });
    return probe.grants[name]?.granted === wanted[0];
  }, `no more than ${tokens} are spent or held`);
}

describe("a budget of tokens", () => {
  test("is held before a call, and what it did not spend comes back after it", async () => {
    spend({ tokens: 10_000, per: [] });
    const heard = await answerTo(say("hello", { max_tokens: 8 }));
    expect(heard.answer?.status).toBe(200);
    expect(granted).toBeGreaterThan(8);
    const { usage } = JSON.parse(heard.body) as {
      usage: { prompt_tokens: number; completion_tokens: number };
    };
    expect(usage.completion_tokens).toBe(8);
    await spentOf(usage.prompt_tokens + 8);
  });

  test("refuses the call that it has no room for, and says when to come again", async () => {
    spend({ tokens: 60, per: [] });
    expect((await answerTo(say("hello", { max_tokens: 20 }))).answer?.status).toBe(200);
    const refused = await answerTo(say("hello ".repeat(20), { max_tokens: 20 }));
    expect(refused.answer?.status).toBe(429);
    expect(Number(refused.answer?.fields.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(Number(refused.answer?.fields.get("retry-after"))).toBeLessThanOrEqual(60);
    expect(refused.body).toContain("inference.budgets");
    expect(engine.calls.length).toBe(1);
  });

  test("is there for each value of a header by itself", async () => {
    spend({ tokens: 60, per: [{ header: "x-team" }] });
    const call = (team: string) => answerTo(say("hello", { max_tokens: 30 }), { fields: ["x-team", team] });
    expect((await call("red")).answer?.status).toBe(200);
    expect((await call("red")).answer?.status).toBe(429);
    expect((await call("blue")).answer?.status).toBe(200);
  });

  test("beside another one lets a call in that fits into both, and takes nothing of one where the other refuses", async () => {
    spend({ tokens: 10_000, per: [] }, { tokens: 30, per: ["caller"] });
    const first = await answerTo(say("hello", { max_tokens: 20 }));
    expect((await answerTo(say("hello", { max_tokens: 20 }))).answer?.status).toBe(429);
    const { usage } = JSON.parse(first.body) as { usage: { total_tokens: number } };
    await spentOf(usage.total_tokens);
  });

  test("counts tokens by kind as its weights say", async () => {
    spend({ tokens: 10_000, per: [], weights: { input: 0, cached: 0, output: 10 } });
    await answerTo(say("hello ".repeat(500), { max_tokens: 8 }));
    await spentOf(80);
  });

  test("that is spent in the middle of a stream ends it between two events, as if it were full", async () => {
    spend({ tokens: 100, per: [] });
    engine.faults.stall = 150;
    const heard = await answerTo(say("go", { stream: true, max_tokens: 3_000 }));
    const events = heard.body.split("\n\n").filter((text) => text !== "");
    expect(events.at(-1)).toBe("data: [DONE]");
    for (const event of events.slice(0, -1)) JSON.parse(event.slice("data: ".length));
    expect(events.at(-2)).toContain('"finish_reason":"length"');
    expect(events.length).toBeGreaterThan(90);
    await until(
      () => engine.calls.every(({ cancelledMs }) => cancelledMs !== null),
      "the engine hears of it",
    );
  });

  test("holds nothing any more when a client left, and counts the prompt that the engine had begun with", async () => {
    spend({ tokens: 10_000, per: [] });
    engine.faults.stall = "first";
    const { client } = await begin(say("hello", { stream: true }));
    await until(() => engine.calls.length === 1, "the engine was asked");
    client.destroy();
    await spentOf(10);
  });

  test("refuses prompts that nobody can count", async () => {
    spend({ tokens: 10_000, per: ["model"] });
    const statuses = [
      await answerTo(say("hello"), { fields: ["content-encoding", "gzip"] }),
      await answerTo('{"model":"cheap","model":"dear","messages":[]}'),
      await answerTo("[]"),
      await answerTo(`{"model":"dear"${" ".repeat(2_000)},"messages":[]}`),
      await answerTo(`{"messages":[],"pad":"${"x".repeat(1_500_000)}","model":"dear"}`),
    ].map(({ answer }) => answer?.status);
    expect(statuses).toEqual([415, 415, 415, 415, 415]);
    expect(engine.calls.length).toBe(0);
  });

  test("has no room for a prompt that is longer than all of it", async () => {
    spend({ tokens: 100, per: [] });
    expect((await answerTo(say("hello ".repeat(1_000), { max_tokens: 1 }))).answer?.status).toBe(429);
    expect(engine.calls.length).toBe(0);
  });

  test("is that of who asks as routes and policies say, whatever the caller writes", async () => {
    const match = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] } as const;
    const requestHeaders = { remove: [], set: ["x-team", "red"], add: [] };
    const backend = {
      service: { namespace: "default", name: "llm" },
      subset: null,
      weight: 1,
      invalid: null,
    };
    const route = { name: "r/1", match, requestTimeoutMs: null, idempotent: false, policies: [] };
    enforce(
      [{ tokens: 60, per: [{ header: "x-team" }] }],
      [{ ...route, filters: { requestHeaders }, backends: [backend] }],
    );
    const call = (team: string) => answerTo(say("hello", { max_tokens: 30 }), { fields: ["x-team", team] });
    expect((await call("blue")).answer?.status).toBe(200);
    expect((await call("green")).answer?.status).toBe(429);
  });

  test("loses what was held for a call whose answer cannot be read", async () => {
    spend({ tokens: 60, per: [] });
    engine.faults.type = "application/octet-stream";
    const call = () => answerTo(say("hello", { max_tokens: 30 }));
    expect((await call()).answer?.status).toBe(200);
    expect((await call()).answer?.status).toBe(429);
  });

  test(
    "that is closed without a controller admits nobody then, and one that is shared goes on",
    async () => {
      spend({ tokens: 10_000, per: [], whenAway: "closed" });
      away = true;
      const refused = await answerTo(say("hello"));
      expect(refused.answer?.status).toBe(503);
      expect(refused.body).toContain("is not reached");
      away = false;
      spend({ tokens: 10_000, per: [], whenAway: "share" });
      expect((await answerTo(say("hello"))).answer?.status).toBe(200);
      away = true;
      expect((await answerTo(say("hello", { max_tokens: 1_100 }))).answer?.status).toBe(200);
    },
    testMs,
  );
});

/** Lists of models that are made of what several services say: whom the caller's proxy asks, and what strange answers do. */
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import type { CompiledRoute } from "../../../src/model/snapshot.ts";
import type { RouteMatch } from "../../../src/model/document.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request, serve } from "../../support/http_relay.ts";
import { named, Planes, runtime } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";

/** Authorization that each service got. */
const told: string[] = [];
let data: readonly object[] = [];
/** Whether lists come. */
let answers = true;
const apps = ["open", "theirs", "files", "shop"].map((name) =>
  serve(
    runtime,
    (exchange) => {
      told.push(`${name} ${exchange.request.fields.get("authorization")}`);
      if (!answers) return;
      const bytes = new TextEncoder().encode(JSON.stringify({ data }));
      exchange.respond(200, null, noEdits, bytes.length);
      exchange.write(bytes);
      exchange.end(null);
    },
    { version: "http/1.1" },
  ),
);
let planes: Planes;

const everything: RouteMatch = { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] };
function rule(service: string, more: Partial<RouteMatch>): CompiledRoute {
  const backends = [{ service: named(service), subset: null, weight: 1, invalid: null }];
  return {
    ...{ name: service, backends, policies: [], requestTimeoutMs: null, idempotent: false },
    match: { ...everything, ...more },
  };
}

beforeAll(async () => {
  const [open, theirs, files, shop] = apps.map(({ port }) => ({ app: port }));
  const services = { llm: { app: 9 }, open, theirs, files, shop } as Record<string, { app: number }>;
  planes = await Planes.start({ name: "a", services: { caller: { app: 9 } } }, { name: "b", services });
  const routes = [
    rule("theirs", { from: ["spiffe://another.mesh/ns/default/sa/web"] }),
    rule("shop", { host: "shop.example" }),
    rule("files", { path: { type: "PathPrefix", value: "/files" } }),
    rule("open", { model: { type: "Prefix", value: "small-" } }),
  ];
  const plain = { protocol: "http" } as const;
  const llm = { ...plain, inference: { engine: "vllm" }, routes } as const;
  planes.apply({ llm, open: plain, theirs: plain, files: plain, shop: plain });
});
afterAll(async () => {
  await planes.close();
  for (const app of apps) app.close();
});
beforeEach(() => {
  told.length = 0;
  answers = true;
});

async function ask(...fields: string[]) {
  const client = await new Backend(runtime, planes.machine("a").port("caller"), "http/1.1").take();
  const heard = new Heard();
  const head = request({ method: "GET", target: "/v1/models", authority: "llm.mesh", contentLength: 0 });
  client.start(head, { ...noEdits, set: fields }, heard).end(null);
  return { heard, client };
}

async function listed(...fields: string[]): Promise<Heard> {
  const { heard, client } = await ask(...fields);
  await until(() => heard.over, "the list is there");
  client.destroy();
  return heard;
}

test("only services that calls of the caller can lead to hear of its credentials", async () => {
  data = [{ id: "small-1" }];
  expect(JSON.parse((await listed("authorization", "Bearer secret")).body).data.length).toBe(1);
  expect(told).toEqual(["open Bearer secret"]);
});

test.each([1e20, -1e20, 1e300, 8.64e12 + 1])("a time that is no date (%p) is left out", async (created) => {
  data = [{ id: "small-1", created }];
  const { answer, body } = await listed("anthropic-version", "2023-06-01");
  expect(answer?.status).toBe(200);
  expect(JSON.parse(body).data[0].created_at).toBe("1970-01-01T00:00:00.000Z");
});

test("of what one service lists no more counts than a bound", async () => {
  data = Array.from({ length: limits.modelsListedMax + 10 }, (_, at) => ({ id: `small-${at}` }));
  expect(JSON.parse((await listed()).body).data.length).toBe(limits.modelsListedMax);
});

test("lists that do not come take a bounded part of what policies may ask, and are given up for others when they are over", async () => {
  answers = false;
  data = [{ id: "small-1" }];
  const slow = await Promise.all(Array.from({ length: limits.modelListsMax }, () => ask()));
  await until(() => told.length === limits.modelListsMax, "all are asked");
  const refused = await listed();
  expect(refused.answer?.status).toBe(503);
  expect(refused.body).toContain("modelListsMax");
  await until(() => slow.every(({ heard }) => heard.over), "they are given up");
  for (const { client } of slow) client.destroy();
  answers = true;
  expect((await listed()).answer?.status).toBe(200);
});

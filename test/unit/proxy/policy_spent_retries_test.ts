/** An answer of the service that is not asked for again because its retries are used up is the service's all the same: policies see it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Backend, Heard, request, serve } from "../../support/http_relay.ts";
import { Planes, runtime } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { until } from "../../support/sockets.ts";

const policies = new ScriptedPolicies();
const calls = 10;
const app = serve(
  runtime,
  (exchange) => {
    exchange.accept({ data() {}, end() {}, aborted() {}, writable() {} });
    const set = ["content-type", "text/event-stream", "x-secret", "1"];
    exchange.respond(503, null, { ...noEdits, set }, -1);
    exchange.write(new TextEncoder().encode("data: secret\n\n"));
    exchange.end(null);
  },
  { version: "http/1.1" },
);

let planes: Planes;
beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 } }, policies: createPolicyChain(policies, runtime.clock) },
    { name: "b", services: { one: { app: app.port } } },
  );
  const traffic = { retries: { codes: [503] }, retryBudget: { percent: 10, min: 3 } };
  planes.apply({ one: { protocol: "http", policies: [policies.binding()], traffic } });
});
afterAll(async () => {
  await planes.close();
  app.close();
});

test("policies see the answers and events of a service whose retries are used up", async () => {
  policies.says = {
    onResponse: { do: "next", headers: { remove: ["x-secret"] } },
    onEvent: (events: unknown) => ({ do: "events", events: (events as unknown[]).map(() => null) }),
  };
  const client = new Backend(runtime, planes.machine("a").port("caller"), "http/1.1");
  for (let at = 0; at < calls; at++) {
    const heard = new Heard();
    (await client.take()).start(request({ authority: "one.mesh" }), noEdits, heard).end(null);
    await until(() => heard.over, "it is answered");
    expect([heard.answer?.status, heard.answer?.fields.get("x-secret"), heard.body]).toEqual([503, null, ""]);
  }
  await until(() => planes.machine("a").records.of("outbound").length === calls, "all are recorded");
  const flags = planes
    .machine("a")
    .records.of("outbound")
    .map(({ outcome }) => outcome?.flag);
  expect(flags).toContain("URX");
});

/** Scratch is of one exchange: clients choose request ids, and a service that passes its own on gives one to all of its calls. */
import { afterEach, expect, test } from "bun:test";
import { PolicyCalls } from "../../../src/app/shards/policy_calls.ts";
import type { ShardProcess } from "../../../src/app/shards/shard_process.ts";
import type { PolicyBinding, Snapshot } from "../../../src/model/snapshot.ts";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { LaterHooks } from "../../../src/policy/later_hooks.ts";
import { encodeCall, flatten, type PolicyCall } from "../../../src/policy/policy_call.ts";
import { createRealm } from "../../../src/policy/realm.ts";
import { definePolicy } from "../../../src/policy/sdk.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { HeadFields } from "../../../src/wire/head_fields.ts";
import * as v from "valibot";

const [hostDate, dateNow, random] = [Date, Date.now, Math.random];
/** A realm takes clock and chance of all that it is loaded beside. */
function giveBack(): void {
  Object.defineProperty(globalThis, "Date", { value: hostDate });
  Object.defineProperty(hostDate, "now", { value: dateNow });
  Object.defineProperty(hostDate.prototype, "constructor", { value: hostDate });
  Object.defineProperty(Math, "random", { value: random });
}
afterEach(giveBack);

/** Answers with what it finds of the request when the answer comes. */
const policy = definePolicy({
  api: 1,
  name: "remembers",
  version: "1.0.0",
  options: v.strictObject({}),
  onError: "closed",
  onRequest(request, context) {
    context.scratch.set("path", request.path);
    return { do: "next" };
  },
  onResponse(_response, context) {
    return { do: "next", headers: { set: { "x-path": String(context.scratch.get("path")) } } };
  },
});

const about = (target: string): PolicyCall => ({
  ...{ hook: "onRequest", method: "GET", authority: "cart.mesh", target, fields: new HeadFields() },
  ...{ sourceId: "", service: { name: "cart", namespace: "shop" }, requestId: "given" },
});

/** Asks about two requests with one id, then about their answers; the calls as they would go to the sealed process. */
function calls(): PolicyCall[] {
  const host = new ScriptedPolicies();
  const chain = createPolicyChain(host, { now: () => 0 });
  const begun: LaterHooks[] = [];
  for (const target of ["/one", "/other"]) {
    chain.evaluate([host.binding()], about(target), ({ later }) => begun.push(later as LaterHooks), null);
  }
  for (const later of begun)
    later.answered({ status: 200, fields: new HeadFields(), endpoint: "", ms: 1, instanceMs: 1 }, () => {});
  return host.asked;
}

function answersOf(asked: readonly PolicyCall[]): unknown[] {
  const realm = createRealm(policy, { counterKeysMax: 8, scratchesMax: 8, waitsMax: 16, notesMax: 8 });
  giveBack();
  realm.bind(0, "{}");
  const count = realm.take(`[0,[${asked.map((call) => encodeCall(0, call)).join(",")}]]`);
  return Array.from({ length: count }, (_, at) => JSON.parse(realm.run(at)));
}

const saw = (path: string) => ({ do: "next", headers: { set: { "x-path": path } } });

test("what a policy keeps of a request is there for its answer, and for no other of the same request id", () => {
  expect(answersOf(calls()).slice(2)).toEqual([saw("/one"), saw("/other")]);
});

test("a proxy that does not say which exchange it is asks by request id", () => {
  const old = calls().map(({ exchange: _, ...call }) => call);
  expect(answersOf(old).slice(2)).toEqual([saw("/other"), saw("/other")]);
});

test("exchanges of several event loops are several, though each loop counts them for itself", () => {
  const asked: PolicyCall[] = [];
  const binding = { hash: "a", name: "a", options: {} };
  const host = {
    evaluate: (_binding: PolicyBinding, call: PolicyCall) => void asked.push(call),
    trip: () => {},
  };
  const keeper = new PolicyCalls(host, () => []);
  const snapshot = { destinations: [{ routes: [], policies: [binding] }], locals: [] } as unknown as Snapshot;
  keeper.know({ number: 1, snapshot });
  for (const pid of [7, 8])
    for (const call of calls())
      keeper.take({ pid } as ShardProcess, {
        ...{ kind: "policy-call", call: 1, binding: { snapshot: 1, at: 0 } },
        asked: { ...call, fields: flatten(call.fields) },
      });
  expect(new Set(asked.map(({ exchange }) => exchange)).size).toBe(4);
});

/** onConnection, at both sides, over a shared connection, one of its own and this machine: whatever it does, and once more at the end. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createPolicyChain } from "../../../src/policy/chain.ts";
import type { PolicySummary } from "../../../src/policy/sdk.ts";
import type { ExchangeRecord } from "../../../src/telemetry/record.ts";
import { connectLocal, expectEnd, expectHeard, expectReset, openTo, send } from "../../support/opaque.ts";
import { Planes, runtime, type DestinationPlan, type TestMachine } from "../../support/planes.ts";
import { ScriptedPolicies } from "../../support/scripted_policies.ts";
import { listen, until } from "../../support/sockets.ts";

const policies = new ScriptedPolicies();
const app = listen(runtime);
const ways = ["shared", "own", "here"] as const;
const sides = ["caller", "server"] as const;
type Side = (typeof sides)[number];

let planes: Planes;
let a: TestMachine;
beforeAll(async () => {
  const named = (way: string) => sides.map((side) => `${way}-${side}`);
  const running = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, { app: app.port }]));
  const chain = () => createPolicyChain(policies, runtime.clock);
  const all = ways.flatMap(named);
  planes = await Planes.start(
    {
      name: "a",
      services: { caller: { app: 9, upstreams: all }, ...running(named("here")) },
      policies: chain(),
    },
    { name: "b", services: running([...named("shared"), ...named("own")]), policies: chain() },
  );
  const bindings = [policies.binding()];
  const plan = (name: string): DestinationPlan => ({
    protocol: "tcp",
    ...(name.startsWith("own") ? { transport: "own" } : {}),
    ...(name.endsWith("caller") ? { policies: bindings } : { serverPolicies: bindings }),
  });
  planes.apply(Object.fromEntries(all.map((name) => [name, plan(name)])));
  a = planes.machine("a");
});
afterAll(async () => {
  await planes.close();
  app.listener.close();
});
beforeEach(() => policies.reset());

const lastRecord = (way: string, side: Side): ExchangeRecord => {
  const machine = side === "caller" || way === "here" ? a : planes.machine("b");
  const found = machine.records.of(side === "caller" ? "outbound" : "inbound").at(-1);
  if (found === undefined) throw new Error("Nothing was recorded");
  return found;
};
const heardEnd = (times = 1) => until(() => policies.times("onEnd") === times, "the policy hears of the end");

for (const way of ways) {
  for (const side of sides) {
    describe(`a connection (${way}) at the ${side}'s side`, () => {
      const service = `${way}-${side}`;

      for (const later of [false, true])
        test(`that a policy allows ${later ? "later" : "at once"} carries bytes, and its end is told once`, async () => {
          if (later) policies.later.add("onConnection");
          const opening = openTo(a, service, app);
          if (later) {
            await until(() => policies.waits, "the policy is asked");
            policies.release();
          }
          const { client, app: server } = await opening;
          send(client, "hello");
          await expectHeard(server, "hello");
          client.socket.shutdown();
          await expectEnd(server);
          server.socket.shutdown();
          await expectEnd(client);
          await heardEnd();
          expect(policies.asked[0]).toMatchObject({ hook: "onConnection", method: "tcp" });
          expect(policies.about("onEnd") as PolicySummary).toMatchObject({ flag: "", bytesIn: 5 });
        });

      const refusals: Readonly<Record<string, readonly [said: unknown, flag: string]>> = {
        "is refused": [{ do: "deny", reason: "no" }, "PD"],
        "meets a policy that is late": [new Error("late"), "PE"],
        "meets a policy that throws": [{ do: "fail", reason: "no" }, "PE"],
        "meets a policy that says what is no decision": [{ do: "route", service: "x" }, "PE"],
      };
      for (const [what, [said, flag]] of Object.entries(refusals))
        test(`that ${what} is broken off`, async () => {
          policies.says = { onConnection: said };
          const client = await connectLocal(a.port("caller", service));
          await expectReset(client);
          await until(() => policies.times("onEnd") >= 1, "the policy hears of the end");
          expect(lastRecord(way, side).outcome).toMatchObject({ flag, side: "policy" });
          expect(policies.times("onEnd")).toBe(policies.times("onConnection"));
        });

      test("whose client leaves while a policy decides is over, and its end is told once", async () => {
        policies.later.add("onConnection");
        const client = await connectLocal(a.port("caller", service));
        await until(() => policies.waits, "the policy is asked");
        client.socket.reset();
        await until(() => a.records.openTcp === 0, "the connection is recorded");
        policies.release();
        await heardEnd();
      });
    });
  }
}

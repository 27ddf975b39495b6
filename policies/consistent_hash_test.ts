/** consistent-hash keeps keys where they are, within a bound. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./consistent_hash.ts";

const endpoints = (many: number, inflight = 0) =>
  Array.from({ length: many }, (_, at) => ({
    ...{ id: `vm-${at}`, zone: "", inflight },
    ...{ weight: 1, labels: {}, ewmaMs: 1 },
  }));
const under = new PolicyUnderTest(policy, { header: "X-Tenant" });
const placeOf = async (key: string, among: ReturnType<typeof endpoints>) =>
  (await under.pick(among, { headers: ["x-tenant", key] }))?.[0] ?? "";

test("a key stays, and only the keys of one that went move", async () => {
  const counts = new Map<string, number>();
  for (let at = 0; at < 500; at++) {
    const before = await placeOf(`t-${at}`, endpoints(5));
    counts.set(before, (counts.get(before) ?? 0) + 1);
    const after = await placeOf(`t-${at}`, endpoints(4));
    if (before !== "vm-4") expect(after).toBe(before);
  }
  expect(Math.min(...counts.values())).toBeGreaterThan(60);
});

test("one that has more than its share gets no more", async () => {
  const all = endpoints(4, 10);
  const place = await placeOf("hot", all);
  const loaded = all.map((each) => (each.id === place ? { ...each, inflight: 30 } : each));
  expect(await placeOf("hot", loaded)).not.toBe(place);
});

test("without the header the balancer chooses; settings that do not fit are named", async () => {
  expect(await under.pick(endpoints(3))).toBeNull();
  expect(wrongIn(policy, { header: "", factor: 0.5 })).toEqual(["header", "factor"]);
});

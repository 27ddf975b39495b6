/** idempotency-key lets a request happen once, and again when it failed. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./idempotency_key.ts";

const under = () => new PolicyUnderTest(policy, { within: 10 });
const post = (key: string) => ({ method: "POST", path: "/pay", headers: ["idempotency-key", key] });

test("while it is under way, and after it went well for a while, another one is refused", async () => {
  const policyUnder = under();
  expect(await policyUnder.request(post("k"), { requestId: "1" })).toEqual({ do: "next" });
  expect(await policyUnder.request(post("k"), { requestId: "2" })).toMatchObject({ status: 409 });
  // That one ends, too, and changes nothing.
  await policyUnder.end({ status: 409 }, { requestId: "2" });
  expect(await policyUnder.request(post("k"), { requestId: "3" })).toMatchObject({ status: 409 });
  await policyUnder.end({ status: 200 }, { requestId: "1" });
  expect(await policyUnder.request(post("k"), { requestId: "4" })).toMatchObject({ status: 409 });
  policyUnder.nowMs += 10_001;
  expect(await policyUnder.request(post("k"), { requestId: "5" })).toEqual({ do: "next" });
});

for (const [how, summary] of Object.entries({
  "with 5xx": { status: 502 },
  "without an answer": { status: 0, flag: "DC" },
}))
  test(`one that failed ${how} may be sent again`, async () => {
    const policyUnder = under();
    await policyUnder.request(post("k"), { requestId: "1" });
    await policyUnder.end(summary, { requestId: "1" });
    expect(await policyUnder.request(post("k"), { requestId: "2" })).toEqual({ do: "next" });
  });

test("keys are a caller's own, of one path and method; others need none unless it is required", async () => {
  const policyUnder = under();
  await policyUnder.request(post("k"), { requestId: "1", source: "a" });
  expect(await policyUnder.request(post("k"), { requestId: "2", source: "b" })).toEqual({ do: "next" });
  expect(await policyUnder.request({ ...post("k"), path: "/x" }, { requestId: "3", source: "a" })).toEqual({
    do: "next",
  });
  expect(await policyUnder.request({ method: "POST" }, { requestId: "4" })).toEqual({ do: "next" });
  const strict = new PolicyUnderTest(policy, { required: true });
  expect(await strict.request({ method: "POST" })).toMatchObject({ status: 400 });
  expect(await strict.request()).toEqual({ do: "next" });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { header: "", within: 0 })).toEqual(["header", "within"]);
});

/** size-limit goes by the declared length. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./size_limit.ts";

test("what is declared longer is refused, what is not passes", async () => {
  const under = new PolicyUnderTest(policy, { bytes: 10 });
  const post = async (...headers: string[]) => await under.request({ method: "POST", headers });
  expect(await post("content-length", "10")).toEqual({ do: "next" });
  expect(await post("content-length", "11")).toMatchObject({ status: 413 });
  expect(await post("content-length", "x")).toMatchObject({ status: 413 });
  expect(await post("transfer-encoding", "chunked")).toEqual({ do: "next" });
});

test("what declares nothing is refused where the options say so", async () => {
  const under = new PolicyUnderTest(policy, { bytes: 10, undeclared: "refuse" });
  expect(await under.request({ method: "POST" })).toMatchObject({ status: 411 });
  expect(await under.request({ headers: ["transfer-encoding", "chunked"] })).toMatchObject({ status: 411 });
  expect(await under.request()).toEqual({ do: "next" });
});

test("what declared nothing and turned out to be longer is counted and told", async () => {
  const under = new PolicyUnderTest(policy, { bytes: 10 });
  const through = async (headers: readonly string[], bytesIn: number, requestId: string) => {
    await under.request({ method: "POST", headers }, { requestId });
    await under.end({ bytesIn }, { requestId });
  };
  await through(["transfer-encoding", "chunked"], 10, "a");
  await through(["content-length", "11"], 11, "b");
  expect(under.notes).toEqual([]);
  await through(["transfer-encoding", "chunked"], 11, "c");
  expect(under.notes.map(([what, name]) => [what, name])).toEqual([
    ["count", "over"],
    ["log", "warn"],
  ]);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { bytes: -1, undeclared: "maybe" })).toEqual(["bytes", "undeclared"]);
});

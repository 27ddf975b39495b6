/** What of a body that came whole policies see. */
import { expect, test } from "bun:test";
import { limits } from "../../../src/model/limits.ts";
import { bodyInFull } from "../../../src/policy/bodies.ts";

const seen = (text: string) => bodyInFull(new TextEncoder().encode(text)).unread;
const nested = (depth: number): string => `${'{"a":['.repeat(depth / 2)}1${"]}".repeat(depth / 2)}`;

test("a body that is nested so deep that policies would run out of stack is not shown", () => {
  expect(seen(nested(limits.policyBodyDepthMax))).toBeNull();
  expect(seen(nested(limits.policyBodyDepthMax + 2))).toBe("no JSON");
});

test("what stands in texts, or beside one another, is not within one another", () => {
  const texts = JSON.stringify(['[{\\"['.repeat(1_000), '"[', "\\"]);
  const beside = JSON.stringify(Array.from({ length: 1_000 }, () => [{}]));
  expect([seen(texts), seen(beside)]).toEqual([null, null]);
});

/** Which policies a version of heddle can run. */
import { expect, test } from "bun:test";
import { lacking, ownSupport } from "../../../src/policy/support.ts";

test("a policy that asks for a body fits no proxy that shows none, and is named by what it asks for", () => {
  const hooks = ["onRequest"];
  expect(lacking({ hooks }, undefined)).toBe(null);
  expect(lacking({ hooks, bodies: { request: 1 } }, undefined)).toBe("requestJson");
  expect(lacking({ hooks, bodies: { request: 1 } }, ownSupport)).toBe(null);
});

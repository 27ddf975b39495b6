/** path-rewrite takes the longest prefix of whole segments, and keeps the rest. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./path_rewrite.ts";

const under = new PolicyUnderTest(policy, { prefixes: { "/api": "/", "/api/v1": "/v1", "/old/": "/new/" } });
const paths: Readonly<Record<string, string | undefined>> = {
  "/api": "/",
  "/api/": "/",
  "/api/x?a=1&b=%20": "/x?a=1&b=%20",
  "/api/v1": "/v1",
  "/api/v1/items/2": "/v1/items/2",
  "/apix": undefined,
  "/old/a/b": "/new/a/b",
  "/": undefined,
};
for (const [from, to] of Object.entries(paths))
  test(`${from} ${to === undefined ? "stays" : `becomes ${to}`}`, async () => {
    expect(await under.request({ path: from })).toEqual(
      to === undefined ? { do: "next" } : { do: "next", path: to },
    );
  });

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { prefixes: { "/a": "b?c" } })).toEqual(["prefixes./a"]);
});

/** cors answers preflights and marks answers, for the origins that may. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./cors.ts";

const shop = "https://shop.example";
const under = new PolicyUnderTest(policy, {
  origins: [shop],
  headers: ["content-type"],
  expose: ["x-total"],
  credentials: true,
});
const preflight = (origin: string) => ({
  method: "OPTIONS",
  headers: ["origin", origin, "access-control-request-method", "POST"],
});

test("a preflight of an origin that may is answered, of another one refused", async () => {
  expect(await under.request(preflight(shop))).toMatchObject({
    status: 204,
    headers: {
      "access-control-allow-origin": shop,
      "access-control-allow-methods": "GET, HEAD, POST",
      "access-control-allow-headers": "content-type",
      "access-control-allow-credentials": "true",
      vary: "origin",
    },
  });
  expect(await under.request(preflight("https://evil.example"))).toMatchObject({ status: 403 });
  expect(await under.request({ method: "OPTIONS" })).toEqual({ do: "next" });
});

test("answers say who may read them, and that they depend on the origin", async () => {
  const answerTo = async (requestId: string, headers: readonly string[]) => {
    await under.request({ headers }, { requestId });
    return await under.response({}, { requestId });
  };
  expect(await answerTo("1", ["origin", shop])).toMatchObject({
    headers: {
      set: { "access-control-allow-origin": shop, "access-control-expose-headers": "x-total" },
      add: { vary: "origin" },
    },
  });
  for (const headers of [["origin", "https://evil.example"], []])
    expect(await answerTo(`2${headers}`, headers)).toEqual({
      do: "next",
      headers: { add: { vary: "origin" } },
    });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { origins: ["*"], credentials: true })).toEqual(["origins"]);
  expect(wrongIn(policy, { origins: [], methods: ["a b"] })).toEqual(["origins", "methods.0"]);
});

/** access-audit tells who did what, and how it ended. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./access_audit.ts";

test("what is wanted has its line at the end, without the query, and nothing else has", async () => {
  const under = new PolicyUnderTest(policy, { methods: ["post"], paths: ["/admin"] });
  const asked = { source: "spiffe://corp/web" };
  const play = async (requestId: string, method: string, path: string) => {
    await under.request({ method, path }, { requestId, ...asked });
    await under.end({ status: 503, flag: "UF" }, { requestId, ...asked });
  };
  await play("1", "GET", "/admin/x");
  await play("2", "POST", "/admins");
  expect(under.notes).toEqual([]);
  await play("3", "POST", "/admin/x?secret=1");
  expect(under.notes).toEqual([
    ["log", "info", "spiffe://corp/web POST /admin/x of orders.default: 503 UF", {}],
    ["count", "audited", 1, { status: "5xx" }],
  ]);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { paths: ["admin"] })).toEqual(["paths.0"]);
});

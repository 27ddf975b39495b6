/** header-route decides by the value of one header and by nothing else. */
import { expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./header_route.ts";

const under = new PolicyUnderTest(policy, {
  header: "X-User-Group",
  values: { beta: { service: "inference", subset: "v2" }, tenant: { service: "other.team" } },
});
const decide = (...headers: string[]) => under.request({ headers });

test("a listed value leads to its service and subset", async () => {
  expect(await decide("x-user-group", "beta")).toEqual({ do: "route", service: "inference", subset: "v2" });
  expect(await decide("x-user-group", "tenant")).toEqual({ do: "route", service: "other.team" });
});

test("everything else goes on by its route", async () => {
  expect(await decide()).toEqual({ do: "next" });
  expect(await decide("x-user-group", "alpha")).toEqual({ do: "next" });
  expect(await decide("x-other", "beta")).toEqual({ do: "next" });
});

test("names that every object has are no values", async () => {
  for (const value of ["constructor", "__proto__", "toString"]) {
    expect(await decide("x-user-group", value)).toEqual({ do: "next" });
  }
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { header: "", values: { beta: { subset: 1 } }, extra: true })).toEqual(
    expect.arrayContaining(["header", "values.beta.service", "values.beta.subset", "extra"]),
  );
});

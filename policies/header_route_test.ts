/** header-route decides by the value of one header and by nothing else. */
import { expect, test } from "bun:test";
import { safeParse } from "valibot";
import { HeaderList } from "../src/policy/header_list.ts";
import { QueryList } from "../src/policy/query_list.ts";
import type { Decision } from "../src/policy/sdk.ts";
import policy from "./header_route.ts";

const settings = {
  header: "X-User-Group",
  values: { beta: { service: "inference", subset: "v2" }, tenant: { service: "other.team" } },
};

function decide(...headers: string[]): Decision | Promise<Decision> | undefined {
  const options = safeParse(policy.options, settings);
  if (!options.success) throw new Error("The settings of this test do not fit the schema");
  const request = {
    method: "GET",
    host: "inference.mesh",
    path: "/",
    query: new QueryList(""),
    headers: new HeaderList(headers),
  };
  return policy.onRequest?.(request, {
    options: options.output,
    service: "inference.default",
    source: null,
    requestId: "1",
    now: () => 0,
    random: () => 0,
    hash: () => 0,
  });
}

test("a listed value leads to its service and subset", () => {
  expect(decide("x-user-group", "beta")).toEqual({ do: "route", service: "inference", subset: "v2" });
  expect(decide("x-user-group", "tenant")).toEqual({ do: "route", service: "other.team" });
});

test("everything else goes on by its route", () => {
  expect(decide()).toEqual({ do: "next" });
  expect(decide("x-user-group", "alpha")).toEqual({ do: "next" });
  expect(decide("x-other", "beta")).toEqual({ do: "next" });
});

test("names that every object has are no values", () => {
  for (const value of ["constructor", "__proto__", "toString"]) {
    expect(decide("x-user-group", value)).toEqual({ do: "next" });
  }
});

test("settings that do not fit are named", () => {
  const wrong = safeParse(policy.options, { header: "", values: { beta: { subset: 1 } }, extra: true });
  expect(wrong.success).toBe(false);
  const paths = (wrong.issues ?? []).map((issue) => issue.path?.map((part) => String(part.key)).join("."));
  expect(paths).toEqual(
    expect.arrayContaining(["header", "values.beta.service", "values.beta.subset", "extra"]),
  );
});

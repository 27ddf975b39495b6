/** What "named in the options" means, for proxies that ask whether a policy may lead there and for the controller alike. */
import { expect, test } from "bun:test";
import { servicesNamedIn } from "../../../src/policy/named_services.ts";

const named = (options: unknown): string[] => [...servicesNamedIn(options, "shop")].sort();

test("any text is a name, however deep, in the namespace of the service unless it says another", () => {
  expect(named({ a: "x", list: ["y", { deep: { service: "z.other" } }], n: 1, none: null })).toEqual([
    "x.shop",
    "y.shop",
    "z.other",
  ]);
});

test("keys are no names, and neither is what no document would accept as one", () => {
  expect(
    named({ inference: 1, a: "", b: "A", c: "a b", d: "a.b.c", e: "-a", f: "a.", g: "x".repeat(64) }),
  ).toEqual([]);
});

test("options that are no object name what they are", () => {
  expect([named("x"), named(null), named(undefined), named(7)]).toEqual([["x.shop"], [], [], []]);
});

/** Listeners of one port are told apart by host names. */
import { expect, test } from "bun:test";
import { ByHostname } from "../../../../src/proxy/listen/by_hostname.ts";

const all = (...hostnames: readonly (string | null)[]) =>
  new ByHostname(hostnames.map((hostname) => (hostname === null ? {} : { hostname })));

test("a name comes before a wildcard, a longer wildcard before a shorter one, what is for any name last", () => {
  const listeners = all(null, "*.example", "*.shop.example", "shop.example");
  for (const [asked, found] of [
    ["shop.example", "shop.example"],
    ["a.shop.example", "*.shop.example"],
    ["b.a.shop.example", "*.shop.example"],
    ["other.example", "*.example"],
    ["example", undefined],
    ["", undefined],
  ] as const)
    expect([asked, listeners.find(asked)?.hostname]).toEqual([asked, found]);
});

test("what no name fits is for nobody, and a wildcard is for what stands below it alone", () => {
  const listeners = all("shop.example", "*.shop.example");
  for (const asked of ["", ".shop.example", "xshop.example", "example", "shop.example.evil"])
    expect([asked, listeners.find(asked)]).toEqual([asked, null]);
});

test("of two for the same name the first has it", () => {
  const [first, second] = [{ hostname: "a.example" }, { hostname: "a.example" }];
  expect(new ByHostname([first, second]).find("a.example")).toBe(first);
});

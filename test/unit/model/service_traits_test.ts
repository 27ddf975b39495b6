import { describe, expect, test } from "bun:test";
import { expandService } from "../../../src/config/kinds/service.ts";
import { calleeTraits, callerTraits } from "../../../src/model/service_traits.ts";

describe("of what a Service document says", () => {
  const written = { kind: "Service", name: "orders", port: 80, stream: true } as const;
  const service = expandService({ ...written, upgrades: ["chat"] });

  test("callers and callees both get what requests are read by", () => {
    const both = { protocol: "detect", stream: true, escapedSlashes: "keep", upgrades: ["chat"] } as const;
    expect(callerTraits(service)).toMatchObject(both);
    expect(calleeTraits(service)).toMatchObject(both);
  });

  test("each side gets what is its own, and neither the name, the port or the policies", () => {
    expect(Object.keys(callerTraits(service)).toSorted()).toEqual([
      "balance",
      "escapedSlashes",
      "protocol",
      "stream",
      "subsets",
      "transport",
      "upgrades",
    ]);
    expect(Object.keys(calleeTraits(service)).toSorted()).toEqual([
      "escapedSlashes",
      "health",
      "protocol",
      "stream",
      "upgrades",
    ]);
  });

  test("what a document leaves out and has no default stays away", () => {
    expect("upgrades" in callerTraits(expandService(written))).toBe(false);
  });
});

/** Access: deny before allow before the default; rules on trial report and decide nothing. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Access, CompiledAccessRule } from "../../../../src/model/snapshot.ts";
import { decideAccess } from "../../../../src/proxy/guard/access.ts";

const caller = "spiffe://mesh/ns/default/sa/frontend";

function rule(id: string, parts: Partial<CompiledAccessRule> = {}): CompiledAccessRule {
  return { id, mode: "enforce", source: { kind: "any-mesh" }, methods: [], paths: [], ...parts };
}

function access(parts: Partial<Access>): Access {
  return { otherwise: "deny", deny: [], allow: [], ...parts };
}

function decide(rules: Access, method = "GET", path = "/", sourceId = caller): string {
  const { verdict, rule: by } = decideAccess(rules, sourceId, method, path);
  return `${verdict} ${by}`;
}

describe("without a rule that fits", () => {
  test("the default decides", () => {
    expect(decide(access({ otherwise: "allow" }))).toBe("allow default");
    expect(decide(access({ otherwise: "deny" }))).toBe("deny default");
    expect(decide(access({ allow: [rule("a", { methods: ["POST"] })] }))).toBe("deny default");
  });
});

describe("a source", () => {
  const from = (source: CompiledAccessRule["source"], sourceId: string): boolean =>
    decide(access({ allow: [rule("a", { source })] }), "GET", "/", sourceId) === "allow a";

  test("of any kind, or any of the mesh, which has proved who it is", () => {
    expect([from({ kind: "any" }, ""), from({ kind: "any" }, caller)]).toEqual([true, true]);
    expect([from({ kind: "any-mesh" }, ""), from({ kind: "any-mesh" }, caller)]).toEqual([false, true]);
  });

  test("by its exact identity, or by how it begins", () => {
    const exact = { kind: "exact", value: caller } as const;
    expect([from(exact, caller), from(exact, `${caller}2`), from(exact, "")]).toEqual([true, false, false]);
    const prefix = { kind: "prefix", value: "spiffe://mesh/ns/default/" } as const;
    expect([from(prefix, caller), from(prefix, "spiffe://mesh/ns/default2/sa/x")]).toEqual([true, false]);
  });
});

describe("a rule", () => {
  test("of methods and paths fits both, a path with /* everything below it", () => {
    const rules = access({ allow: [rule("a", { methods: ["GET", "HEAD"], paths: ["/open/*", "/health"] })] });
    expect(decide(rules, "GET", "/open/x")).toBe("allow a");
    expect(decide(rules, "HEAD", "/health")).toBe("allow a");
    for (const [method, path] of [
      ["POST", "/open/x"],
      ["GET", "/open"],
      ["GET", "/opened"],
      ["GET", "/health/x"],
      ["get", "/health"],
    ] as const)
      expect(decide(rules, method, path)).toBe("deny default");
  });

  test("that denies is stronger than one that allows, and the first names itself", () => {
    expect(decide(access({ deny: [rule("d")], allow: [rule("a")] }))).toBe("deny d");
    expect(decide(access({ otherwise: "allow", deny: [rule("d1"), rule("d2")] }))).toBe("deny d1");
  });
});

describe("a rule on trial", () => {
  const trial = { mode: "audit" } as const;

  test("that would deny reports, and others decide", () => {
    expect(decide(access({ otherwise: "allow", deny: [rule("d", trial)] }))).toBe("would-deny d");
    expect(decide(access({ deny: [rule("d", trial)], allow: [rule("a")] }))).toBe("would-deny d");
    expect(decide(access({ deny: [rule("d", trial), rule("e")], allow: [rule("a")] }))).toBe("deny e");
  });

  test("that would allow lets nobody in where others are enforced", () => {
    expect(decide(access({ otherwise: "deny", allow: [rule("a", trial)] }))).toBe("deny default");
    expect(decide(access({ otherwise: "allow", allow: [rule("a", trial)] }))).toBe("allow a");
  });

  test("that does not fit tells that the default would deny", () => {
    expect(decide(access({ otherwise: "allow", allow: [rule("a", { ...trial, methods: ["POST"] })] }))).toBe(
      "would-deny default",
    );
  });
});

describe("an opaque connection", () => {
  test("is let in by rules without methods and paths only, and denied by any that might", () => {
    const narrow = rule("r", { methods: ["GET"], paths: ["/x"] });
    expect(decide(access({ allow: [narrow] }), "", "")).toBe("deny default");
    expect(decide(access({ allow: [rule("a")] }), "", "")).toBe("allow a");
    expect(decide(access({ otherwise: "allow", deny: [narrow] }), "", "")).toBe("deny r");
  });
});

test("rules on trial never change who gets in", () => {
  const anyRule = fc.record({
    id: fc.constantFrom("r1", "r2", "r3"),
    mode: fc.constantFrom("enforce", "audit"),
    source: fc.constantFrom(
      { kind: "any" },
      { kind: "any-mesh" },
      { kind: "exact", value: caller },
      { kind: "prefix", value: "other" },
    ),
    methods: fc.constantFrom([], ["GET"], ["POST"]),
    paths: fc.constantFrom([], ["/a"], ["/a/*"]),
  }) as fc.Arbitrary<CompiledAccessRule>;
  const rules = fc.array(anyRule, { maxLength: 4 });
  const enforced = (list: readonly CompiledAccessRule[]): CompiledAccessRule[] =>
    list.filter((each) => each.mode === "enforce");
  fc.assert(
    fc.property(
      rules,
      rules,
      fc.constantFrom("allow", "deny"),
      fc.constantFrom("GET", "POST", ""),
      fc.constantFrom("/a", "/a/b", "/"),
      (deny, allow, otherwise, method, path) => {
        const all: Access = { otherwise, deny, allow };
        const without: Access = { otherwise, deny: enforced(deny), allow: enforced(allow) };
        const isIn = (each: Access): boolean => decideAccess(each, caller, method, path).verdict !== "deny";
        expect(isIn(all)).toBe(isIn(without));
      },
    ),
    { numRuns: 2_000 },
  );
});

describe("a rule about a network", () => {
  const gateway = "spiffe://mesh.test/ns/default/sa/edge";
  const access: Access = {
    otherwise: "deny",
    deny: [],
    allow: [
      {
        ...{ id: "a#allow[0]", mode: "enforce", methods: [], paths: [] },
        source: { kind: "cidr", value: "10.0.0.0/8", gateways: [gateway] },
      },
    ],
  };
  const isIn = (sourceId: string, client: string): boolean =>
    decideAccess(access, sourceId, "GET", "/", client).verdict === "allow";

  test("lets in whom a gateway says to come from there, and believes nobody else", () => {
    expect(isIn(gateway, "10.1.2.3:4711")).toBe(true);
    expect(isIn(gateway, "[::ffff:10.1.2.3]:4711")).toBe(true);
    expect(isIn(gateway, "192.0.2.1:4711")).toBe(false);
    expect(isIn("spiffe://mesh.test/ns/default/sa/web", "10.1.2.3:4711")).toBe(false);
    for (const client of ["", "10.1.2.3", "unknown", "10.1.2.3:4711, 10.1.2.3:1"])
      expect([client, isIn(gateway, client)]).toEqual([client, false]);
  });
});

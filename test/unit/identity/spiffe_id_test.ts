/** SPIFFE IDs: the rules I1 to I8 as tables. */
import { describe, expect, test } from "bun:test";
import { isName, isTrustDomain, parseSpiffeId, principalOf } from "../../../src/identity/spiffe_id.ts";
import {
  controllerId,
  nodeId,
  operatorId,
  registryId,
  serviceId,
  type Principal,
} from "../../../src/model/identity.ts";
import { limits } from "../../../src/model/limits.ts";

describe("of all 256 byte values, only those of the specification may stand", () => {
  const letters = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

  test("in a trust domain", () => {
    const allowed = letters.filter((letter) => isTrustDomain(`a${letter}b`));
    expect(allowed.join("")).toBe("-.0123456789_abcdefghijklmnopqrstuvwxyz");
    const parsed = letters.filter((letter) => parseSpiffeId(`spiffe://a${letter}b/path`) !== null);
    expect(parsed.join("")).toBe("-./0123456789_abcdefghijklmnopqrstuvwxyz");
  });

  test("in a path", () => {
    const parsed = letters.filter((letter) => parseSpiffeId(`spiffe://td/a${letter}b`) !== null);
    expect(parsed.join("")).toBe("-./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");
  });
});

describe("an ID", () => {
  const right: readonly (readonly [string, string, string])[] = [
    ["spiffe://td", "td", ""],
    ["spiffe://td/a", "td", "/a"],
    ["spiffe://td/A/b", "td", "/A/b"],
    ["spiffe://1.2.3.4/a", "1.2.3.4", "/a"],
    ["spiffe://corp.example/...", "corp.example", "/..."],
    ["spiffe://corp.example/.a/b.", "corp.example", "/.a/b."],
    ["spiffe://a_b-c.d/_/-", "a_b-c.d", "/_/-"],
    [`spiffe://${"a".repeat(255)}/a`, "a".repeat(255), "/a"],
    [`spiffe://td/${"a".repeat(2048 - 12)}`, "td", `/${"a".repeat(2048 - 12)}`],
  ];
  for (const [text, trustDomain, path] of right) {
    test(`is read: ${text.slice(0, 60)}`, () => {
      expect(parseSpiffeId(text)).toEqual({ trustDomain, path });
    });
  }

  const wrong: readonly (readonly [string, string])[] = [
    ["empty", ""],
    ["without trust domain", "spiffe://"],
    ["without trust domain but a path", "spiffe:///a"],
    ["of another scheme", "http://td/a"],
    ["of a scheme in capitals", "SPIFFE://td/a"],
    ["with one slash", "spiffe:/td/a"],
    ["with a leading space", " spiffe://td/a"],
    ["with a line break at its end", "spiffe://td/a\n"],
    ["with a line break after the trust domain", "spiffe://td\n"],
    ["with a trailing slash", "spiffe://td/"],
    ["with a trailing slash after a path", "spiffe://td/a/"],
    ["with an empty segment", "spiffe://td//a"],
    ["with a dot segment", "spiffe://td/./a"],
    ["with a dot segment at its end", "spiffe://td/a/."],
    ["with two dots", "spiffe://td/../a"],
    ["with two dots at its end", "spiffe://td/a/.."],
    ["with a port", "spiffe://td:1/a"],
    ["with user information", "spiffe://u@td/a"],
    ["with a query", "spiffe://td/a?b"],
    ["with an empty query", "spiffe://td/a?"],
    ["with a fragment", "spiffe://td/a#b"],
    ["with percent-encoding in the path", "spiffe://td/%61"],
    ["with percent-encoding in the trust domain", "spiffe://%74d/a"],
    ["with an upper-case trust domain", "spiffe://TD/a"],
    ["of an IPv6 address", "spiffe://[::1]/a"],
    ["with a letter that looks like another", "spiffe://t\u0501/a"],
    ["with a trust domain too long", `spiffe://${"a".repeat(256)}/a`],
    ["longer than any may be", `spiffe://td/${"a".repeat(limits.spiffeIdBytesMax)}`],
  ];
  for (const [what, text] of wrong) {
    test(`is refused: ${what}`, () => {
      expect(parseSpiffeId(text)).toBeNull();
    });
  }
});

describe("a principal", () => {
  const td = "corp.example";
  const orders = { namespace: "prod", name: "orders" };
  const known: readonly (readonly [string, Principal])[] = [
    [serviceId(td, orders), { kind: "service", service: orders }],
    [nodeId(td, "vm-1"), { kind: "node", name: "vm-1" }],
    [controllerId(td, "one"), { kind: "controller", name: "one" }],
    [registryId(td, "one"), { kind: "registry", name: "one" }],
    [operatorId(td, "ada"), { kind: "operator", name: "ada" }],
  ];
  for (const [id, principal] of known) {
    test(`is what heddle writes for it: ${id}`, () => {
      expect(principalOf(id, td)).toEqual(principal);
      expect(principalOf(id, "other.example")).toBeNull();
      expect(principalOf(`${id}/x`, td)).toBeNull();
      expect(principalOf(id.slice(0, id.lastIndexOf("/")), td)).toBeNull();
    });
  }

  const nobody = [
    "spiffe://corp.example",
    "spiffe://corp.example/ns/prod/sa/orders.prod",
    "spiffe://corp.example/ns/a.b/sa/c",
    "spiffe://corp.example/ns/Prod/sa/orders",
    "spiffe://corp.example/NS/prod/sa/orders",
    "spiffe://corp.example/ns/prod/orders/sa",
    "spiffe://corp.example/node/VM",
    "spiffe://corp.example/node/a_b",
    "spiffe://corp.example/heddle/operator/ada",
    "spiffe://corp.example/controller/one",
    "spiffe://corp.example/operator/ada/heddle",
    "spiffe://corp.example.evil.example/operator/ada",
    "spiffe://evil.example/corp.example/operator/ada",
    "operator/ada",
  ];
  for (const id of nobody) {
    test(`is nobody: ${id}`, () => {
      expect(principalOf(id, td)).toBeNull();
    });
  }

  test("without a certificate is nobody", () => {
    expect(principalOf(null, td)).toBeNull();
  });
});

test("names are labels of 1 to 63 letters, digits and inner hyphens", () => {
  for (const name of ["a", "0", "web-1", "a".repeat(63)]) expect([name, isName(name)]).toEqual([name, true]);
  for (const name of ["", "-a", "a-", "a.b", "A", "a_b", "a\n", "ä", "a".repeat(64)])
    expect([name, isName(name)]).toEqual([name, false]);
});

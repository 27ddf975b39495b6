import { describe, expect, test } from "bun:test";
import { parseEtcdAddress } from "../../../../src/registry/etcd/etcd_address.ts";

describe("the address of an etcd", () => {
  test("names members, prefix and files", () => {
    expect(parseEtcdAddress("etcd://10.0.0.5,[fd00::6]:2400/a/b?ca=/c.pem&cert=/d.pem&key=/e.key")).toEqual({
      members: [
        { host: "10.0.0.5", port: 2379 },
        { host: "fd00::6", port: 2400 },
      ],
      prefix: "a/b",
      tls: { ca: "/c.pem", own: { cert: "/d.pem", key: "/e.key" } },
    });
  });

  test("may be in clear text on loopback, with a prefix of its own where none is said", () => {
    expect(parseEtcdAddress("etcd://127.0.0.1:23/")).toEqual({
      members: [{ host: "127.0.0.1", port: 23 }],
      prefix: "heddle",
      tls: null,
    });
  });

  test.each([
    ["http://a", "expected etcd://HOST:PORT"],
    ["etcd://", '"" is no member'],
    ["etcd://a:99999?ca=x", '"a:99999" is no member'],
    ["etcd://10.0.0.5", "10.0.0.5 is not on loopback"],
    ["etcd://a/b c?ca=x", "its prefix is"],
    ["etcd://a?ca=x&cert=y", "expected cert and key together"],
    ["etcd://127.0.0.1?cert=x&key=y", "no ca to know the members by"],
    ["etcd://127.0.0.1?pass=x", 'it has "pass"'],
  ])("%s is refused: %s", (text, why) => {
    expect(() => parseEtcdAddress(text)).toThrow(why);
  });
});

/** The key of a request: where it is read from, and when there is none. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hashText } from "../../../../src/base/hash.ts";
import type { BalanceKey } from "../../../../src/model/traffic.ts";
import { requestKey } from "../../../../src/proxy/balance/request_key.ts";
import { cookiesOf } from "../../../../src/wire/cookies.ts";
import { fieldsOf } from "../../../support/wire.ts";

const keyOf = (key: BalanceKey, target: string, ...lines: string[]): number | null =>
  requestKey(key, { target, fields: fieldsOf(...lines) }, "web.default");

describe("the key of a request", () => {
  test("is the value of a header, of several of one name together, none without it", () => {
    const key = { header: "x-user" };
    expect(keyOf(key, "/", "x-user: ann")).toBe(hashText("ann"));
    expect(keyOf(key, "/", "x-user: ann", "x-user: bob")).toBe(hashText("ann, bob"));
    expect(keyOf(key, "/", "x-users: ann")).toBeNull();
  });

  test("is the value of a query parameter, the first of that name", () => {
    const key = { query: "user" };
    expect(keyOf(key, "/x?user=ann")).toBe(hashText("ann"));
    expect(keyOf(key, "/x?a=1&user=ann&user=bob")).toBe(hashText("ann"));
    expect(keyOf(key, "/x?users=ann&user=bob&")).toBe(hashText("bob"));
    expect(keyOf(key, "/x?user")).toBe(hashText(""));
    expect(keyOf(key, "/x?user=a=b")).toBe(hashText("a=b"));
    for (const none of ["/x", "/x?", "/user=ann", "/x?xuser=ann", "/x?User=ann"])
      expect(keyOf(key, none)).toBeNull();
  });

  test("is the value of a cookie, wherever it stands", () => {
    const key = { cookie: "sid" };
    expect(keyOf(key, "/", "cookie: a=1; sid=ann; b=2")).toBe(hashText("ann"));
    expect(keyOf(key, "/", "cookie: a=1", "cookie: sid=ann")).toBe(hashText("ann"));
    expect(keyOf(key, "/", "cookie: xsid=1; sidx=2; sid")).toBeNull();
    expect(keyOf(key, "/")).toBeNull();
  });

  test("is whoever calls, of every request of that service", () => {
    expect(keyOf({ caller: true }, "/a")).toBe(hashText("web.default"));
    expect(keyOf({ caller: true }, "/b", "x-user: ann")).toBe(hashText("web.default"));
  });
});

describe("a cookie", () => {
  test("is found among any others, without its quotes", () => {
    const name = fc.stringMatching(/^[a-z]{1,6}$/);
    const value = fc.stringMatching(/^[A-Za-z0-9_-]{0,8}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), name, (pairs, wanted) => {
        const fields = fieldsOf(`cookie: ${pairs.map((pair) => pair.join("=")).join("; ")}`);
        const found = pairs.filter(([each]) => each === wanted).map(([, each]) => each);
        expect(cookiesOf(fields, wanted, 8)).toEqual(found);
      }),
    );
    expect(cookiesOf(fieldsOf('cookie: sid="ann"'), "sid", 8)).toEqual(["ann"]);
    expect(cookiesOf(fieldsOf("cookie: sid=ann;other=1"), "sid", 8)).toEqual(["ann"]);
    expect(cookiesOf(fieldsOf("cookie: a=1; a=2", "cookie: a=3; a=4"), "a", 3)).toEqual(["1", "2", "3"]);
  });
});

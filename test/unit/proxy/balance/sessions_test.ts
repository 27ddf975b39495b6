/** Tokens of sessions: what they say to whom, when they end, and that nobody else can make one. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../../src/model/limits.ts";
import { wholeGroup, type SessionPersistence } from "../../../../src/model/traffic.ts";
import { Sessions, type Session, type SessionKeys } from "../../../../src/proxy/balance/sessions.ts";
import { noEdits } from "../../../../src/wire/fields.ts";
import { fieldsOf } from "../../../support/wire.ts";

const key = new Uint8Array(32).fill(7);
const orders = { key: "orders.default", name: "orders" };

function sessionsOf(
  rules: SessionPersistence = {},
  service = orders,
  current = key,
  more: { readonly rule?: string; readonly before?: SessionKeys["before"] } = {},
): Sessions {
  const traffic = { sessionPersistence: { type: "Cookie", ...rules } } as const;
  const { rule = null, before = [] } = more;
  return new Sessions(wholeGroup("sessionPersistence", traffic), { service, rule }, { current, before });
}

const nowS = 2_000_000_000;
const endpoint = "vm-1/orders.default/8080";

/** The whole Set-Cookie that an answer of that endpoint has; "" for none. */
function cookieFrom(sessions: Sessions, session: Session | null = null, atS = nowS, of = endpoint): string {
  return sessions.tell(noEdits, session, of, atS)?.add[1] ?? "";
}

const pairIn = (setCookie: string): string => setCookie.split(";")[0] ?? "";
const tokenIn = (setCookie: string): string => pairIn(setCookie).split("=")[1] ?? "";
const read = (sessions: Sessions, cookie: string, atS = nowS): Session | null =>
  sessions.read(fieldsOf(`cookie: ${cookie}`), atS);

describe("a token of a session", () => {
  test("leads back to the instance that gave it, in a cookie that scripts cannot read", () => {
    const sessions = sessionsOf();
    const setCookie = cookieFrom(sessions);
    expect(setCookie).toMatch(/^heddle-orders=[A-Za-z0-9_-]+; Path=\/; HttpOnly$/);
    expect(read(sessions, pairIn(setCookie))).toEqual({ endpoint, startedS: nowS, seenS: nowS });
  });

  test("is found beside other cookies, and behind one of the same name that is none", () => {
    const sessions = sessionsOf({ sessionName: "sid" });
    const pair = pairIn(cookieFrom(sessions));
    for (const cookie of [`a=b; ${pair}; c=d`, `sid=stale; ${pair}`, `sid=; sid="x"; ${pair}`])
      expect(read(sessions, cookie)?.endpoint).toBe(endpoint);
  });

  test("shows nothing of the instance, and is another one each time", () => {
    const sessions = sessionsOf();
    const [one, other] = [tokenIn(cookieFrom(sessions)), tokenIn(cookieFrom(sessions))];
    expect(one).not.toBe(other);
    const bytes = Buffer.from(one, "base64url").toString("latin1");
    for (const part of ["vm-1", "orders", "8080"]) expect(bytes).not.toContain(part);
  });

  test("is worth nothing once a bit of it was changed, or all of it was made up", () => {
    const sessions = sessionsOf();
    const sealed = Buffer.from(tokenIn(cookieFrom(sessions)), "base64url");
    fc.assert(
      fc.property(fc.nat(sealed.length * 8 - 1), (bit) => {
        const forged = Buffer.from(sealed);
        forged[bit >> 3] = (forged[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(read(sessions, `heddle-orders=${forged.toString("base64url")}`)).toBeNull();
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[!-:<-~]{0,200}$/), (text) => {
        expect(read(sessions, `heddle-orders=${text}`)).toBeNull();
      }),
    );
    expect(read(sessions, `heddle-orders=${"A".repeat(limits.sessionTokenLengthMax + 1)}`)).toBeNull();
  });

  test("is worth nothing cut short, at any length", () => {
    const sessions = sessionsOf();
    const token = tokenIn(cookieFrom(sessions));
    for (let length = 0; length < token.length - 1; length++)
      expect(read(sessions, `heddle-orders=${token.slice(0, length)}`)).toBeNull();
  });

  test("is worth nothing for another service, under another name, or sealed with another key", () => {
    const token = tokenIn(cookieFrom(sessionsOf({ sessionName: "sid" })));
    const users = { key: "users.default", name: "users" };
    const other = new Uint8Array(32).fill(8);
    expect(read(sessionsOf({ sessionName: "sid" }), `sid=${token}`)).not.toBeNull();
    expect(read(sessionsOf({ sessionName: "sid" }, users), `sid=${token}`)).toBeNull();
    expect(read(sessionsOf({ sessionName: "sid" }, orders, other), `sid=${token}`)).toBeNull();
    expect(read(sessionsOf({ sessionName: "tid" }), `tid=${token}`)).toBeNull();
  });
});

describe("a token that was sealed before the key was replaced", () => {
  const next = new Uint8Array(32).fill(9);
  const replacedS = nowS + 100;
  const before = [{ key, replacedS }];

  test("is good beside the new key, and is sealed anew in the answer, as old as it was", () => {
    const rules = { absoluteTimeoutMs: 3_600_000 };
    const pair = pairIn(cookieFrom(sessionsOf(rules)));
    const sessions = sessionsOf(rules, orders, next, { before });
    const session = read(sessions, pair, nowS + 200);
    expect(session).toEqual({ endpoint, startedS: nowS, seenS: nowS, old: true });
    const renewed = pairIn(cookieFrom(sessions, session, nowS + 200));
    expect(read(sessionsOf(rules, orders, next), renewed, nowS + 3_599)?.startedS).toBe(nowS);
    expect(read(sessionsOf(rules, orders, next), renewed, nowS + 3_600)).toBeNull();
    expect(read(sessions, pair, nowS + 3_600)).toBeNull();
  });

  test("is worth nothing where it says that it began long after that, so that an old key makes no new session", () => {
    const sessions = sessionsOf({}, orders, next, { before });
    const graceS = limits.sessionKeyGraceMs / 1_000;
    const madeAt = (atS: number): string => pairIn(cookieFrom(sessionsOf(), null, atS));
    expect(read(sessions, madeAt(replacedS + graceS), replacedS + graceS)).not.toBeNull();
    expect(read(sessions, madeAt(replacedS + graceS + 1), replacedS + graceS + 1)).toBeNull();
    expect(read(sessionsOf({}, orders, next), madeAt(nowS))).toBeNull();
  });
});

describe("a session of a rule of a route", () => {
  const of = (rule: string): Sessions => sessionsOf({ sessionName: "sid" }, orders, key, { rule });

  test("is that of no other rule, and not that of the service", () => {
    const pair = pairIn(cookieFrom(of("beta/rule-0")));
    expect(read(of("beta/rule-0"), pair)?.endpoint).toBe(endpoint);
    for (const other of [of("beta/rule-1"), sessionsOf({ sessionName: "sid" })])
      expect(read(other, pair)).toBeNull();
  });

  test("has a cookie of its own where nobody names it", () => {
    expect(cookieFrom(sessionsOf({}, orders, key, { rule: "beta/rule-0" }))).toStartWith(
      "heddle-orders-beta-rule-0=",
    );
  });
});

describe("a session", () => {
  test("is over after its absolute timeout, however much it is used", () => {
    const sessions = sessionsOf({ absoluteTimeoutMs: 60_000, idleTimeoutMs: 30_000 });
    let pair = pairIn(cookieFrom(sessions));
    for (const atS of [20, 40, 59]) {
      const session = read(sessions, pair, nowS + atS);
      expect(session?.startedS).toBe(nowS);
      pair = pairIn(cookieFrom(sessions, session, nowS + atS));
    }
    expect(read(sessions, pair, nowS + 60)).toBeNull();
  });

  test("is over after its idle timeout, and told anew when a tenth of that has passed", () => {
    const sessions = sessionsOf({ idleTimeoutMs: 100_000 });
    const pair = pairIn(cookieFrom(sessions));
    const session = read(sessions, pair, nowS + 99);
    expect(session).not.toBeNull();
    expect(read(sessions, pair, nowS + 100)).toBeNull();
    expect(cookieFrom(sessions, read(sessions, pair, nowS + 9), nowS + 9)).toBe("");
    const renewed = pairIn(cookieFrom(sessions, read(sessions, pair, nowS + 10), nowS + 10));
    expect(read(sessions, renewed, nowS + 109)).not.toBeNull();
  });

  test("is told once where nothing ends it, and anew when another instance answered", () => {
    const sessions = sessionsOf();
    const session = read(sessions, pairIn(cookieFrom(sessions)), nowS + 86_400);
    expect(cookieFrom(sessions, session, nowS + 86_400)).toBe("");
    const moved = pairIn(cookieFrom(sessions, session, nowS + 86_400, "vm-2/orders.default/8080"));
    expect(read(sessions, moved, nowS + 86_400)).toEqual({
      endpoint: "vm-2/orders.default/8080",
      startedS: nowS + 86_400,
      seenS: nowS + 86_400,
    });
  });

  test("has a cookie without an age, or with what is left of the absolute timeout", () => {
    const rules = { absoluteTimeoutMs: 3_600_000, path: "/shop" } as const;
    expect(cookieFrom(sessionsOf(rules))).toMatch(/; Path=\/shop; HttpOnly$/);
    const permanent = sessionsOf({ ...rules, lifetimeType: "Permanent", idleTimeoutMs: 60_000 });
    expect(cookieFrom(permanent)).toMatch(/; Path=\/shop; Max-Age=3600; HttpOnly$/);
    const session = read(permanent, pairIn(cookieFrom(permanent)), nowS + 50);
    expect(cookieFrom(permanent, session, nowS + 50)).toMatch(/; Max-Age=3550; HttpOnly$/);
  });

  test("is carried by a header where the document says so", () => {
    const sessions = sessionsOf({ type: "Header", sessionName: "X-Session" });
    const edits = sessions.tell(noEdits, null, endpoint, nowS);
    expect(edits?.add).toEqual([]);
    const [name, token] = edits?.set ?? [];
    expect(name).toBe("x-session");
    expect(sessions.read(fieldsOf(`x-session: ${token}`), nowS)?.endpoint).toBe(endpoint);
    expect(sessions.read(fieldsOf(`cookie: x-session=${token}`), nowS)).toBeNull();
  });
});

/** jwt takes tokens that its issuer signed for this audience, and no others, whatever is tried with them. */
import { describe, expect, test } from "bun:test";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import { checkSignature, type SignatureClaim } from "../src/policy/signature.ts";
import { HeaderList } from "../src/policy/header_list.ts";
import * as v from "valibot";
import policy from "./jwt.ts";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
const publicKey = { ...rsa.publicKey.export({ format: "jwk" }), kid: "one", alg: "RS256", use: "sig" };
const startMs = 1_700_000_000_000;
const usual = {
  iss: "https://id.example",
  aud: "orders",
  exp: startMs / 1_000 + 600,
  sub: "ann",
  level: 3,
  odd: "a\r\nb",
};

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
function tokenOf(claims: object = {}, header: object = {}, key = rsa.privateKey): string {
  const data = `${part({ alg: "RS256", kid: "one", ...header })}.${part({ ...usual, ...claims })}`;
  return `${data}.${sign("sha256", Buffer.from(data), key).toString("base64url")}`;
}

function guarding(more: object = {}) {
  const under = new PolicyUnderTest(policy, {
    ...{ issuer: "https://id.example", audience: ["orders"], keys: { service: "id", path: "/keys" } },
    ...{ claims: { "X-User": "sub", "x-level": "level", "x-odd": "odd", "x-no": "toString" } },
    ...more,
  });
  under.nowMs = startMs;
  const seen = { fetched: 0, verified: 0, keys: [publicKey] as object[], away: false };
  under.gives = (asked) => {
    if (asked["algorithm"] === undefined) {
      seen.fetched++;
      return seen.away
        ? { problem: "id is away" }
        : { status: 200, body: JSON.stringify({ keys: seen.keys }) };
    }
    seen.verified++;
    return checkSignature(asked as unknown as SignatureClaim);
  };
  const ask = async (token: string | null, path = "/") => {
    const headers = ["x-user", "root", ...(token === null ? [] : ["authorization", token])];
    return await under.request({ path, headers });
  };
  return { under, seen, ask };
}

const claims = ["x-user", "x-level", "x-odd", "x-no"];
const passes = { do: "next", headers: { remove: claims, set: { "x-user": "ann", "x-level": "3" } } };

test("a token that is right passes, and its claims are the headers that the client cannot write", async () => {
  const { seen, ask } = guarding();
  expect(await ask(`Bearer ${tokenOf()}`)).toEqual(passes as never);
  expect(await ask(tokenOf({ aud: ["billing", "orders"] }))).toEqual(passes as never);
  expect(seen.fetched).toBe(1);
});

test("what poses as a header of a claim by an underscore is left out, too", async () => {
  const { under } = guarding({ optional: true });
  const decision = await under.request({ headers: ["x_user", "root", "x_other", "1"] });
  expect(decision).toEqual({ do: "next", headers: { remove: [...claims, "x_user"] } });
});

describe("is refused", () => {
  const none = `${part({ alg: "none" })}.${part(usual)}.`;
  const confusedData = `${part({ alg: "HS256", kid: "one" })}.${part(usual)}`;
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
  const confused = `${confusedData}.${createHmac("sha256", pem).update(confusedData).digest("base64url")}`;
  const good = tokenOf();
  const [first = "", , signature = ""] = good.split(".");
  for (const [name, token] of [
    ["a request without a token", null],
    ["what is no token", "Bearer abc"],
    ["a token that nobody signed", none],
    ["one signed with the public key as a secret", confused],
    ["one signed with another key", tokenOf({}, {}, other.privateKey)],
    ["one whose claims were changed", `${first}.${part({ ...usual, sub: "root" })}.${signature}`],
    ["one without a signature", `${good.split(".").slice(0, 2).join(".")}.`],
    ["one with more parts", `${good}.x`],
    ["one of another issuer", tokenOf({ iss: "https://id.example.evil" })],
    ["one for another audience", tokenOf({ aud: "billing" })],
    ["one for no audience", tokenOf({ aud: undefined })],
    ["one that has expired", tokenOf({ exp: startMs / 1_000 - 31 })],
    ["one that never expires", tokenOf({ exp: undefined })],
    ["one whose end is a text", tokenOf({ exp: "9999999999" })],
    ["one that does not hold yet", tokenOf({ nbf: startMs / 1_000 + 31 })],
    ["one that says what nobody understands", tokenOf({}, { crit: ["b64"], b64: false })],
    ["one with a key that nobody knows", tokenOf({}, { kid: "two" })],
    ["two of them in one field", `${good}, ${good}`],
  ] as const)
    test(name, async () => {
      const { ask, under } = guarding();
      expect(await ask(token)).toMatchObject({ do: "respond", status: 401 });
      expect(under.notes).toContainEqual(["count", "refused", 1, {}]);
    });

  test("and clocks may be a little apart", async () => {
    const { ask } = guarding();
    expect(await ask(tokenOf({ exp: startMs / 1_000 - 29, nbf: startMs / 1_000 + 29 }))).toEqual(
      passes as never,
    );
  });
});

test("a request without a token may pass, without the headers of a token", async () => {
  const { ask } = guarding({ optional: true });
  expect(await ask(null)).toEqual({ do: "next", headers: { remove: claims } });
  expect(await ask("Bearer abc")).toMatchObject({ status: 401 });
});

describe("keys", () => {
  test("that are new are asked for when a token names one, but not each time", async () => {
    const { under, seen, ask } = guarding();
    await ask(tokenOf());
    const rolled = { ...other.publicKey.export({ format: "jwk" }), kid: "two" };
    seen.keys = [publicKey, rolled, { kty: "oct", k: "secret" }, []];
    const token = tokenOf({}, { kid: "two" }, other.privateKey);
    expect(await ask(token)).toMatchObject({ status: 401 });
    under.nowMs += 10_001;
    expect(await ask(token)).toEqual(passes as never);
    for (let at = 0; at < 5; at++) await ask(tokenOf({}, { kid: `x${at}` }));
    expect(seen.fetched).toBe(2);
  });

  test("that were withdrawn hold for no token any more", async () => {
    const { under, seen, ask } = guarding();
    const token = tokenOf({ exp: startMs / 1_000 + 6_000 });
    expect(await ask(token)).toEqual(passes as never);
    seen.keys = [];
    under.nowMs += 600_001;
    expect(await ask(token)).toMatchObject({ status: 401 });
  });

  test("that were withdrawn while a signature was looked at hold for no further request", async () => {
    const { issuer, audience } = { issuer: "https://id.example", audience: ["orders"] };
    const options = v.parse(policy.options, { issuer, audience, keys: { service: "id", path: "/keys" } });
    let [keys, nowMs]: [object[], number] = [[publicKey], startMs];
    const looked = Promise.withResolvers<boolean>();
    const context = {
      ...{ options, state: policy.state?.(options as never), now: () => nowMs, count() {}, log() {} },
      call: async () => ({ status: 200, json: () => ({ keys }) }),
      verify: () => looked.promise,
    };
    const ask = (claims: object) => {
      const headers = new HeaderList(["authorization", tokenOf({ exp: startMs / 1_000 + 6_000, ...claims })]);
      return policy.onRequest?.({ headers } as never, context as never);
    };
    const first = ask({ sub: "bob" });
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    keys = [];
    nowMs += 600_001;
    expect(await ask({ sub: "eve" })).toMatchObject({ status: 401 });
    looked.resolve(true);
    expect(await first).toMatchObject({ do: "next" });
    expect(await ask({ sub: "bob" })).toMatchObject({ status: 401 });
  });

  test("are used for a while when nobody can renew them, and then nothing passes", async () => {
    const { under, seen, ask } = guarding();
    const token = tokenOf({ exp: startMs / 1_000 + 10_000 });
    await ask(token);
    seen.away = true;
    under.nowMs += 600_001;
    expect(await ask(token)).toEqual(passes as never);
    under.nowMs += 3_600_000;
    expect(await ask(token).catch(String)).toBe("Error: id is away");
  });

  test("are awaited by each request that came before they did", async () => {
    const { ask } = guarding();
    const all = await Promise.all([1, 2, 3].map((level) => ask(tokenOf({ level }))));
    expect(all.map((decision) => decision.do)).toEqual(["next", "next", "next"]);
  });

  test("without any nothing passes", async () => {
    const { seen, ask } = guarding();
    seen.away = true;
    for (let at = 0; at < 2; at++) expect(await ask(tokenOf()).catch(String)).toBe("Error: id is away");
  });

  test("may stand in the document", async () => {
    const { seen, ask } = guarding({ keys: { set: [publicKey] } });
    expect(await ask(tokenOf())).toEqual(passes as never);
    expect(seen.fetched).toBe(0);
  });
});

test("keys that are old are asked for by one of many requests at a time, and the others go by what there is", async () => {
  const { under, seen, ask } = guarding({ refresh: "1m" });
  await ask(tokenOf());
  under.advance(61_000);
  const decisions = await Promise.all([1, 2, 3].map((level) => ask(tokenOf({ level }))));
  for (const decision of decisions) expect(decision.do).toBe("next");
  expect(seen.fetched).toBe(2);
});

test("a token that was found right is not looked at again, and still expires", async () => {
  const { under, seen, ask } = guarding();
  const token = tokenOf({ exp: startMs / 1_000 + 60 });
  for (let at = 0; at < 3; at++) await ask(token);
  expect(seen.verified).toBe(1);
  under.nowMs += 91_000;
  expect(await ask(token)).toMatchObject({ status: 401, reason: "token: it has expired" });
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { issuer: "x", audience: [], keys: { set: [{ kty: "oct", k: "x" }] } })).toContain(
    "audience",
  );
  expect(wrongIn(policy, { issuer: "x", keys: { service: "id", path: "/" } })).toEqual(["audience"]);
});

/** Signatures that policies ask about: every algorithm says yes to what is right, no to what is not, and nothing to other keys. */
import { describe, expect, test } from "bun:test";
import { constants, createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { checkSignature, type Algorithm } from "../../../src/policy/signature.ts";

const data = "header.payload";
const bytes = Buffer.from(data);
const secret = Buffer.alloc(32, 7);
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
const ed = generateKeyPairSync("ed25519");

const jwk = (key: KeyObject) => key.export({ format: "jwk" }) as Record<string, unknown>;
const ecdsa = (key: KeyObject, hash: string) => sign(hash, bytes, { key, dsaEncoding: "ieee-p1363" });

const signed: Readonly<Record<Algorithm, { key: Record<string, unknown>; signature: Buffer }>> = {
  HS256: {
    key: { kty: "oct", k: secret.toString("base64url") },
    signature: createHmac("sha256", secret).update(bytes).digest(),
  },
  RS256: { key: jwk(rsa.publicKey), signature: sign("sha256", bytes, rsa.privateKey) },
  RS384: { key: jwk(rsa.publicKey), signature: sign("sha384", bytes, rsa.privateKey) },
  RS512: { key: jwk(rsa.publicKey), signature: sign("sha512", bytes, rsa.privateKey) },
  PS256: {
    key: jwk(rsa.publicKey),
    signature: sign("sha256", bytes, {
      key: rsa.privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  },
  ES256: { key: jwk(p256.publicKey), signature: ecdsa(p256.privateKey, "sha256") },
  ES384: { key: jwk(p384.publicKey), signature: ecdsa(p384.privateKey, "sha384") },
  EdDSA: { key: jwk(ed.publicKey), signature: sign(null, bytes, ed.privateKey) },
};

for (const [name, { key, signature }] of Object.entries(signed)) {
  const algorithm = name as Algorithm;
  const text = signature.toString("base64url");

  describe(name, () => {
    test("finds a signature right, with a key that says what it is for and one that does not", () => {
      expect(checkSignature({ algorithm, key, signature: text, data })).toEqual({ ok: true, value: true });
      expect(checkSignature({ algorithm, key: { ...key, alg: name }, signature: text, data })).toEqual({
        ok: true,
        value: true,
      });
    });

    test("finds one under other words wrong, and one of which a bit was turned or that is cut", () => {
      const turned = Buffer.from(signature);
      turned[5] = (turned[5] ?? 0) ^ 1;
      for (const [other, under] of [
        [text, `${data}x`],
        [turned.toString("base64url"), data],
        [signature.subarray(1).toString("base64url"), data],
        ["", data],
      ] as const)
        expect(checkSignature({ algorithm, key, signature: other, data: under })).toEqual({
          ok: true,
          value: false,
        });
    });

    test("takes no key of another kind, nor one that is meant for another algorithm", () => {
      for (const [other, { key: foreign }] of Object.entries(signed)) {
        if (foreign["kty"] === key["kty"] && foreign["crv"] === key["crv"]) continue;
        expect([other, checkSignature({ algorithm, key: foreign, signature: text, data })]).toEqual([
          other,
          { ok: false, problem: expect.any(String) as string },
        ]);
      }
      const meant = checkSignature({ algorithm, key: { ...key, alg: "none" }, signature: text, data });
      expect(meant).toEqual({ ok: false, problem: `The key is not meant for ${name}` });
    });
  });
}

describe("a key that is none", () => {
  const broken: readonly [string, Algorithm, Record<string, unknown>][] = [
    ["a secret that is short", "HS256", { kty: "oct", k: "c2hvcnQ" }],
    ["a secret that is missing", "HS256", { kty: "oct" }],
    ["a modulus that is short", "RS256", { kty: "RSA", n: "AQAB", e: "AQAB" }],
    ["a modulus that takes long", "RS256", { kty: "RSA", n: "A".repeat(20_000), e: "AQAB" }],
    ["an exponent that takes long", "RS256", { ...signed.RS256.key, e: "_".repeat(300) }],
    ["a point that is on no curve", "ES256", { kty: "EC", crv: "P-256", x: "AA", y: "AA" }],
    ["a point that is no text", "EdDSA", { kty: "OKP", crv: "Ed25519", x: 3 }],
  ];
  for (const [name, algorithm, key] of broken)
    test(`is a problem: ${name}`, () =>
      expect(checkSignature({ algorithm, key, signature: "AAAA", data })).toEqual({
        ok: false,
        problem: expect.any(String) as string,
      }));

  test("and neither is a signature in another alphabet", () =>
    expect(checkSignature({ algorithm: "RS256", key: signed.RS256.key, signature: "a+b/", data })).toEqual({
      ok: false,
      problem: "The signature is not in base64url",
    }));
});

/** What the SDK has instead of a web platform gives what the platform's own gives. */
import { describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { fromBase64, fromBase64Url, toBase64, toBase64Url } from "../../../src/policy/base64.ts";
import { hmacSha256, sha256, toHex } from "../../../src/policy/sha256.ts";
import * as pure from "../../../src/policy/text_codec.ts";
import { answerOf, realmOf } from "../../support/realm_of.ts";

/** Bytes of every length that matters, the same each time. */
const samples = Array.from({ length: 200 }, (_, length) =>
  Uint8Array.from({ length }, (_each, at) => (at * 167 + length * 31) & 0xff),
);

test("SHA-256 and its HMAC are those of the platform, at every length around blocks", () => {
  for (const bytes of samples) {
    expect(toHex(sha256(bytes))).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(toHex(hmacSha256(bytes, samples[70] as Uint8Array))).toBe(
      createHmac("sha256", bytes)
        .update(samples[70] as Uint8Array)
        .digest("hex"),
    );
  }
});

describe("base64", () => {
  test("is that of the platform in both alphabets, and reads what it writes", () => {
    for (const bytes of samples) {
      const platform = Buffer.from(bytes);
      expect(toBase64(bytes)).toBe(platform.toString("base64"));
      expect(toBase64Url(bytes)).toBe(platform.toString("base64url"));
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
    }
  });

  test("reads nothing of the other alphabet, nor what is cut or padded wrongly", () => {
    for (const text of ["a", "ab=", "ab===", "a-b_", "a b", "ab\n", "=", "abcde"])
      expect([text, fromBase64(text)]).toEqual([text, null]);
    for (const text of ["a", "ab==", "a+b/", "ü"]) expect([text, fromBase64Url(text)]).toEqual([text, null]);
  });
});

describe("UTF-8", () => {
  const texts = ["", "abc", "häß", "日本", "a\u{1f600}b", "\ud800x", "x\udc00", "\ufeffmarked"];

  test("is written as the platform does", () => {
    for (const text of texts)
      expect(new pure.TextEncoder().encode(text)).toEqual(new TextEncoder().encode(text));
  });

  test("is read as the platform does, malformed or not", () => {
    const broken = [
      "c0af",
      "e080af",
      "eda080",
      "f4908080",
      "f8",
      "80",
      "e282",
      "f09f98",
      "ff41",
      "efbbbf41",
      "e28241",
    ];
    const bytes = [
      ...texts.map((text) => new TextEncoder().encode(text)),
      ...broken.map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))),
    ];
    for (const each of [...bytes, ...samples.slice(0, 60)]) {
      expect(new pure.TextDecoder().decode(each)).toBe(new TextDecoder().decode(each));
      const fatal = (decoder: { decode(bytes: Uint8Array): string }): string => {
        try {
          return decoder.decode(each);
        } catch {
          return "refused";
        }
      };
      expect(fatal(new pure.TextDecoder("utf-8", { fatal: true }))).toBe(
        fatal(new TextDecoder("utf-8", { fatal: true })),
      );
    }
  });
});

test("a policy has them in its realm", async () => {
  const realm = await realmOf({
    file: "policies/tools.ts",
    text: `import { definePolicy, fromBase64Url, hmacSha256, next, sha256, TextDecoder, TextEncoder, toBase64Url, toHex } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "tools", version: "1.0.0", options: v.strictObject({}), onError: "open",
  onRequest(request) {
    const bytes = new TextEncoder().encode(request.path);
    const back = new TextDecoder().decode(fromBase64Url(toBase64Url(bytes)) ?? bytes);
    return next({ headers: { set: { "x-hash": toHex(sha256(bytes)), "x-mac": toHex(hmacSha256(bytes, bytes)), back } } });
  },
});
`,
  });
  realm.bind(1, "{}");
  const set = {
    "x-hash": createHash("sha256").update("/a").digest("hex"),
    "x-mac": createHmac("sha256", "/a").update("/a").digest("hex"),
    back: "/a",
  };
  expect(await answerOf(realm, [1, "r", "GET", "a", "/a", "", "a.default", []])).toEqual({
    do: "next",
    headers: { set },
  });
});

/** Secrets in what is handed to others. */
import { expect, test } from "bun:test";
import { removed, withoutSecrets, withoutSecretValues } from "../../../src/base/secrets.ts";

test.each([
  ["a private key", "-----BEGIN EC PRIVATE KEY-----\nplanted\nmore\n-----END EC PRIVATE KEY-----"],
  ["a private key that was cut", "-----BEGIN PRIVATE KEY-----\nplanted"],
  ["a join token", "hd1.0a1b2c3d4e5f.planted.pinpinpin"],
  ["a key of age", "AGE-SECRET-KEY-1PLANTED"],
  ["a JWT", "eyJhbGciOiJub25lIn0.planted.x"],
  ["a header", "Authorization: Bearer planted.token"],
  ["a header with a name and a password", "authorization: Basic cGxhbnRlZA=="],
  ["an address with a password", "https://me:planted@collector:4318/v1"],
  ["a variable", "OTEL_TOKEN=planted"],
  ["a field of JSON", '{"clientSecret": "planted \\" planted"}'],
  ["a field of YAML", "password: planted"],
  ["a query", "GET /x?api_key=planted&user=me"],
  ["a key of a provider", "sk-planted-0123456789abcdef"],
])("%s is taken out of a text", (_, secret) => {
  const text = withoutSecrets(`before ${secret} after`);
  expect(text).toContain(removed);
  expect(text.toLowerCase()).not.toMatch(/planted|cgxhbnrlza/);
  expect(text).toStartWith("before ");
});

test("what is no secret stays", () => {
  const text =
    'heddle_requests_total{service="tokenizer.default"} 3\nkeepFree: [9000]\nSNI orders.default, see https://example.org/a@b';
  expect(withoutSecrets(text)).toBe(text);
});

test("what is known is taken out wherever it stands", () => {
  expect(withoutSecrets("a MIGHAgEA b", ["MIGHAgEA"])).toBe(`a ${removed} b`);
});

test("of values all goes that is called a secret, alone, in pairs and one behind the other", () => {
  const value = {
    sessionKey: "planted",
    sessionKeyBefore: { key: "planted", replacedS: 3 },
    set: [{ name: "x-api-key", value: "planted" }],
    fields: ["accept", "*/*", "authorization", "planted"],
    with: { apiKey: "planted", limit: 3, list: [{ password: ["planted"] }] },
    path: "/v1",
  };
  const clean = withoutSecretValues(value) as typeof value;
  expect(JSON.stringify(clean)).not.toContain("planted");
  expect(clean).toMatchObject({ fields: ["accept", "*/*", "authorization", removed], path: "/v1" });
  expect(clean.with.limit).toBe(3);
});

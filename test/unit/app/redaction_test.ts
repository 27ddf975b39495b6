/** What a recording keeps of secrets: nothing but where the same one stands. */
import { expect, test } from "bun:test";
import { Redaction, withoutSecrets } from "../../../src/app/redaction.ts";

const redaction = new Redaction("salt");
const word = /^redacted-[0-9a-f]{16}$/;

test.each([
  ["authorization", "Bearer planted"],
  ["x-api-key", "planted"],
  ["X-Auth", "planted"],
  ["access_token", "planted"],
  ["sig", "planted"],
  ["x-forwarded-jwt", "eyJhbGciOiJub25lIn0.planted.x"],
  ["x-upstream", "https://me:planted@orders:80/"],
  ["x-provider", "sk-planted-0123456789abcdef"],
])("the value of %s is not kept: %s", (name, value) => {
  const [, kept = ""] = redaction.fields([name, value]);
  expect(kept).toMatch(word);
  expect(redaction.target(`/x?${name}=${encodeURIComponent(value)}&page=2`)).toMatch(
    /^\/x\?[\w-]+=redacted-[0-9a-f]{16}&page=2$/,
  );
  expect(JSON.stringify(redaction.options({ use: { [name]: [value] }, limit: 3 }))).not.toContain("planted");
});

test("the same secret is the same word, and a word stays as it is", () => {
  const [, first = "", , second = ""] = redaction.fields(["cookie", "a", "x-api-key", "a"]);
  expect(first).toBe(second);
  expect(redaction.fields(["cookie", first])).toEqual(["cookie", first]);
});

test.each([
  ["accept", "*/*"],
  ["x-user-group", "beta"],
  ["x-keyed-by", "user"],
  ["user-agent", "curl/8.5.0"],
  ["referer", "https://example.org/a@b"],
])("the value of %s is kept: %s", (name, value) => {
  expect(redaction.fields([name, value])).toEqual([name, value]);
});

test("options that are no secrets stay as they are, whatever they hold", () => {
  const options = { limit: 3, values: { beta: { service: "web" } }, list: [1, null, true], within: "1h" };
  expect(redaction.options(options)).toEqual(options);
});

test("a long hostile value costs no more than its length", () => {
  const hostile = ["-eyJa", "a-", "sk-", "x:", "Bearer "].map((part) => part.repeat(1_000_000 / part.length));
  const begun = process.cpuUsage();
  for (const value of hostile) redaction.fields(["x-note", value]);
  const { user } = process.cpuUsage(begun);
  expect(user / 1_000).toBeLessThan(2_000);
});

test("where the salt is not known, what is secret makes no difference", () => {
  const said = (value: string) =>
    withoutSecrets({
      do: "next",
      edits: { set: ["x-api-key", value], add: [], remove: [] },
      target: null,
    } as unknown as Parameters<typeof withoutSecrets>[0]);
  expect(said("redacted-0123456789abcdef")).toEqual(said("planted"));
});

test("what a policy writes into a path or says in words holds no secret", () => {
  const target = { target: "/v2?access_token=planted&page=2", path: "/v2" };
  const edits = { set: ["location", "/x?code=1&token=planted"], add: [], remove: [] };
  const headers = { set: ["location", "https://b/?sig=planted"], add: [], remove: [] };
  for (const said of [
    { do: "next", edits, target },
    { do: "route", service: "b", subset: null, edits, target },
    { do: "respond", status: 401, headers, body: "Bearer planted", reason: "no user has token=planted" },
    { do: "failed", failure: "throw", reason: "Error: Bearer planted-00 is unknown" },
  ] as unknown as Parameters<Redaction["said"]>[0][]) {
    expect(JSON.stringify(redaction.said(said))).not.toContain("planted");
    expect(JSON.stringify(withoutSecrets(said))).not.toContain("planted");
    expect(withoutSecrets(redaction.said(said))).toEqual(withoutSecrets(said));
  }
});

test("an address in a header holds no secret in its query, however its name is written", () => {
  const [, kept] = redaction.fields(["referer", "https://a.example/x?to%6Ben=planted&page=2"]);
  expect(kept).toMatch(/^https:\/\/a\.example\/x\?to%6Ben=redacted-[0-9a-f]{16}&page=2$/);
});

test("all that stands in an option that is called a secret is one", () => {
  const options = { secrets: { one: "planted", two: { deep: ["planted"], pin: 4711 } }, password: 4711 };
  const kept = JSON.stringify(redaction.options(options));
  expect(kept).not.toContain("planted");
  expect(kept).not.toContain("4711");
});

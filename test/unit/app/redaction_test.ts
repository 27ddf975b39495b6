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
    } as unknown as Parameters<typeof withoutSecrets>[0]);
  expect(said("redacted-0123456789abcdef")).toEqual(said("planted"));
});

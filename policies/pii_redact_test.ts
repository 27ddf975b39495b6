/** pii-redact takes out what tells of people and nothing else. */
import { describe, expect, test } from "bun:test";
import { PolicyUnderTest, wrongIn } from "../src/policy/policy_under_test.ts";
import policy from "./pii_redact.ts";

const of = (written: object = {}) => new PolicyUnderTest(policy, written);
const left = async (json: unknown, written: object = {}) => {
  const decision = await of(written).request({ method: "POST", json });
  return decision.do === "next" ? (decision.json ?? "as it came") : decision;
};

describe("a body", () => {
  test("keeps everything but what tells of people, however deep it stands", async () => {
    const json = {
      messages: [{ role: "user", content: "I am ada@example.org, +44 20 7946 0958. 4111-1111-1111-1111!" }],
      "ada@example.org": true,
      account: "DE89 3704 0044 0532 0130 00",
      card: 4111111111111111,
      n: null,
    };
    expect(await left(json)).toEqual({
      messages: [{ role: "user", content: "I am [email], [phone]. [card]!" }],
      "[email]": true,
      account: "[iban]",
      card: "[card]",
      n: null,
    });
  });

  test("goes on as it came where nothing is found: numbers without their check digits are other numbers", async () => {
    const json = { order: "4111111111111112", at: 1764563520123, iban: "DE00370400440532013000", a: "b@c" };
    expect(await left(json)).toBe("as it came");
    expect(await left({ mail: "ada@example.org" }, { find: ["card"] })).toBe("as it came");
  });

  test("loses members of the names given, whatever stands in them", async () => {
    const json = { SSN: { area: 123 }, ssn_hint: "x", date_of_birth: null };
    expect(await left(json, { members: ["ssn", "date_of_birth"] })).toEqual({
      SSN: "[redacted]",
      ssn_hint: "x",
      date_of_birth: null,
    });
  });

  test("that cannot be read is refused, or passes where the settings say so", async () => {
    expect(await of().request({ unread: "too long" })).toMatchObject({ status: 413 });
    expect(await of().request({ unread: "no JSON" })).toMatchObject({ status: 415 });
    expect(await of({ unread: "allow" }).request({ unread: "encoded" })).toEqual({ do: "next" });
    expect(await of().request()).toEqual({ do: "next" });
  });

  test("of nothing but what looks like the beginning of something is done within its time", async () => {
    const texts = ["a".repeat(60_000), "1 ".repeat(30_000), `+${"1".repeat(60_000)}`, "AA11 ".repeat(12_000)];
    // A pattern that goes back over the text again and again takes hours for these.
    for (const text of texts) expect(await left({ text })).toBeDefined();
  });
});

test("events lose the same, as JSON and as text, and go on byte for byte otherwise", () => {
  const data = ['{"a":"ada\\u0040example.org"}', "call +49 30 901820", '{"a": 1}'];
  const events = of().events(data.map((each) => ({ event: "delta", data: each })));
  expect(events).toEqual([
    { event: "delta", data: '{"a":"[email]"}' },
    { event: "delta", data: "call [phone]" },
    { event: "delta", data: '{"a": 1}' },
  ]);
});

test("settings that do not fit are named", () => {
  expect(wrongIn(policy, { find: ["name"], unread: "maybe" })).toEqual(["find.0", "unread"]);
});

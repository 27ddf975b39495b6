/** What is read of requests to language models while they pass, however they are split and written. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RequestScan } from "../../../src/inference/request_scan.ts";
import { bytesOf } from "../../support/wire.ts";

function scan(text: string, ...splits: number[]): RequestScan {
  const bytes = new TextEncoder().encode(text);
  const found = new RequestScan();
  const ends = [...splits.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
  let from = 0;
  for (const end of ends) {
    // As part of a larger buffer, as it comes from sockets.
    const around = new Uint8Array(end - from + 7).fill(0x22);
    around.set(bytes.subarray(from, end), 3);
    found.push(around, 3, 3 + end - from);
    from = end;
  }
  return found;
}

const facts = ({
  model,
  stream,
  outputTokensMax,
  includesUsage,
  twice,
  broken,
  over,
  parts,
}: RequestScan) => ({
  ...{ model, stream, outputTokensMax, includesUsage, twice, broken, over },
  parts: parts.map(({ hashes, ends, bytes }) => ({ hashes, ends, bytes })),
});

const chat = JSON.stringify({
  max_tokens: 77,
  messages: [
    { role: "system", content: 'You say "model": "wrong", and \\ and \\" too. '.repeat(30) },
    { role: "user", content: 'ü€𝄞 {"model": "inner"} ]}' },
  ],
  metadata: { model: "not this one", stream: true, deep: [[{ max_tokens: 1 }]] },
  model: "org/model-7b",
  stream_options: { include_usage: true },
  stream: true,
});

describe("a request to a language model", () => {
  test("shows its model, its bounds and whether it streams, of its outermost object alone", () => {
    expect(facts(scan(chat))).toMatchObject({
      ...{ model: "org/model-7b", stream: true, outputTokensMax: 77, includesUsage: true },
      ...{ twice: false, broken: false, over: true },
    });
  });

  test("is read alike wherever it is split", () => {
    const whole = facts(scan(chat));
    for (let at = 1; at < chat.length; at++) expect(facts(scan(chat, at))).toEqual(whole);
    const every = Array.from({ length: bytesOf(chat).length * 2 }, (_, at) => at + 1);
    expect(facts(scan(chat, ...every))).toEqual(whole);
  });

  test("is read as JSON.parse reads it, whatever is in it", () => {
    const property = fc.property(
      fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 6 }),
      fc.record({ model: fc.string(), messages: fc.jsonValue() }),
      fc.array(fc.nat(300), { maxLength: 4 }),
      fc.nat(3),
      (others, own, splits, spaces) => {
        const all = { ...others, ...own };
        const text = JSON.stringify(all, null, spaces);
        const found = scan(text, ...splits);
        expect([found.model, found.broken, found.over, found.twice]).toEqual([all.model, false, true, false]);
        const { modelStart, modelEnd } = found;
        const bytes = new TextEncoder().encode(text).subarray(modelStart, modelEnd);
        expect(JSON.parse(new TextDecoder().decode(bytes))).toBe(all.model);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  test("shows a model whose name or value is written with escapes, as the engine will read it", () => {
    expect(scan('{"mod\\u0065l": "a\\u0062c"}').model).toBe("abc");
  });

  test("shows that it names its model twice, also by escapes", () => {
    expect(scan('{"model": "a", "model": "b"}').twice).toBe(true);
    expect(scan('{"model": "a", "x": {"model": "c"}, "\\u006dodel": "b"}').twice).toBe(true);
    expect(scan('{"x": {"model": "c", "model": "d"}, "model": "b"}').twice).toBe(false);
  });

  test("that is no object is broken, and nothing of it counts", () => {
    for (const text of ["[1]", "model", '"model"', '{"model" "x"}', "{]", '{"a": 1]', "{} {}"])
      expect([text, scan(text).broken]).toEqual([text, true]);
    expect(scan('{"model": 7, "stream": "true", "max_tokens": -1}')).toMatchObject({
      ...{ model: null, stream: false, outputTokensMax: null, broken: false, over: true },
    });
  });

  test("whose model is longer than any name has none", () => {
    const found = scan(JSON.stringify({ model: "m".repeat(5_000), stream: true }));
    expect([found.model, found.stream, found.broken]).toEqual([null, true, false]);
  });
});

describe("prompts", () => {
  const conversation = (...turns: string[]) =>
    JSON.stringify({ model: "m", messages: turns.map((content) => ({ role: "user", content })) });
  const common = (a: RequestScan, b: RequestScan): number => {
    const known = new Set(a.parts.flatMap(({ hashes }) => hashes));
    return b.parts.flatMap(({ hashes }) => hashes).filter((hash) => known.has(hash)).length;
  };

  test("have as many hashes in common as their beginnings are equal", () => {
    const first = scan(conversation("a".repeat(10_000)));
    const second = scan(conversation("a".repeat(10_000), "b".repeat(3_000)));
    const other = scan(conversation(`b${"a".repeat(10_000)}`));
    expect(common(first, second)).toBeGreaterThanOrEqual((first.parts[0]?.hashes.length ?? 0) - 1);
    expect(common(first, other)).toBe(0);
  });

  test("have the same hashes whatever stands around their parts", () => {
    const messages = [{ role: "user", content: "c".repeat(2_000) }];
    const tools = [{ name: "t", about: "d".repeat(2_000) }];
    const one = scan(JSON.stringify({ model: "m", temperature: 0.2, tools, messages, stream: true }));
    const other = scan(JSON.stringify({ messages, stream: false, tools, temperature: 0.75, model: "m" }));
    const sorted = ({ parts }: RequestScan) => parts.flatMap(({ hashes }) => hashes).sort();
    expect(sorted(one)).toEqual(sorted(other));
    expect(sorted(one).length).toBeGreaterThan(10);
  });

  test("of different salts have no hash in common", () => {
    const salted = (cache_salt: string) =>
      scan(JSON.stringify({ cache_salt, messages: [{ content: "e".repeat(4_000) }] }));
    expect(common(salted("x"), salted("y"))).toBe(0);
    expect(common(salted("x"), salted("x"))).toBeGreaterThan(0);
  });

  test("of a megabyte have some hundred hashes", () => {
    const { parts } = scan(conversation("f".repeat(1_000_000)));
    expect(parts[0]?.hashes.length).toBeGreaterThan(100);
    expect(parts[0]?.hashes.length).toBeLessThan(300);
  });
});

test("parts of a prompt that come again and again cost no more memory than one that is long", () => {
  const bytes = new TextEncoder().encode(`{${'"input":1,'.repeat(10_000)}"model":"m"}`);
  const scan = new RequestScan();
  scan.push(bytes, 0, bytes.length);
  expect(scan.parts.length).toBeLessThan(20);
  expect([scan.promptBytes, scan.model]).toEqual([10_000, "m"]);
});

/** What JSON of a policy costs to read is counted by its letters, and texts count as one whatever stands in them. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { limits } from "../../../src/model/limits.ts";
import { burdenOf } from "../../../src/policy/burden.ts";

const most = limits.policyAnswerPartsMax;
const texts = /"(?:[^"\\]|\\.)*"/gs;

test("parts are those outside of texts, for whatever JSON there is", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 4 }), { maxLength: 40 }), fc.nat(2_000), (values, more) => {
      const json = JSON.stringify([values, Array(more).fill(0), '"\\,[{'.repeat(1_000)]);
      const parts = json.replace(texts, "").replace(/[^,[{]/g, "").length;
      const wanted = parts <= most ? null : `has ${parts} parts, more than ${most}`;
      expect(burdenOf(json)).toBe(wanted);
    }),
  );
});

test("what is no JSON is counted to its end", () => {
  for (const text of ['"', '"\\', "[".repeat(most), `"${"[".repeat(most * 2)}`])
    expect(burdenOf(text)).toBeNull();
  expect(burdenOf("[".repeat(most + 1))).toBe(`has ${most + 1} parts, more than ${most}`);
});

test("as long as a worker may hand on is not too long, and one letter more is", () => {
  const { policyMessageBytesMax } = limits;
  expect(burdenOf(" ".repeat(policyMessageBytesMax))).toBeNull();
  expect(burdenOf(" ".repeat(policyMessageBytesMax + 1))).toContain("letters long");
});

test("the longest body that a policy may see and write again is not too much, however its client wrote it", () => {
  const longest = (part: string): string => {
    const count = Math.floor((limits.policyBodyBytesMax - 2) / (part.length + 1));
    return `[${Array.from({ length: count }, () => part).join()}]`;
  };
  for (const part of ["1e20", "1e-6", '"\\""', '""', "{}"]) {
    const again = JSON.stringify(JSON.parse(longest(part)));
    expect(burdenOf(JSON.stringify({ do: "next", json: again }))).toBeNull();
  }
});

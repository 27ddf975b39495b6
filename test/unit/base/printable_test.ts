/** What may stand on a terminal or in a log, whoever wrote it. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { logAs } from "../../../src/telemetry/log_line.ts";
import { printable, printableJson, printableLines } from "../../../src/base/printable.ts";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const runs = { seed, numRuns: 2_000 };
console.log(`printable: SEED=${seed}`);

const bad = [
  ..."\u0000\u0007\b\t\n\r\u001b\u007f\u0080\u0085\u009b\u009d",
  ..."\u00ad\u061c\u180e\u200b\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\ufeff\u{e0041}",
  "\ud800",
  "\udc00",
];
/** Text in which what must not be shown is frequent. */
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...bad), fc.string({ unit: "binary", maxLength: 4 }), fc.string()))
  .map((parts) => parts.join(""));
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

describe("printable text", () => {
  test("shows every control, direction, line separator and what nobody sees by its number", () => {
    for (const each of bad)
      expect(printable(`a${each}b`)).toMatch(/^a\\(?:[nrt]|x[0-9a-f]{2}|u\{[0-9a-f]+\})b$/);
    expect(printable("\u001b[2J\u202eevil\u2028")).toBe("\\x1b[2J\\u{202e}evil\\u{2028}");
  });

  test("leaves words of every script as they are", () => {
    for (const words of ["zone=eu-1, tier: gold", "größer", "日本語", "שלום", "кириллица", "🙂 €"])
      expect(printable(words)).toBe(words);
  });

  test("is one safe line whatever it was, and stays what it is when it is printed again", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const shown = printable(text);
        expect(shown).not.toMatch(unsafe);
        expect(printable(shown)).toBe(shown);
      }),
      runs,
    );
  });
});

test("lines that are meant to be lines stay lines, with their tabs, and each is safe", () => {
  expect(printableLines("kind: Service\r\n\tname: \u001b[31mx\n")).toBe(
    "kind: Service\n\tname: \\x1b[31mx\n",
  );
  fc.assert(
    fc.property(fc.array(hostile), (parts) => {
      for (const line of printableLines(parts.join("\n")).split(/[\n\t]/)) expect(line).not.toMatch(unsafe);
    }),
    runs,
  );
});

test("JSON means the same after it was made printable, and holds nothing raw", () => {
  fc.assert(
    fc.property(fc.dictionary(hostile, hostile), fc.constantFrom(0, 2), (value, space) => {
      const json = printableJson(JSON.stringify(value, null, space));
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(value)));
      for (const line of json.split("\n")) expect(line).not.toMatch(unsafe);
    }),
    runs,
  );
});

test("a log has one line for each thing said, whatever a peer made of its words", () => {
  const written: string[] = [];
  const log = logAs({ stderr: (text) => void written.push(text) }, "proxy");
  log("refused snapshot: bad\nproxy: all is well\u001b[8m");
  expect(written).toEqual(["proxy: refused snapshot: bad\\nproxy: all is well\\x1b[8m\n"]);
});

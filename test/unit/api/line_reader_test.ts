/** Lines of a stream, however its bytes are cut. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { LineReader } from "../../../src/api/line_reader.ts";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`line reader: SEED=${seed}`);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

test("lines are the same however they are cut, and the bytes may be used again after each part", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", ""))),
      fc.array(fc.nat(200)),
      (lines, cuts) => {
        const heard: string[] = [];
        const reader = new LineReader(10_000, (text) => void heard.push(text));
        const bytes = bytesOf(lines.map((line) => `${line}\n`).join(""));
        const shared = new Uint8Array(bytes.length);
        let from = 0;
        for (const to of [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
          shared.fill(0).set(bytes.subarray(from, to));
          expect(reader.take(shared.subarray(0, to - from))).toBe(true);
          from = to;
        }
        expect(heard).toEqual(lines.filter((line) => line !== ""));
      },
    ),
    { seed },
  );
});

test("a line that is longer than may be is refused as soon as that is known, whole or in parts", () => {
  const heard: string[] = [];
  const reader = (): LineReader => new LineReader(4, (text) => void heard.push(text));
  expect(reader().take(bytesOf("1234\n12345\n"))).toBe(false);
  const parts = reader();
  expect(parts.take(bytesOf("\n123"))).toBe(true);
  expect(parts.take(bytesOf("45"))).toBe(false);
  expect(heard).toEqual(["1234"]);
});

test("a line of many parts costs its size, not its size times its parts", () => {
  const part = new Uint8Array(1024).fill(120);
  let length = 0;
  const reader = new LineReader(64 * 1024 * 1024, (text) => (length = text.length));
  for (let count = 0; count < 32 * 1024; count++) reader.take(part);
  reader.take(bytesOf("\n"));
  expect(length).toBe(32 * 1024 * 1024);
});

/** Bytes as text, octet by octet, and strings that are made once. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { copyBytes, Interner, latin1, letGo, sameBytes } from "../../../src/base/bytes.ts";

const octets = fc.uint8Array({ maxLength: 80 });

test("every octet becomes the character of its number, whatever bytes stand around", () => {
  fc.assert(
    fc.property(octets, octets, octets, (before, bytes, after) => {
      const all = Uint8Array.from([...before, ...bytes, ...after]);
      const text = latin1(all, before.length, before.length + bytes.length);
      expect([...text].map((letter) => letter.charCodeAt(0))).toEqual([...bytes]);
    }),
  );
});

test("a copy takes exactly its range, also of a view into a larger buffer", () => {
  const large = Uint8Array.from({ length: 20 }, (_, at) => at);
  const inner = large.subarray(5, 15);
  const target = new Uint8Array(6);
  copyBytes(target, 1, inner, 2, 6);
  expect([...target]).toEqual([0, 7, 8, 9, 10, 0]);
  expect([sameBytes(inner, large, 5, 4), sameBytes(inner, large, 6, 4)]).toEqual([true, false]);
});

test("large memory that is let go is gone, small memory stays", () => {
  const [large, small] = [new Uint8Array(64 * 1024), new Uint8Array(1024)];
  const view = large.subarray(60_000);
  letGo(small);
  letGo(large);
  letGo(large);
  expect([large.length, view.length, small.length]).toEqual([0, 0, 1024]);
});

describe("an interner", () => {
  test("says what the bytes say, however often and in whatever order", () => {
    const interner = new Interner();
    fc.assert(
      fc.property(fc.array(octets, { maxLength: 30 }), (all) => {
        for (const bytes of [...all, ...all])
          expect(interner.latin1(bytes, 0, bytes.length)).toBe(latin1(bytes, 0, bytes.length));
      }),
    );
  });

  test("tells texts apart that share a slot", () => {
    const interner = new Interner();
    const texts = Array.from({ length: 5_000 }, (_, at) => `/orders/${at}`);
    for (const text of [...texts, ...texts.toReversed()]) {
      const bytes = Buffer.from(text);
      expect(interner.latin1(bytes, 0, bytes.length)).toBe(text);
    }
  });

  test("does not care for where the bytes come from, or what becomes of them", () => {
    const interner = new Interner();
    const bytes = Uint8Array.from(Buffer.from("xx/status"));
    const first = interner.latin1(bytes, 2, 9);
    bytes.fill(0);
    const again = Buffer.from("/status");
    expect([first, interner.latin1(again, 0, 7)]).toEqual(["/status", "/status"]);
  });
});

test("bytes are the same when each of them is", () => {
  fc.assert(
    fc.property(octets, octets, fc.nat(200), fc.nat(255), (before, bytes, at, value) => {
      const other = Uint8Array.from([...before, ...bytes]);
      expect(sameBytes(bytes, other, before.length, bytes.length)).toBe(true);
      if (at >= bytes.length) return;
      const changed = other[before.length + at] !== value;
      other[before.length + at] = value;
      expect(sameBytes(bytes, other, before.length, bytes.length)).toBe(!changed);
    }),
  );
});

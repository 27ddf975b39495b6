/** The hash of texts is XXH32 of their bytes, and the walk of numbers visits places evenly. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { hashNumber, hashText } from "../../../src/base/hash.ts";

test("is XXH32 of the text's bytes", () => {
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 100 }), fc.nat(2 ** 32 - 1), (bytes, seed) => {
      expect(hashText(String.fromCharCode(...bytes), seed)).toBe(
        Bun.hash.xxHash32(Uint8Array.from(bytes), seed),
      );
    }),
  );
});

test("takes any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const hash = hashText(text);
      expect(hash).toBe(hashText(text));
      expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
    }),
  );
});

test("a walk from any number visits a hundred places evenly", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), (from) => {
      const visits = new Float64Array(100);
      for (let step = 1; step <= 10_000; step++) {
        const place = hashNumber(from, step) % 100;
        visits[place] = (visits[place] as number) + 1;
      }
      // Six standard deviations.
      for (const count of visits) expect(Math.abs(count - 100)).toBeLessThan(60);
    }),
    { numRuns: 20 },
  );
});

/** Which version is asked while another is put aside: the last one that did its work, and none that did not. */
import { expect, test } from "bun:test";
import { EarlierVersions } from "../../../src/policy/earlier_versions.ts";

const all = (...hashes: string[]) => hashes.map((hash) => ({ name: hash.slice(0, 1), hash }));

test("is the last one that worked when it was replaced", () => {
  const earlier = new EarlierVersions();
  earlier.replaced([], all("a1", "b1"), () => true);
  expect(earlier.hashes).toEqual([]);
  earlier.replaced(all("a1", "b1"), all("a2", "b1"), () => true);
  expect([earlier.of("a2"), earlier.of("b1")]).toEqual(["a1", null]);
  // Applied again, nothing changes.
  earlier.replaced(all("a2", "b1"), all("a2", "b1"), () => true);
  expect(earlier.of("a2")).toBe("a1");
  // One that fails is none to go back to.
  earlier.replaced(all("a2", "b1"), all("a3", "b1"), (hash) => hash !== "a2");
  expect(earlier.of("a3")).toBe("a1");
  earlier.replaced(all("a3", "b1"), all("a4", "b1"), () => true);
  expect(earlier.of("a4")).toBe("a3");
  // Nor is a policy the one before itself.
  earlier.replaced(all("a4"), all("a3"), () => false);
  expect(earlier.of("a3")).toBeNull();
  earlier.replaced(all("a3"), [], () => true);
  expect(earlier.hashes).toEqual([]);
});

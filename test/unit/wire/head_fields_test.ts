/** The fields of a head: known names by number, any name by text, more than there was room for at first. */
import { expect, test } from "bun:test";
import { HeadFields, idOf, nameIdAt } from "../../../src/wire/head_fields.ts";
import { bytesOf, fieldsOf } from "../../support/wire.ts";

test("known names have a number in any case, others have none", () => {
  const id = (name: string): number => nameIdAt(bytesOf(name), 0, name.length);
  expect(id("Content-LENGTH")).toBe(idOf("content-length"));
  expect(id("host")).toBe(idOf("host"));
  for (const name of ["hosts", "hos", "h\u00cfst", "content-lengtH\u0000", "c\u00eentent-length", "", "x"])
    expect(id(name)).toBe(0);
});

test("bytes that differ from a letter by the case bit alone are not that letter", () => {
  // "@" | 0x20 is "`" and "[" | 0x20 is "{": only A to Z fold.
  const fields = fieldsOf("x-`: 1", "x-{: 2");
  expect([fields.get("x-@"), fields.get("x-[")]).toEqual([null, null]);
  expect(nameIdAt(bytesOf("content\rlength"), 0, 14)).toBe(0);
});

test("are found by name, first or all, known or not", () => {
  const fields = fieldsOf("X-A: 1", "Via: a", "x-a: 2", "VIA: b");
  expect([fields.get("x-a"), fields.getAll("x-a"), fields.getAll("via")]).toEqual([
    "1",
    ["1", "2"],
    ["a", "b"],
  ]);
  expect([fields.has("via"), fields.has("date"), fields.get("x-b")]).toEqual([true, false, null]);
  expect([fields.nameAt(2), fields.valueAt(3)]).toEqual(["x-a", "b"]);
  expect(fields.indexOfId(idOf("via"), 2)).toBe(3);
});

test("grow beyond the room they started with, and a copy lives on", () => {
  const fields = fieldsOf(...Array.from({ length: 90 }, (_, at) => `n${at}: ${at}`));
  const copy = fields.copy();
  fields.clear();
  fields.own(bytesOf("zzzz"), 0, 4);
  expect([copy.count, copy.get("n89"), copy.get("n0"), fields.count]).toEqual([90, "89", "0", 0]);
  expect(new HeadFields().get("n0")).toBeNull();
});

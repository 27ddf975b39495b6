/** A policy that fails says where: the place in the author's files, also when it threw in what it calls or later. */
import { describe, expect, test } from "bun:test";
import { placesStatement } from "../../../src/policy/places.ts";
import type { Realm } from "../../../src/policy/realm.ts";
import { answerOf, realmOf } from "../../support/realm_of.ts";

const main = `import { definePolicy, next, respond, type PolicyRequest } from "heddle/policy";
import * as v from "valibot";
import { deep } from "./part.ts";

/** A comment that the bundle does not have. */
interface Nothing { readonly a?: { readonly b: string } }

const broken = v.object({ a: v.string() });

export default definePolicy({
  api: 1,
  name: "guide",
  version: "1.0.0",
  options: v.object({}),
  onError: "closed",
  onRequest(request: PolicyRequest) {
    const nothing: Nothing = {};
    switch (request.method) {
      case "THROW":
        throw new RangeError("by itself");
      case "UNDEFINED":
        return respond(200, (nothing.a as { b: string }).b);
      case "DEEP":
        return deep(request.path);
      case "LATE":
        return Promise.resolve().then(() => deep("later"));
      case "LIBRARY":
        v.parse(broken, {});
        return next();
      case "TEXT":
        throw "a text";
      case "FORGED":
        throw Object.assign(new Error("forged"), { stack: 7 });
    }
    return next();
  },
});
`;
const part = `import { next } from "heddle/policy";

export function deep(path: string): ReturnType<typeof next> {
  const list: string[] = [];
  return next({ path: list[3].concat(path) });
}
`;

async function reasonOf(realm: Realm, method: string): Promise<string> {
  const call = [1, "id", method, "a.mesh", "/a", "", "a.default", []];
  return ((await answerOf(realm, call)) as { reason: string }).reason;
}

/** The line of the text on which this stands, and `:`. */
const lineOf = (text: string, words: string): string =>
  `${text.slice(0, text.indexOf(words)).split("\n").length}:`;

describe("a failure", () => {
  const made = realmOf({ file: "policies/guide.ts", text: main }, { file: "policies/part.ts", text: part });
  const at: Readonly<Record<string, readonly [file: string, text: string, words: string, says: string]>> = {
    THROW: ["policies/guide.ts", main, "throw new RangeError", "RangeError: by itself"],
    UNDEFINED: ["policies/guide.ts", main, "return respond(200", "TypeError: "],
    DEEP: ["policies/part.ts", part, "return next(", "TypeError: "],
    LATE: ["policies/part.ts", part, "return next(", "TypeError: "],
    LIBRARY: ["policies/guide.ts", main, "v.parse(broken", "ValiError: "],
  };
  for (const [method, [file, text, words, says]] of Object.entries(at)) {
    test(`(${method}) is told with file:line:col of the author`, async () => {
      const realm = await made;
      realm.bind(1, "{}");
      const reason = await reasonOf(realm, method);
      expect(reason).toStartWith(`${file}:${lineOf(text, words)}`);
      expect(reason).toMatch(/^[^:]+:\d+:\d+: /);
      expect(reason.replace(/^[^:]+:\d+:\d+: /, "")).toStartWith(says);
    });
  }

  test("that is no error, or whose stack was taken away, is told without a place", async () => {
    const realm = await made;
    realm.bind(1, "{}");
    expect(await reasonOf(realm, "TEXT")).toBe("a text");
    expect(await reasonOf(realm, "FORGED")).toBe("Error: forged");
  });
});

describe("the table of places", () => {
  const map = { sources: ["/own.ts", "/kit.ts"], mappings: "AAAA,IAAI,ECAA;ADCA" };

  test("knows where the author's parts begin and end, and counts what stands before the first line", () => {
    const said = placesStatement(JSON.stringify(map), 13, (file, place) =>
      file === "/own.ts" ? { file: "own.ts", ...place } : null,
    );
    const rows = [...[1, 14, 0, 1, 1], ...[1, 18, 0, 1, 5], ...[1, 20, -1, 0, 0], ...[2, 1, 0, 2, 5]];
    expect(said).toBe(`\nheddle.places(["own.ts"],[${rows.join(",")}]);\n`);
  });

  test("is empty when nothing is the author's", () =>
    expect(placesStatement(JSON.stringify(map), 0, () => null)).toBe("\nheddle.places([],[]);\n"));
});

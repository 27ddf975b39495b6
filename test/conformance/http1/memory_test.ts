/**
 * HTTP/1.1 as the RFCs have it, for every case whole, octet by octet and cut in two at every place: the verdict must not
 * depend on how the octets arrive. In memory, so that there are thousands of cuts in a second.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cases } from "./cases.ts";
import { startMemorySubject, type MemorySubject } from "./memory_subject.ts";
import { sampleOf } from "../../support/quick.ts";
import { bytewise, talk, whole, type Cutting } from "./talk.ts";
import { problemsOf } from "./verdict.ts";

let subject: MemorySubject;
beforeAll(async () => void (subject = await startMemorySubject()));
afterAll(async () => await subject.close());

const splitsMax = 700;

function cutAt(at: number): Cutting {
  return (part) => [part.slice(0, at), part.slice(at)].filter((piece) => piece !== "");
}

describe("HTTP/1.1", () => {
  for (const one of cases) {
    const problems = async (cut: Cutting): Promise<string[]> =>
      problemsOf(one, await talk(subject, one, cut));
    test(`${one.id}: ${one.what}`, async () => {
      expect(await problems(whole)).toEqual([]);
      expect(await problems(bytewise)).toEqual([]);
      const length = Math.max(...one.sends.map((part) => part.length));
      const places = Array.from({ length: Math.min(length, splitsMax) - 1 }, (_, before) => before + 1);
      for (const at of sampleOf(places, 8)) expect([at, ...(await problems(cutAt(at)))]).toEqual([at]);
    });
  }
});

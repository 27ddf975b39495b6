/**
 * The quick check (`npm run ok`) takes a sample of what is long, another one each time, and says its seed: HEDDLE_SEED repeats it.
 * `npm test`, and a file that is run by itself, take all of it.
 */
import { seeded } from "./chance.ts";

export const quick = process.env["HEDDLE_QUICK"] === "1";
const seed = Number(process.env["HEDDLE_SEED"] ?? Date.now() % 1_000_000_000);

if (quick) process.stderr.write(`samples by HEDDLE_SEED=${seed}\n`);

/** The first of them, which is to be the plainest, and so many others by chance. */
export function sampleOf<Case>(cases: readonly Case[], others: number): readonly Case[] {
  if (!quick || cases.length <= others + 1) return cases;
  const random = seeded(seed);
  const left = cases.map((_, at) => at).slice(1);
  const taken = Array.from({ length: others }, () =>
    left.splice(Math.floor(random.unit() * left.length), 1).join(),
  );
  const chosen = new Set([0, ...taken.map(Number)]);
  return cases.filter((_, at) => chosen.has(at));
}

/** How much of it: fewer where the check is quick. */
export function amount(all: number, few: number): number {
  return quick ? few : all;
}

/**
 * Runs one target: the kept corpus first, then mutations until the time is over. Stops at the first input that breaks a
 * promise, takes too long or makes the process grow, and makes that input smaller.
 */
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import type { FuzzTarget } from "./target.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** Of processor time, so that a busy machine tries as many inputs. */
  readonly seconds: number;
  readonly corpus: readonly Uint8Array[];
}

export interface Failure {
  readonly input: Uint8Array;
  readonly reason: string;
}

export interface FuzzResult {
  readonly executions: number;
  readonly seconds: number;
  /** Inputs that came to something new, by the word for it. */
  readonly found: ReadonlyMap<string, Uint8Array>;
  readonly residentMb: number;
  readonly grownMb: number;
  readonly failure: Failure | null;
}

const poolMax = 2_000;
const grownMbMax = 300;
const warmUp = 200;
const shrinkMs = 2_000;

export function fuzz(target: FuzzTarget, options: FuzzOptions): FuzzResult {
  const random = new Random(options.seed);
  const seeds = [...target.seeds(), ...options.corpus];
  const pool = [...seeds];
  const words = new Set<string>();
  const found = new Map<string, Uint8Array>();
  const startedMs = performance.now();
  const endMs = threadMs() + options.seconds * 1000;
  let executions = 0;
  let failure: Failure | null = null;
  let baseMb = residentMb();
  for (;;) {
    const kept = executions < seeds.length;
    if (!kept && threadMs() >= endMs) break;
    const input = kept
      ? (seeds[executions] as Uint8Array)
      : mutate({ ...target, pool: random.below(2) === 0 ? seeds : pool }, random);
    executions++;
    const outcome = run(target, input, random);
    if (executions === seeds.length + warmUp) baseMb = residentMb();
    if ("reason" in outcome) {
      failure = shrunk(target, outcome);
      break;
    }
    if (words.has(outcome.word)) continue;
    words.add(outcome.word);
    if (!kept) found.set(outcome.word, input);
    if (pool.length < poolMax) pool.push(input);
  }
  const grownMb = Math.max(0, residentMb() - baseMb);
  if (failure === null && grownMb > grownMbMax)
    failure = { input: new Uint8Array(0), reason: `the process grew by ${grownMb} MB` };
  const seconds = (performance.now() - startedMs) / 1000;
  return { executions, seconds, found, residentMb: residentMb(), grownMb, failure };
}

function run(target: FuzzTarget, input: Uint8Array, random: Random): Failure | { readonly word: string } {
  try {
    const startedMs = threadMs();
    const word = target.check(input, random);
    if (threadMs() - startedMs <= target.inputMs) return { word };
    const ms = quickest(target, input, random);
    if (ms <= target.inputMs) return { word };
    return { input, reason: `it takes ${ms.toFixed(0)} ms, allowed are ${target.inputMs}` };
  } catch (error) {
    return { input, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Processor time of this thread: how busy the machine is does not count. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Of three: garbage may have been collected. */
function quickest(target: FuzzTarget, input: Uint8Array, random: Random): number {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < 3; time++) {
    const startedMs = threadMs();
    target.check(input, random);
    least = Math.min(least, threadMs() - startedMs);
  }
  return least;
}

/** The same failure from less: pieces are left out as long as something still fails. */
function shrunk(target: FuzzTarget, failure: Failure): Failure {
  const endMs = performance.now() + shrinkMs;
  let best = failure;
  for (let size = Math.ceil(best.input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.input.length && performance.now() < endMs;) {
      const less = new Uint8Array(best.input.length - Math.min(size, best.input.length - at));
      less.set(best.input.subarray(0, at));
      less.set(best.input.subarray(at + size), at);
      const outcome = run(target, less, new Random(1));
      if ("reason" in outcome) best = outcome;
      else at += size;
    }
  }
  return best;
}

function residentMb(): number {
  Bun.gc(true);
  return Math.round(process.memoryUsage().rss / 1024 / 1024);
}

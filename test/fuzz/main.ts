/**
 * Entry of `npm run fuzz -- [--target NAME] [--seconds N] [--seed N] [--grow] [--write] [--input FILE]`: any octets into
 * every reader of octets that come from outside. `--grow` keeps what came to something new; `--write` puts the figures into
 * test/bench/RESULTS.md; `--input` runs one file again.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { growCorpus, readCorpus, writeFailure } from "./corpus.ts";
import { Random } from "./random.ts";
import { type Ran, writeRun } from "./record.ts";
import { fuzz, type FuzzResult } from "./run.ts";
import type { FuzzTarget } from "./target.ts";
import { fuzzTargets } from "./targets.ts";

interface Options {
  readonly targets: readonly FuzzTarget[];
  readonly seconds: number;
  readonly seed: number;
  readonly grow: boolean;
  readonly write: boolean;
  readonly input: string | null;
}

const secondsDefault = 10;

export async function runFuzz(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === "string") {
    process.stderr.write(`${options}\n`);
    return 2;
  }
  if (options.input !== null) return runInput(options.targets, options.input, options.seed);
  let failed = false;
  for (const target of options.targets) {
    const result = fuzz(target, { ...options, corpus: readCorpus(target.name) });
    process.stdout.write(`${report(target, options.seed, result)}\n`);
    if (options.write) writeRun(target.name, ranOf(result, options.seed));
    if (options.grow) {
      const grown = growCorpus(target.name, result.found.values());
      process.stdout.write(`  ${grown} inputs kept\n`);
    }
    failed ||= result.failure !== null;
  }
  return failed ? 1 : 0;
}

function optionsOf(args: readonly string[]): Options | string {
  const text = { type: "string" } as const;
  const yes = { type: "boolean" } as const;
  const flags = { target: text, seconds: text, seed: text, input: text, grow: yes, write: yes } as const;
  try {
    const { values } = parseArgs({ args: [...args], options: flags });
    const { target, seconds, seed, input, grow = false, write = false } = values;
    const targets = fuzzTargets.filter((each) => target === undefined || each.name === target);
    if (targets.length === 0)
      return `No target is called "${target}": there are ${fuzzTargets.map((each) => each.name).join(", ")}`;
    if (input !== undefined && targets.length > 1) return "--input needs --target";
    return {
      targets,
      seconds: numberOf(seconds, secondsDefault),
      seed: numberOf(seed, Date.now() % 1_000_000_000),
      grow,
      write,
      input: input ?? null,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

function numberOf(text: string | undefined, otherwise: number): number {
  const number = text === undefined ? otherwise : Number(text);
  if (!Number.isFinite(number) || number < 0) throw new Error(`"${text}" is no number`);
  return number;
}

function report(target: FuzzTarget, seed: number, result: FuzzResult): string {
  const rate = Math.round(result.executions / Math.max(result.seconds, 0.001));
  const line = `${target.name}: ${result.executions} inputs, ${rate}/s, seed ${seed}, ${result.found.size} new, ${result.residentMb} MB (grown ${result.grownMb})`;
  const { failure } = result;
  if (failure === null) return line;
  return `${line}\n  FAILED: ${failure.reason}\n  input: ${writeFailure(target.name, failure.input)}`;
}

function ranOf({ executions, seconds, grownMb, found, failure }: FuzzResult, seed: number): Ran {
  return { executions, seconds, grownMb, seed, kept: found.size, failure: failure?.reason ?? null };
}

function runInput(targets: readonly FuzzTarget[], file: string, seed: number): number {
  const [target] = targets;
  const input = Uint8Array.from(readFileSync(file));
  try {
    process.stdout.write(`${target?.check(input, new Random(seed))}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

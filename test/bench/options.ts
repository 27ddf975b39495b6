/** Parts of the bench and flags of `npm run bench`. */
import { works, workPlans, type LoadName, type Work } from "./works.ts";

/** What heddle does by itself, and what is measured otherwise than by a fixed amount of load. */
const otherParts = {
  latency: "Latency that a pair adds, open loop",
  idle: "A heddle proxy by itself",
  connections: "(j) Idle mTLS connections at a heddle proxy",
  floods: "(k) Floods at a heddle pair",
} as const;

export type Part = Work | keyof typeof otherParts;
export const parts: readonly Part[] = [...works, ...(Object.keys(otherParts) as (keyof typeof otherParts)[])];

export function titleOf(part: Part): string {
  return part in otherParts ? otherParts[part as keyof typeof otherParts] : workPlans[part as Work].title;
}

export interface BenchOptions {
  readonly only: readonly Part[];
  readonly write: boolean;
  readonly rounds: number;
  /** Of what a load counts, in each round. */
  readonly counts: Readonly<Record<LoadName, number>>;
  /** So many rounds' worth come before the first: what compiles while it runs is not measured cold. */
  readonly warmupRounds: number;
  /** Requests per open-loop round that count. */
  readonly paced: number;
  readonly idleMs: number;
  readonly connections: number;
  /** How long each kind of flood lasts. */
  readonly floodMs: number;
  readonly args: readonly string[];
}

export const usage = `Usage: npm run bench -- [--quick] [--only ${parts.join(",")}] [--rounds N] [--write]
  --quick   fewer and shorter rounds, for a first look
  --only    these parts alone
  --rounds  interleaved rounds, whose median counts (default 11)
  --write   put the results of these parts into test/bench/RESULTS.md
`;

const counts = {
  http1: 40_000,
  http2: 80_000,
  grpc: 80_000,
  bulk: 1e9,
  short: 3_000,
  events: 3_000,
} as const;
const quickCounts = { http1: 15_000, http2: 20_000, grpc: 20_000, bulk: 2e8, short: 1_000, events: 1_000 };

/** Throws with the reason when a flag is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const quick = args.includes("--quick");
  let only: readonly Part[] = parts;
  // Many: how fast a shared machine is differs from one ten seconds to the next.
  let rounds = quick ? 3 : 11;
  for (let at = 0; at < args.length; at++) {
    const flag = args[at];
    if (flag === "--quick" || flag === "--write") continue;
    const value = args[++at] ?? "";
    if (flag === "--only") only = value.split(",").map(partOf);
    else if (flag === "--rounds" && /^[1-9]\d?$/.test(value)) rounds = Number(value);
    else throw new Error(`Cannot use "${flag} ${value}"\n${usage}`);
  }
  return {
    only,
    write: args.includes("--write"),
    rounds,
    counts: quick ? quickCounts : counts,
    warmupRounds: 5,
    paced: quick ? 2_000 : 3_000,
    idleMs: 30_000,
    connections: quick ? 2_000 : 10_000,
    floodMs: quick ? 1_500 : 2_500,
    args,
  };
}

function partOf(text: string): Part {
  const part = parts.find((each) => each === text);
  if (part === undefined) throw new Error(`Cannot run "${text}": expected one of ${parts.join(", ")}`);
  return part;
}

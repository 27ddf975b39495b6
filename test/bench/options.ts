/** Flags of `npm run bench`. */
export const parts = ["hop", "pair", "tcp", "latency", "idle"] as const;
export type Part = (typeof parts)[number];

export interface BenchOptions {
  readonly only: readonly Part[];
  readonly write: boolean;
  readonly rounds: number;
  /** Requests per closed-loop round. */
  readonly requests: number;
  /** Requests before the first round: what compiles while it runs is not measured cold. */
  readonly warmup: number;
  /** Requests per open-loop round that count. */
  readonly paced: number;
  readonly idleMs: number;
  readonly args: readonly string[];
}

export const usage = `Usage: npm run bench -- [--quick] [--only ${parts.join(",")}] [--rounds N] [--write]
  --quick   fewer and shorter rounds: under two minutes, for a first look
  --only    these parts alone
  --rounds  interleaved rounds, whose median counts (default 5)
  --write   write the results to test/bench/RESULTS.md
`;

/** Throws with the reason when a flag is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const quick = args.includes("--quick");
  let only: readonly Part[] = parts;
  let rounds = quick ? 3 : 5;
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
    requests: quick ? 15_000 : 40_000,
    warmup: quick ? 40_000 : 80_000,
    paced: quick ? 2_000 : 5_000,
    idleMs: 30_000,
    args,
  };
}

function partOf(text: string): Part {
  const part = parts.find((each) => each === text);
  if (part === undefined) throw new Error(`Cannot run "${text}": expected one of ${parts.join(", ")}`);
  return part;
}

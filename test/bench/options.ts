/** Parts of the bench and flags of `npm run bench`. */
import { works, workPlans, type LoadName, type Work } from "./works.ts";

/** What heddle does by itself, and what is measured otherwise than by a fixed amount of load. */
const otherParts = {
  latency: "Latency that a pair adds, open loop",
  idle: "A heddle proxy by itself",
  connections: "(j) Idle mTLS connections at a heddle proxy",
  floods: "(k) Floods at a heddle pair",
  burst: "(q) A burst of HTTP/2 requests at a heddle pair, beside another client",
  policies: "(n) Policies in their sealed processes",
  decisions: "(t) One decision of a policy, beside Envoy's Lua and ext_authz",
  authors: "(aa) What authors of policies wait for",
  broken: "(p) One of three instances breaks",
  intercept: "(x) Connections that the firewall takes into the mesh, beside explicit ports",
  callers: "(r) Who calls, for each new connection of a local app",
  telemetry: "(s) Telemetry: traced, tapped, explained",
  fleet: "(w) Two thousand machines that follow one controller",
  shards: "(v) Two event loops beside one",
  routes: "(u) Finding a route, among a thousand rules and alone",
  snapshots: "(w) Compiling the snapshot of a machine that calls a thousand services",
  picks: "(o) Picking an endpoint, among ten and among ten thousand",
} as const;

export type Part = Work | keyof typeof otherParts;
export const parts: readonly Part[] = [...works, ...(Object.keys(otherParts) as (keyof typeof otherParts)[])];

export function titleOf(part: Part): string {
  return part in otherParts ? otherParts[part as keyof typeof otherParts] : workPlans[part as Work].title;
}

/** Another commit, beside which today's heddle is measured instead of the peers. */
export interface AgainstOptions {
  /** By any name that git knows. */
  readonly commit: string;
  readonly works: readonly Work[];
  /** Today's cost is at most so many times the other's. */
  readonly bar: number;
  /** So often both are started anew. */
  readonly starts: number;
}

export interface BenchOptions {
  readonly against: AgainstOptions | null;
  readonly only: readonly Part[];
  readonly write: boolean;
  readonly quick: boolean;
  /** With another commit: of every start. */
  readonly rounds: number;
  /** Of what a load counts, in each round. */
  readonly counts: Readonly<Record<LoadName, number>>;
  /** So many rounds' worth come before the first: what compiles while it runs is not measured cold. */
  readonly warmupRounds: number;
  /** Of a comparison: interleaved rounds before those that count. Who was warmed first has stood idle since. Absent: none. */
  readonly uncountedRounds?: number;
  /** Requests per open-loop round that count. */
  readonly paced: number;
  readonly idleMs: number;
  readonly connections: number;
  /** How long each kind of flood lasts. */
  readonly floodMs: number;
  readonly args: readonly string[];
}

const ratioBar = 1.05;
/** What a request costs by each protocol, on one proxy and on a pair. */
const comparedParts = ["hop", "pair", "hop2", "pair2", "grpc", "carried"] as const satisfies readonly Work[];

const usage = `Usage: npm run bench -- [--quick] [--only ${parts.join(",")}] [--rounds N] [--write]
       npm run bench -- --against COMMIT [--bar ${ratioBar}] [--starts N] [--quick] [--only ${works.join(",")}] [--rounds N] [--write]
  --quick    fewer and shorter rounds, for a first look
  --only     these parts alone (default: all; with --against: ${comparedParts.join(",")})
  --rounds   interleaved rounds, whose median counts (default 11; with --against 20 of each start)
  --write    put the results of these parts into test/bench/RESULTS.md
  --against  compile COMMIT too, and say what today's heddle costs beside it rather than beside other proxies
  --bar      what today's cost ÷ that of COMMIT is to be at most; the exit code is 0 when all rows are
  --starts   how often both are started anew (default 3)
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

const bare: ReadonlySet<string> = new Set(["--quick", "--write"]);
/** Flags with a value, and what it looks like. */
const valued: Readonly<Record<string, RegExp>> = {
  "--only": /^/,
  "--rounds": /^[1-9]\d?$/,
  "--against": /^[^-]/,
  "--bar": /^\d\.\d+$/,
  "--starts": /^[1-9]$/,
};

/** Throws with the reason when a flag is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const quick = args.includes("--quick");
  const values = valuesOf(args);
  const number = (flag: string, meant: number): number => Number(values.get(flag) ?? meant);
  const commit = values.get("--against") ?? null;
  const named = values.get("--only")?.split(",").map(partOf) ?? null;
  const only = named ?? (commit === null ? parts : comparedParts);
  if (commit === null && (values.has("--bar") || values.has("--starts"))) {
    throw new Error(`Cannot use --bar or --starts without --against\n${usage}`);
  }
  // Many: how fast a shared machine is differs from one ten seconds to the next.
  // A comparison has short ones, of which less than six say nothing.
  const [some, many] = commit === null ? [3, 11] : [10, 20];
  const rounds = number("--rounds", quick ? some : many);
  return {
    against:
      commit === null
        ? null
        : {
            commit,
            works: only.map(comparable),
            bar: number("--bar", ratioBar),
            starts: number("--starts", quick ? 1 : 3),
          },
    only,
    write: args.includes("--write"),
    quick,
    rounds,
    counts: quick ? quickCounts : counts,
    warmupRounds: commit === null ? 5 : 3,
    paced: quick ? 2_000 : 3_000,
    idleMs: 30_000,
    connections: quick ? 2_000 : 10_000,
    floodMs: quick ? 1_500 : 2_500,
    args,
  };
}

/** Of the flags that have one; throws at the first that cannot be used. */
function valuesOf(args: readonly string[]): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (let at = 0; at < args.length; at++) {
    const flag = args[at] ?? "";
    if (bare.has(flag)) continue;
    const value = args[++at] ?? "";
    if (valued[flag]?.test(value) !== true) throw new Error(`Cannot use "${flag} ${value}"\n${usage}`);
    values.set(flag, value);
  }
  return values;
}

function partOf(text: string): Part {
  const part = parts.find((each) => each === text);
  if (part === undefined) throw new Error(`Cannot run "${text}": expected one of ${parts.join(", ")}`);
  return part;
}

function comparable(part: Part): Work {
  const work = works.find((each) => each === part);
  if (work !== undefined) return work;
  throw new Error(`Cannot compare "${part}" with another commit: expected one of ${works.join(", ")}`);
}

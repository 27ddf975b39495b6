/** Whether today's heddle costs more than that of another commit: both at the same time (`pairs.ts`). */
import { binaryPath, root } from "../../compile/repository.ts";
import type { AgainstOptions, BenchOptions } from "./options.ts";
import { buildCommit } from "./other_commit.ts";
import { rowsOf, turnOf, turnsPerCount } from "./pairs.ts";
import { ratioTable, verdictOf, type RatioRow } from "./ratios.ts";
import { note } from "./stage.ts";

export interface Comparison {
  readonly lines: readonly string[];
  /** Of both. */
  readonly versions: string;
  readonly met: boolean;
}

export async function measureAgainst(options: BenchOptions, against: AgainstOptions): Promise<Comparison> {
  note(`compiling ${against.commit}, unless it was before`);
  const other = buildCommit(root, against.commit);
  const sides = { today: { binary: binaryPath }, other: { binary: other.binary } };
  const rows: RatioRow[] = [];
  const versions = new Set<string>();
  let failed = false;
  for (const work of against.works) {
    try {
      rows.push(...(await rowsOf(work, sides, options, against.starts, versions)));
    } catch (error) {
      note(`${work} failed: ${(error as Error).message}`);
      failed = true;
    }
  }
  return {
    lines: [...howOf(options, against), ...ratioTable(rows, other.commit, against.bar)],
    versions: [...versions].join(", "),
    met: !failed && rows.every((row) => verdictOf(row, against.bar) === "met"),
  };
}

function howOf({ rounds, warmupRounds, counts }: BenchOptions, { starts, works }: AgainstOptions): string[] {
  const turn = works.map((work) => `${work} ${turnOf(counts, work)}`).join(", ");
  return [
    `Two meshes at once, started ${starts} times; each time ${rounds} rounds of four turns (one, other, other, one), after warming by as much as`,
    `${warmupRounds * turnsPerCount} turns. A turn counts: ${turn}. Every round has a ratio, today's cost ÷ the other's. "ratio": the median of those;`,
    "95 %: the interval that holds the median of ever more rounds, if rounds do not hang together; quartiles: of the rounds. A row is",
    "met or missed when the whole interval is on one side of the bar, else unclear: more rounds would tell.",
    "",
  ];
}

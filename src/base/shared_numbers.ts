/** Where rows and tallies come from: what asks for the same name in each loop of a machine has the same numbers there. */
import { SharedRow } from "./shared_row.ts";
import { Tally } from "./tally.ts";

export interface SharedNumbers {
  /** So many loops have them. If it is more than one, who uses a row or tally no more releases it. */
  readonly loops: number;
  /** So many numbers; zero when no loop has that name yet. */
  row(name: string, count: number): SharedRow;
  /** So many tallies. */
  tallies(name: string, count: number): readonly Tally[];
  tally(name: string): Tally;
}

/** Of a loop that is alone: nothing is shared, and names mean nothing. */
export const ownNumbers: SharedNumbers = {
  loops: 1,
  row: (_name, count) => SharedRow.own(count),
  tallies: (_name, count) => Array.from({ length: count }, () => Tally.own()),
  tally: () => Tally.own(),
};

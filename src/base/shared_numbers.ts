/** Where rows and tallies come from: what asks for the same name in each loop of a machine has the same numbers there. */
import { SharedRow } from "./shared_row.ts";
import { Tally } from "./tally.ts";

export interface SharedNumbers {
  /** Other loops have them too: who uses a row or tally no more releases it. */
  readonly areShared: boolean;
  /** So many numbers; zero when no loop has that name yet. */
  row(name: string, count: number): SharedRow;
  tally(name: string): Tally;
}

/** Of a loop that is alone: nothing is shared, and names mean nothing. */
export const ownNumbers: SharedNumbers = {
  areShared: false,
  row: (_name, count) => SharedRow.own(count),
  tally: () => Tally.own(),
};

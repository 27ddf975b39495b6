/** Where rows and tallies come from: what asks for the same name in each loop of a machine has the same numbers there. */
import { SharedRow } from "./shared_row.ts";
import { Tally } from "./tally.ts";

export interface SharedNumbers {
  /** So many numbers; zero when no loop has that name yet. */
  row(name: string, count: number): SharedRow;
  tally(name: string): Tally;
  /** This loop does not use the name any more. */
  release(name: string): void;
}

/** Of a loop that is alone: nothing is shared, and names mean nothing. */
export const ownNumbers: SharedNumbers = {
  row: (_name, count) => SharedRow.own(count),
  tally: () => Tally.own(),
  release: () => {},
};

/** How far an HTTP/2 connection is on its way to its end. One phase at a time, and from each only forward. */
import { assert } from "../base/assert.ts";

export const phases = {
  /** Reads and writes. */
  open: 0,
  /** Orderly: FIN behind what is written, then a little time for the peer to read. Nothing more is read. */
  finishing: 1,
  /** The same behind a GOAWAY with an error: what is not read in that time is not waited for. */
  failing: 2,
  /** The peer cost too much: it was told by GOAWAY, and sees the end later. */
  calming: 3,
  /** The socket was reset or destroyed, and has not said that it is gone. */
  cut: 4,
  /** The socket is gone. */
  closed: 5,
} as const;
export type Phase = (typeof phases)[keyof typeof phases];

const { finishing, failing, calming, cut, closed } = phases;
/** By phase: those that may come next. */
const next: readonly (readonly Phase[])[] = [
  [finishing, failing, calming, cut, closed],
  [cut, closed],
  [cut, closed],
  [cut, closed],
  [closed],
  [],
];

/** The phase `to`, which must be one that may follow. */
export function following(from: Phase, to: Phase): Phase {
  assert(next[from]?.includes(to) === true, `a connection goes from phase ${from} to ${to}`);
  return to;
}

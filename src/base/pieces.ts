/**
 * Work that would hold the event loop up, done piece by piece: one piece in a turn, whoever else waits in between. Pieces of
 * several works take turns.
 */

/** Does a piece; true: that was the last. */
export type Piece = () => boolean;

/** Takes work to be done in pieces, later. */
export type InPieces = (piece: Piece) => void;

/** All of it now. */
export const atOnce: InPieces = (piece) => {
  while (!piece());
};

/** `later`: calls once, after so many milliseconds. */
export function inPieces(later: (ms: number, call: () => void) => void, pauseMs: number): InPieces {
  const waiting: Piece[] = [];
  const turn = (): void => {
    const piece = waiting.shift() as Piece;
    if (!piece()) waiting.push(piece);
    if (waiting.length > 0) later(pauseMs, turn);
  };
  return (piece) => {
    waiting.push(piece);
    if (waiting.length === 1) later(pauseMs, turn);
  };
}

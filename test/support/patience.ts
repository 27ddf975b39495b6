/**
 * How long tests wait. They wait for conditions, never for a time to pass; these bounds only tell a hang from a machine that has
 * other work to do, so they are far beyond what any step takes there.
 */

/** Milliseconds. What takes longer has hung: one dial, one answer, one condition. */
export const hangMs = 60_000;

/** Milliseconds for a whole test, or what prepares one: longer than a hang in it, so that the hang is told by its own sentence. */
export const testMs = 240_000;

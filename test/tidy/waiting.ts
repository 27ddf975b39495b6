/**
 * Files of src that nothing reaches yet, by the part that will use them. What they export is used by their tests alone until
 * then. Empty in a release.
 */
const byReason: Readonly<Record<string, readonly string[]>> = {};

/** Path to the reason. */
export const waitingFiles: ReadonlyMap<string, string> = new Map(
  Object.entries(byReason).flatMap(([reason, paths]) => paths.map((path) => [path, reason] as const)),
);

/**
 * Runs a suite of whole meshes, and its files that failed once more, each by itself: what another program of the machine took from a
 * test it does not take twice. A test that fails twice fails; one that failed once alone is `unsteady`: a fault too, of the test or of
 * heddle, and the next thing to mend.
 */
import type { Counts } from "./report.ts";

/** Files of a suite that are run a second time at most. More that fail are no accident of the machine. @visibleForTesting */
export const mostAgain = 3;

/**
 * @param run runs those files
 * @returns what came of it, and what failed at first only, as `Failure.text`
 */
export function runTwice(
  files: readonly string[],
  run: (files: readonly string[]) => Counts,
): { readonly counts: Counts; readonly unsteady: readonly string[] } {
  const first = run(files);
  const failed = new Set(first.failures.map(({ file }) => file));
  const known = [...failed].filter((file) => file !== undefined);
  if (known.length < failed.size || known.length > mostAgain) return { counts: first, unsteady: [] };
  const unsteady: string[] = [];
  for (const file of known) {
    process.stdout.write(`\n-- ${file} once more, it failed\n`);
    const second = run([file]);
    if (second.failed > 0 || second.passed === 0) continue;
    const mended = first.failures.filter((failure) => failure.file === file);
    first.failures.splice(0, Infinity, ...first.failures.filter((failure) => failure.file !== file));
    first.failed -= mended.length;
    first.passed += mended.length;
    unsteady.push(...mended.map(({ text }) => text));
  }
  return { counts: first, unsteady };
}

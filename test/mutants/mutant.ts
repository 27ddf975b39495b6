/** One fault put into the sources on purpose, and the suites that must see it. */
export interface Mutant {
  /** What is broken: a sentence, unique. */
  readonly fault: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** Files or folders of tests; the quickest that hold the promise. */
  readonly suites: readonly string[];
}

/** The source with the fault in it. Throws when the mutant does not fit the source any more. */
export function mutated(mutant: Mutant, source: string): string {
  const { fault, file, find, replace } = mutant;
  const places = source.split(find).length - 1;
  if (places !== 1)
    throw new Error(`${file}: "${fault}" is to replace what stands there ${places} times: ${find}`);
  return source.replace(find, () => replace);
}

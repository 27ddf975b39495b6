/**
 * What may fail, as a value: what was wanted, or why there is none, mostly as a sentence. Whoever has one must look which it
 * is; nobody recognises a failure by its type or by its words.
 */
export type Result<T, Problem = string> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

export function success<T>(value: T): Result<T, never> {
  return { ok: true, value };
}

export function failure<Problem>(problem: Problem): Result<never, Problem> {
  return { ok: false, problem };
}

/** The sentence of whatever was thrown. */
export function problemOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The same where there is room for one line alone: what is below the first line follows it. */
export function problemInLine(thrown: unknown): string {
  const [first = "", ...below] = problemOf(thrown)
    .split("\n")
    .map((line) => line.trim());
  return [first, below.join("; ")].join(" ").trimEnd();
}

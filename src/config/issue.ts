/** What is wrong with a document, and where. The shape is that of `ApiIssue`: issues travel as they are. */
export interface Issue {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly severity: "error" | "warning";
  readonly message: string;
  /** What kind of problem it is, stable: `HED0110`. Absent: a policy's own. */
  readonly code?: string;
  /** Where in the document, as its author has it: `rules[1].timeouts`; absent or "": the whole of it. */
  readonly field?: string;
  /** What stands there, as JSON of at most 80 letters. Absent: nothing does. */
  readonly value?: string;
}

/** `file:line:col: message`. */
export function issueText(issue: Issue): string {
  return `${issue.file}:${issue.line}:${issue.column}: ${issue.message}`;
}

/** By file and place in it. */
export function inOrderOfPlace(issues: readonly Issue[]): Issue[] {
  return issues.toSorted((a, b) =>
    a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1,
  );
}

/** `; did you mean orders?` when one known word is near or begins so, else `whenFar`. */
export function suggestion(word: string, known: readonly string[], whenFar = ""): string {
  const begun = word.length >= 3 ? known.filter((each) => each.startsWith(word)) : [];
  const near = begun.length === 1 ? (begun[0] as string) : nearest(word, known);
  return near === null ? whenFar : `; did you mean ${near}?`;
}

/** The known word nearest to a misspelt one; null when none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = (word.length <= 3 ? 1 : Math.max(2, Math.floor(word.length / 4))) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      let cost = Math.min(at(row, j - 1) + same, at(row, j) + 1, at(next, j - 1) + 1);
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (swapped) cost = Math.min(cost, at(before, j - 2) + 1);
      next.push(cost);
    }
    before = row;
    row = next;
  }
  return at(row, to.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] as number;
}

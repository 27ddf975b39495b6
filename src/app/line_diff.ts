/** Two texts line by line: what went, what came, and a few lines around it, as `diff -u` shows it. */
import { limits } from "../model/limits.ts";

export interface DiffLine {
  readonly kind: "same" | "gone" | "new" | "cut";
  readonly text: string;
}

/** Empty: they are the same. `around`: lines that are shown before and after each difference. */
export function lineDiff(before: string, after: string, around = 2): DiffLine[] {
  const [one, other] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < one.length && start < other.length && one[start] === other[start]) start++;
  let end = 0;
  while (
    end < Math.min(one.length, other.length) - start &&
    one[one.length - 1 - end] === other[other.length - 1 - end]
  )
    end++;
  if (start === one.length && start === other.length) return [];
  const same = (lines: readonly string[]): DiffLine[] => lines.map((text) => ({ kind: "same", text }));
  const middle = compare(one.slice(start, one.length - end), other.slice(start, other.length - end));
  return shortened([...same(one.slice(0, start)), ...middle, ...same(one.slice(one.length - end))], around);
}

/** By the longest common subsequence. */
function compare(one: readonly string[], other: readonly string[]): DiffLine[] {
  const gone = (text: string): DiffLine => ({ kind: "gone", text });
  const come = (text: string): DiffLine => ({ kind: "new", text });
  const width = other.length + 1;
  if ((one.length + 1) * width > limits.diffComparisonsMax) return [...one.map(gone), ...other.map(come)];
  const longest = new Uint32Array((one.length + 1) * width);
  const at = (row: number, column: number): number => longest[row * width + column] ?? 0;
  for (let row = one.length - 1; row >= 0; row--)
    for (let column = other.length - 1; column >= 0; column--)
      longest[row * width + column] =
        one[row] === other[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
  const lines: DiffLine[] = [];
  let [row, column] = [0, 0];
  while (row < one.length || column < other.length) {
    const [left, right] = [one[row], other[column]];
    if (left !== undefined && left === right) {
      lines.push({ kind: "same", text: left });
      row++;
      column++;
    } else if (left !== undefined && (right === undefined || at(row + 1, column) >= at(row, column + 1))) {
      lines.push(gone(left));
      row++;
    } else {
      lines.push(come(right as string));
      column++;
    }
  }
  return lines;
}

function shortened(lines: readonly DiffLine[], around: number): DiffLine[] {
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - around), at + around + 1).some(({ kind }) => kind !== "same"),
  );
  return lines.flatMap((line, at): DiffLine[] => {
    if (near[at] === true) return [line];
    const isFirst = at === 0 || near[at - 1] === true;
    return isFirst ? [{ kind: "cut", text: "…" }] : [];
  });
}

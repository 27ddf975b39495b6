/** How figures are set in the results: rows, milliseconds, and what a bar says to them. */

export function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** Head of a table whose first column holds names. */
export function tableHead(titles: readonly string[]): string[] {
  return [row(["", ...titles]), row(["---", ...titles.map(() => "---:")])];
}

export function ms(micros: number): string {
  return (micros / 1_000).toFixed(2);
}

/** A figure that is wanted at most so high. */
export interface Bar {
  readonly title: string;
  readonly wanted: number;
  readonly measured: number;
  /** With its blank before it. */
  readonly unit: string;
}

export function barTable(bars: readonly Bar[]): string[] {
  if (bars.length === 0) return [];
  const lines = bars.map(({ title, wanted, measured, unit }) => {
    const verdict = measured <= wanted ? "met" : "**missed**";
    return row([title, `${wanted.toFixed(2)}${unit}`, `${measured.toFixed(2)}${unit}`, verdict]);
  });
  return [row(["bar", "at most", "measured", ""]), row(["---", "---:", "---:", "---"]), ...lines, ""];
}

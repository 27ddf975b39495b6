/** What commands print: plain lines or colour, tables, JSON. Errors go to stderr, answers to stdout. */
import picocolors from "picocolors";
import type { ProcessHost } from "../../runtime/contract.ts";

export type Paint = ReturnType<typeof picocolors.createColors>;

export class Terminal {
  readonly paint: Paint;
  readonly columns: number;
  readonly interactive: boolean;

  constructor(
    readonly host: ProcessHost,
    readonly format: "text" | "json" = "text",
  ) {
    const { interactive, columns } = host.terminal;
    const wanted =
      interactive && (host.env["NO_COLOR"] ?? "") === "" && host.env["TERM"] !== "dumb" && format === "text";
    this.paint = picocolors.createColors(wanted);
    this.columns = columns;
    this.interactive = interactive;
  }

  line(text = ""): void {
    this.host.stdout(`${text}\n`);
  }

  /** For people alone: beside a JSON answer it goes to stderr. */
  aside(text = ""): void {
    if (this.format === "json") this.problem(text);
    else this.line(text);
  }

  problem(text: string): void {
    this.host.stderr(`${text}\n`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value, null, 2));
  }

  /** Columns as wide as their widest cell. Cells may be painted. */
  table(header: readonly string[], rows: readonly (readonly string[])[]): void {
    const widths = header.map((title, at) =>
      Math.max(title.length, ...rows.map((row) => visibleLength(row[at] ?? ""))),
    );
    const render = (cells: readonly string[]): string =>
      cells
        .map((cell, at) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - visibleLength(cell))))
        .join("  ")
        .trimEnd();
    this.line(this.paint.dim(render(header)));
    for (const row of rows) this.line(render(row));
  }
}

/** Length without colour codes. */
export function visibleLength(text: string): number {
  return text.replaceAll(/\u001b\[[0-9;]*m/g, "").length;
}

/** `3 h 12 min`, `41 s`: how people say it. */
export function humanDuration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.round(hours / 24)} days`;
}

/** Words of a sentence on lines of at most that many characters. */
export function wrapped(sentence: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of sentence.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length > width && line !== "") {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** What commands print: plain lines or colour, tables, JSON. Errors go to stderr, answers to stdout. */
import picocolors from "picocolors";
import type { ProcessHost } from "../../runtime/contract.ts";
import { printableJson, printableLines } from "../base/printable.ts";
import { Painted, plainText, rendered, type Text } from "./text.ts";

const colours = ["bold", "dim", "red", "green", "yellow", "cyan"] as const;

export type Paint = Readonly<Record<(typeof colours)[number], (content: Text) => Painted>>;

export class Terminal {
  readonly paint: Paint;
  readonly columns: number;
  /** A person reads it. */
  readonly interactive: boolean;

  constructor(
    readonly host: Pick<ProcessHost, "stdout" | "stderr" | "env" | "terminal">,
    readonly format: "text" | "json" = "text",
  ) {
    const { interactive, columns } = host.terminal;
    const wanted =
      interactive && (host.env["NO_COLOR"] ?? "") === "" && host.env["TERM"] !== "dumb" && format === "text";
    this.paint = paintOf(picocolors.createColors(wanted));
    this.columns = columns;
    this.interactive = interactive;
  }

  line(content: Text = ""): void {
    this.host.stdout(`${rendered(content)}\n`);
  }

  /** Text whose lines are meant to be lines. */
  lines(text: string): void {
    this.host.stdout(`${printableLines(text)}\n`);
  }

  problem(content: Text = ""): void {
    this.host.stderr(`${rendered(content)}\n`);
  }

  json(value: unknown): void {
    this.host.stdout(`${printableJson(JSON.stringify(value, null, 2))}\n`);
  }

  /** One of many, each on a line of its own. */
  jsonLine(value: unknown): void {
    this.host.stdout(`${printableJson(JSON.stringify(value))}\n`);
  }

  jsonProblem(value: unknown): void {
    this.host.stderr(`${printableJson(JSON.stringify(value))}\n`);
  }

  /** Columns as wide as their widest cell. */
  table(header: readonly string[], rows: readonly (readonly Text[])[]): void {
    const lines = [header.map((title) => this.paint.dim(title)), ...rows].map((cells) => cells.map(cellOf));
    const widths = lines.reduce<readonly number[]>(
      (widest, cells) => header.map((_, at) => Math.max(widest[at] ?? 0, cells[at]?.width ?? 0)),
      [],
    );
    for (const cells of lines) {
      const last = cells.findLastIndex((cell) => cell.width > 0);
      const shown = cells
        .slice(0, last + 1)
        .map((cell, at) => cell.shown + " ".repeat(at === last ? 0 : (widths[at] ?? 0) - cell.width));
      this.host.stdout(`${shown.join("  ")}\n`);
    }
  }
}

/** The terminal as a screen of its own, until it is closed: then that of the shell comes back as it was. */
export class FullScreen {
  #open = false;
  #shown: readonly string[] = [];

  constructor(readonly host: Pick<ProcessHost, "stdout">) {}

  open(): void {
    this.#open = true;
    this.host.stdout("\u001b[?1049h\u001b[?25l\u001b[2J");
  }

  /** Writes the lines that changed, and no more. */
  show(lines: readonly Text[]): void {
    if (!this.#open) return;
    const shown = lines.map(rendered);
    const changed = shown.map((line, at) =>
      line === this.#shown[at] ? "" : `\u001b[${at + 1};1H${line}\u001b[K`,
    );
    this.#shown = shown;
    this.host.stdout(changed.join(""));
  }

  /** It has another size now: nothing of what it showed is where it was. */
  forget(): void {
    if (!this.#open) return;
    this.#shown = [];
    this.host.stdout("\u001b[2J");
  }

  /** May be called twice. */
  close(): void {
    if (this.#open) this.host.stdout("\u001b[?25h\u001b[?1049l");
    this.#open = false;
  }
}

interface Cell {
  readonly shown: string;
  /** In characters, without colours. */
  readonly width: number;
}

function cellOf(content: Text): Cell {
  const plain = plainText(content);
  return { shown: typeof content === "string" ? plain : rendered(content), width: plain.length };
}

function paintOf(codes: ReturnType<typeof picocolors.createColors>): Paint {
  const entries = colours.map((colour) => [colour, (content: Text) => new Painted(content, codes[colour])]);
  return Object.fromEntries(entries) as Paint;
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

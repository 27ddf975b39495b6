/** `heddle explain`: documents, fields, flags, codes, limits, log fields and the SDK, from the tables that the code itself uses. */
import type { Command } from "commander";
import { UserError } from "../base/user_error.ts";
import { suggestion } from "../config/issue.ts";
import { version } from "../base/build.ts";
import type { Cli } from "./command.ts";
import { entriesBelow, entryNamed, type Chapter, type Entry } from "./explain/chapter.ts";
import { wrapped, type Terminal } from "./terminal.ts";
import { text } from "./text.ts";

/** Of a line of prose, where the terminal is wider. */
const proseWidth = 100;
const proseWidthMin = 40;
/** Of a value beside the summary. */
const cellWidth = 16;

export function registerExplain(program: Command, cli: Cli): void {
  const command = program
    .command("explain")
    .description("say what a flag, limit, log field, exit code, command or part of the policy SDK means")
    .argument(
      "[name...]",
      "a chapter (flags, limits, …) or a name in one (UF, h2ResetsMax, routeTo); all chapters when left out",
    )
    .option("--markdown", "write all of it as one document in Markdown", false)
    .action(async (words: readonly string[], flags: { markdown: boolean }) => {
      const terminal = cli.terminal(command);
      const { allChapters } = await import("./explain/chapters.ts");
      const chapters = allChapters(program);
      if (flags.markdown) {
        const { markdownOf } = await import("./explain/markdown.ts");
        terminal.lines(markdownOf(chapters, `heddle ${version()}`).trimEnd());
      } else if (words.length === 0) showContents(terminal, chapters);
      else explain(terminal, chapters, words.join(" "));
    });
}

function explain(terminal: Terminal, chapters: readonly Chapter[], name: string): void {
  const chapter = chapters.find((each) => each.name === name.toLowerCase());
  if (chapter !== undefined) return showChapter(terminal, chapter);
  const found = entryNamed(chapters, name);
  if (found !== null) return showEntry(terminal, found, entriesBelow(chapters, found));
  const known = chapters.flatMap((each) => [each.name, ...each.entries.map((entry) => entry.name)]);
  const near = suggestion(name, known, "; heddle explain lists the chapters");
  throw new UserError(`Nothing here is called "${name}"${near}`, null, 1);
}

function showContents(terminal: Terminal, chapters: readonly Chapter[]): void {
  if (terminal.format === "json") return terminal.json(chapters);
  terminal.table(
    ["CHAPTER", "", "NAMES"],
    chapters.map(({ name, title, entries }) => [terminal.paint.bold(name), title, String(entries.length)]),
  );
  terminal.line();
  terminal.line("heddle explain CHAPTER, or any name in one: heddle explain UF");
}

function showChapter(terminal: Terminal, chapter: Chapter): void {
  if (terminal.format === "json") return terminal.json(chapter);
  const { bold } = terminal.paint;
  terminal.line(text`${bold(chapter.name)}: ${chapter.title}`);
  showProse(terminal, chapter.intro);
  terminal.line();
  const columns = columnsOf(chapter);
  terminal.table(
    ["NAME", ...columns.map((column) => column.toUpperCase()), ""],
    chapter.entries.map(({ name, summary, facts }) => [
      bold(name),
      ...columns.map((column) => facts.find(([fact]) => fact === column)?.[1] ?? ""),
      summary,
    ]),
  );
}

/** What most entries have, and is short enough to stand in a table beside the summary. */
function columnsOf({ entries }: Chapter): string[] {
  const names = new Set(entries.flatMap(({ facts }) => facts.map(([fact]) => fact)));
  return [...names].filter((name) => {
    const values = entries.flatMap(({ facts }) => facts.filter(([fact]) => fact === name));
    return values.length > entries.length / 2 && values.every(([, value]) => value.length <= cellWidth);
  });
}

function showEntry(terminal: Terminal, entry: Entry, below: readonly Entry[]): void {
  if (terminal.format === "json") return terminal.json({ ...entry, below: below.map(({ name }) => name) });
  terminal.line(text`${terminal.paint.bold(entry.name)}`);
  showProse(terminal, entry.summary === "" ? [] : [`${entry.summary}.`]);
  if (entry.facts.length > 0) {
    terminal.line();
    const width = Math.max(...entry.facts.map(([fact]) => fact.length));
    for (const [fact, value] of entry.facts) {
      const [first = "", ...others] = wrapped(value, proseWidth - width);
      terminal.line(text`  ${terminal.paint.dim(fact.padEnd(width))}  ${first}`);
      for (const line of others) terminal.line(`  ${" ".repeat(width)}  ${line}`);
    }
  }
  if (entry.code !== "") {
    terminal.line();
    terminal.lines(entry.code);
  }
  if (below.length === 0) return;
  terminal.line();
  terminal.table(
    ["FIELD", ""],
    below.map(({ name, summary }) => [terminal.paint.bold(name), summary]),
  );
}

function showProse(terminal: Terminal, paragraphs: readonly string[]): void {
  const width = Math.min(proseWidth, Math.max(proseWidthMin, terminal.columns));
  for (const paragraph of paragraphs)
    for (const line of paragraph.startsWith("    ") ? [paragraph] : wrapped(paragraph, width))
      terminal.line(line);
}

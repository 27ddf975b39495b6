/** All chapters as one document in Markdown (CommonMark with tables). */
import type { Chapter, Entry } from "./chapter.ts";

/** `source` is the program that says it: `heddle 0.1.0`. */
export function markdownOf(chapters: readonly Chapter[], source: string): string {
  const parts = [
    "# heddle: reference",
    `Written by \`heddle explain --markdown\` of ${source}, from the tables that the code itself goes by.`,
    chapters.map(({ name, title }) => `- [${name}](#${name}): ${prose(title)}`).join("\n"),
    ...chapters.map(chapterText),
  ];
  return `${parts.join("\n\n")}\n`;
}

function chapterText({ name, title, intro, entries, language }: Chapter): string {
  const body = runsOf(entries).map((run) => (fitsTable(run) ? table(run) : sections(run, language ?? "")));
  return [`## ${name}`, `${prose(title)}.`, introText(intro), ...body]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** Lines of an example stay together. */
function introText(intro: readonly string[]): string {
  const isExample = (at: number): boolean => intro[at]?.startsWith("    ") === true;
  return intro
    .reduce((before, part, at) => {
      const text = isExample(at) ? part : prose(part);
      return `${before}${isExample(at) && isExample(at - 1) ? "\n" : "\n\n"}${text.trimEnd()}`;
    }, "")
    .trim();
}

/** Of facts that a table has room for beside name and meaning. */
const columnsMax = 3;

/** Neighbours of which all have a code, or none. */
function runsOf(entries: readonly Entry[]): Entry[][] {
  const runs: Entry[][] = [];
  for (const entry of entries) {
    const last = runs.at(-1);
    if (last !== undefined && (last[0]?.code === "") === (entry.code === "")) last.push(entry);
    else runs.push([entry]);
  }
  return runs;
}

function fitsTable(run: readonly Entry[]): boolean {
  return run[0]?.code === "" && columnsOf(run).length <= columnsMax;
}

function columnsOf(entries: readonly Entry[]): string[] {
  return [...new Set(entries.flatMap((entry) => entry.facts.map(([fact]) => fact)))];
}

function sections(entries: readonly Entry[], language: string): string {
  return entries.map((entry) => section(entry, language)).join("\n\n");
}

function section({ name, summary, facts, code }: Entry, language: string): string {
  const parts = [`### ${name}`];
  if (summary !== "") parts.push(`${prose(capital(summary))}.`);
  if (facts.length > 0) parts.push(facts.map(([fact, value]) => `- \`${fact}\`: ${prose(value)}`).join("\n"));
  if (code !== "") parts.push(`\`\`\`${language}\n${code.trimEnd()}\n\`\`\``);
  return parts.join("\n\n");
}

function table(entries: readonly Entry[]): string {
  const columns = columnsOf(entries);
  const rows = entries.map(({ name, summary, facts }) => [
    `\`${name}\``,
    prose(summary),
    ...columns.map((column) => prose(facts.find(([fact]) => fact === column)?.[1] ?? "")),
  ]);
  return [["name", "meaning", ...columns], ["---", "---", ...columns.map(() => "---")], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** What Markdown would take for a tag or for emphasis stands as it is, but for what is code. */
function prose(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part, at) => (at % 2 === 1 ? part : part.replace(/[<*]/g, "\\$&")))
    .join("");
}

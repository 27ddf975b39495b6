/** All chapters as one document in Markdown (CommonMark with tables). */
import type { Chapter, Entry } from "./chapter.ts";

export function markdownOf(chapters: readonly Chapter[], title: string): string {
  const parts = [`# ${title}`, ...chapters.map(chapterText)];
  return `${parts.join("\n\n")}\n`;
}

function chapterText({ name, title, intro, entries }: Chapter): string {
  const detailed = entries.some((entry) => entry.code !== "" || entry.facts.length > 1);
  const body = detailed ? entries.map(section).join("\n\n") : table(entries);
  return [`## ${name}: ${title}`, introText(intro), body].filter((part) => part !== "").join("\n\n");
}

/** Lines of an example stay together. */
function introText(intro: readonly string[]): string {
  const isExample = (at: number): boolean => intro[at]?.startsWith("    ") === true;
  return intro
    .reduce(
      (before, part, at) => `${before}${isExample(at) && isExample(at - 1) ? "\n" : "\n\n"}${part.trimEnd()}`,
      "",
    )
    .trim();
}

function section({ name, summary, facts, code }: Entry): string {
  const parts = [`### ${name}`];
  if (summary !== "") parts.push(`${summary}.`);
  if (facts.length > 0) parts.push(facts.map(([fact, value]) => `- \`${fact}\`: ${value}`).join("\n"));
  if (code !== "") parts.push(`\`\`\`ts\n${code}\n\`\`\``);
  return parts.join("\n\n");
}

function table(entries: readonly Entry[]): string {
  const columns = [...new Set(entries.flatMap((entry) => entry.facts.map(([fact]) => fact)))];
  const rows = entries.map(({ name, summary, facts }) => [
    `\`${name}\``,
    summary,
    ...columns.map((column) => facts.find(([fact]) => fact === column)?.[1] ?? ""),
  ]);
  return [["", "", ...columns], columns.concat("", "").map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

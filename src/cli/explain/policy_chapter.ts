/** What authors of policies import, from the sources of the SDK that every bundle carries. */
import { embed } from "../../../compile/embed.ts" with { type: "macro" };
import type { Chapter, Entry } from "./chapter.ts";

const texts: readonly string[] = [
  embed("src/policy/sdk.ts"),
  embed("src/policy/sdk_decisions.ts"),
  embed("src/policy/sdk_bodies.ts"),
  embed("src/policy/sdk_calls.ts"),
  embed("src/policy/base64.ts"),
  embed("src/policy/sha256.ts"),
  embed("src/policy/text_codec.ts"),
  embed("src/policy/url.ts"),
  embed("src/policy/url_params.ts"),
  embed("src/policy/header_list.ts"),
  embed("src/policy/query_list.ts"),
];

export function policyChapter(): Chapter {
  const head = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(texts[0] ?? "")?.[1] ?? "";
  return {
    name: "policy",
    title: "What a policy imports from heddle/policy",
    language: "ts",
    intro: readProse(head),
    entries: texts.flatMap(readDeclarations),
  };
}

/** Paragraphs of a comment; an example among them is lines that begin with four spaces. */
function readProse(comment: string): string[] {
  const paragraphs: string[] = [];
  let open = false;
  let inExample = false;
  for (const line of comment.split("\n").map((each) => each.replace(/^ \* ?/, ""))) {
    if (line.startsWith("```")) inExample = !inExample;
    else if (inExample) paragraphs.push(`    ${line}`);
    else if (line !== "" && open) paragraphs.push(`${paragraphs.pop()} ${line}`);
    else if (line !== "") paragraphs.push(line);
    open = line !== "" && !inExample && !line.startsWith("```");
  }
  return paragraphs;
}

/** What a module exports, each with its comment. */
function readDeclarations(text: string): Entry[] {
  const entries: Entry[] = [];
  const lines = text.split("\n");
  for (const [at, line] of lines.entries()) {
    const name = /^export (?:declare )?(?:abstract )?(?:interface|type|class|function|const) (\w+)/.exec(
      line,
    )?.[1];
    if (name === undefined) continue;
    const comment = commentAbove(lines, at);
    entries.push({ name, summary: firstSentence(comment), facts: [], code: declarationAt(lines, at) });
  }
  return entries;
}

function commentAbove(lines: readonly string[], at: number): string {
  if (!(lines[at - 1] ?? "").trimEnd().endsWith("*/")) return "";
  let from = at - 1;
  while (from > 0 && !(lines[from] ?? "").startsWith("/**")) from--;
  return lines
    .slice(from, at)
    .map((line) =>
      line
        .replace(/^\/\*\*|\*\/\s*$/g, "")
        .replace(/^ \* ?/, "")
        .trim(),
    )
    .join(" ")
    .trim();
}

function firstSentence(comment: string): string {
  return (/^(.*?)\.(?: |$)/.exec(comment)?.[1] ?? comment).trim();
}

/** As it is written, with the comments inside. Of functions and methods the signatures alone, and nothing that is private. */
function declarationAt(lines: readonly string[], at: number): string {
  const first = lines[at] ?? "";
  const whole: string[] = [];
  for (const line of lines.slice(at)) {
    whole.push(line);
    if (/^(?:[})\]]|\S.*;$)/.test(line) && !/[{(]$/.test(line)) break;
    if (/^export (?:declare )?function/.test(first) && /\{$/.test(line)) break;
  }
  const shown = /^export (?:declare )?(?:abstract )?class/.test(first) ? publicMembers(whole) : whole;
  return shown
    .join("\n")
    .replace(/^export (?:declare )?/, "")
    .replace(/^(function [\s\S]*?) \{$/, "$1;");
}

/** Of a class as the formatter leaves it. What makes one is nothing that authors call. */
function publicMembers(lines: readonly string[]): string[] {
  const shown: string[] = [];
  let comment: string[] = [];
  let inBody = false;
  for (const line of lines.slice(1, -1)) {
    if (/^ {2}\S/.test(line)) inBody = false;
    if (inBody || line === "" || line === "  }") continue;
    if (/^ {2}\/\*\*|^ {3}\*/.test(line)) comment.push(line);
    else {
      if (!/^ {2}(?:readonly )?#|^ {2}constructor\b/.test(line))
        shown.push(...comment, line.replace(/^ {2}\*/, "  ").replace(/ \{$/, ";"));
      comment = [];
      inBody = true;
    }
  }
  return [lines[0] ?? "", ...shown, lines.at(-1) ?? ""];
}

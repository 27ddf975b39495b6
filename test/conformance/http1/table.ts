/** What heddle does case by case, and how many cases each proxy has right, in Markdown. */
import { cases } from "./cases.ts";
import type { Level } from "./case.ts";

export interface Column {
  readonly name: string;
  /** By the id of the case. */
  readonly results: Map<string, { readonly right: boolean; readonly seen: string }>;
}

const levels: Readonly<Record<Level, string>> = { must: "MUST", should: "SHOULD", ours: "ours" };

/** The first column is heddle's: which case another program has wrong is for its own maintainers. */
export function render(columns: readonly Column[]): string {
  const [heddle] = columns;
  const lines = [
    "# HTTP/1.1: what heddle does",
    "",
    "Written by `npm run conformance`. Each case is sent as raw octets, followed by a request on the same connection that",
    "shows whether both sides agree where the case ended; behind the proxy stands a raw backend. The last column says which",
    "statuses came back (those of the case, then of the one that follows), how the connection ended and how many requests reached",
    "the backend; ✗ and the reason where that is not what the case asks for. MUST and SHOULD are those of the RFC; “ours” is what",
    "heddle chose where the RFCs leave a choice, so what others do there is no fault.",
    "",
    "This is no contest: heddle was written against these cases, nginx and HAProxy run with one set of settings each",
    "(`test/conformance/http1/peer_subjects.ts`) that nobody tuned for them. A case asks for the status that heddle answers, also",
    "where the RFCs allow others: a refusal with 501 instead of 400 does not count as right though it is legal and safe.",
    "",
    ...totals(columns),
    "",
    `| # | RFC | level | case | ${heddle?.name ?? ""} |`,
    "|---|---|---|---|---|",
  ];
  for (const { id, rfc, level, what } of cases) {
    const result = heddle?.results.get(id);
    const cell = result === undefined ? "" : `${result.right ? "" : "✗ "}${result.seen}`;
    lines.push(`| ${id} | ${rfc} | ${levels[level]} | ${escaped(what)} | ${escaped(cell)} |`);
  }
  return `${lines.join("\n")}\n`;
}

function totals(columns: readonly Column[]): string[] {
  const lines = ["| right of all | MUST | SHOULD | ours |", "|---|---|---|---|"];
  for (const { name, results } of columns) {
    const counts = (["must", "should", "ours"] as const).map((level) => {
      const of = cases.filter((one) => one.level === level);
      return `${of.filter((one) => results.get(one.id)?.right === true).length} of ${of.length}`;
    });
    lines.push(`| ${name} | ${counts.join(" | ")} |`);
  }
  return lines;
}

function escaped(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** The documents of files beside those that stand: what an apply of these files would change, text by text. */
import type { ApplyRequest, DocumentsAnswer } from "../api/document_messages.ts";
import { lineDiff, type DiffLine } from "./line_diff.ts";
import { documentKey, loadDocuments } from "../config/load.ts";

export interface DocumentDiff {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly change: "created" | "changed" | "deleted";
  /** Of what stands: the revision, and who applied it when, as far as it is known. */
  readonly standing: {
    readonly revision: number;
    readonly by: string | null;
    readonly atMs: number | null;
  } | null;
  readonly lines: readonly DiffLine[];
}

/** Those that differ. `prune`: what is not among the files is deleted. */
export function diffDocuments(
  files: ApplyRequest["files"],
  standing: DocumentsAnswer["documents"],
  prune: boolean,
): DocumentDiff[] {
  const { documents } = loadDocuments(files, { policies: null });
  const there = new Map(standing.map((each) => [`${each.kind}/${each.namespace}/${each.name}`, each]));
  const named = new Set<string>();
  const diffs: DocumentDiff[] = documents.flatMap(({ document, source }) => {
    const key = documentKey(document);
    named.add(key);
    const before = there.get(key);
    const lines = lineDiff(before?.text.trim() ?? "", source.text.trim());
    if (lines.length === 0) return [];
    const { kind, namespace, name } = document;
    const change = before === undefined ? "created" : "changed";
    return [{ kind, namespace, name, change, standing: standingOf(before), lines: ofOne(lines, change) }];
  });
  const gone = prune
    ? standing.filter((each) => !named.has(`${each.kind}/${each.namespace}/${each.name}`))
    : [];
  return [
    ...diffs,
    ...gone.map((each): DocumentDiff => {
      const { kind, namespace, name, text } = each;
      const lines = ofOne(lineDiff(text.trim(), ""), "deleted");
      return { kind, namespace, name, change: "deleted", standing: standingOf(each), lines };
    }),
  ];
}

function standingOf(document: DocumentsAnswer["documents"][number] | undefined): DocumentDiff["standing"] {
  if (document === undefined) return null;
  const { revision, by = null, atMs = null } = document;
  return { revision, by, atMs };
}

/** The empty text that stands for no document is no line of it. */
function ofOne(lines: readonly DiffLine[], change: DocumentDiff["change"]): readonly DiffLine[] {
  const [absent] = change === "created" ? ["gone"] : change === "deleted" ? ["new"] : [null];
  return lines.filter(({ kind, text }) => kind !== absent || text !== "");
}

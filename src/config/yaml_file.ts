/** YAML with positions: text in, plain values out, and for every path in them the place it stands at. */
import { isMap, isNode, isPair, isSeq, LineCounter, parseAllDocuments, type Document } from "yaml";
import { limits } from "../model/limits.ts";
import type { Issue } from "./issue.ts";

export type Path = readonly (string | number)[];

/** One `---` document of a file. */
export interface YamlDocument {
  readonly file: string;
  readonly value: unknown;
  /** The text it was, for storing. */
  readonly text: string;
  /** The place of a path, or of the nearest thing around it. `key`: of the key itself rather than its value. */
  place(path: Path, key?: boolean): { readonly line: number; readonly column: number };
}

export function parseYaml(
  file: string,
  text: string,
): { readonly documents: YamlDocument[]; readonly issues: Issue[] } {
  const issue = (line: number, column: number, message: string): Issue => ({
    file,
    line,
    column,
    severity: "error",
    message,
  });
  if (text.length > limits.documentBytesMax) {
    return {
      documents: [],
      issues: [issue(1, 1, `The file is larger than ${limits.documentBytesMax} bytes`)],
    };
  }
  const counter = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: counter,
    uniqueKeys: true,
    strict: true,
    prettyErrors: false,
  });
  if (!Array.isArray(parsed)) return { documents: [], issues: [] };
  const documents: YamlDocument[] = [];
  const issues: Issue[] = [];
  for (const document of parsed as Document.Parsed[]) {
    for (const error of document.errors) {
      const { line, col } = counter.linePos(error.pos[0]);
      issues.push(issue(line, col, `This is no valid YAML: ${error.message}`));
    }
    if (document.errors.length > 0 || document.contents === null) continue;
    try {
      const value: unknown = document.toJS({ maxAliasCount: limits.documentAliasesMax });
      const [start, , end] = document.range;
      documents.push({
        file,
        value,
        text: text.slice(start, end),
        place: (path, key) => placeOf(document, counter, path, key === true),
      });
    } catch (error) {
      issues.push(issue(1, 1, `This is no valid YAML: ${(error as Error).message}`));
    }
  }
  return { documents, issues };
}

function placeOf(
  document: Document.Parsed,
  counter: LineCounter,
  path: Path,
  wantKey: boolean,
): { line: number; column: number } {
  let node: unknown = document.contents;
  let offset = isNode(node) && node.range != null ? node.range[0] : 0;
  path.forEach((step, at) => {
    if (isMap(node)) {
      const pair = node.items.find(
        (each) => isPair(each) && String(isNode(each.key) ? each.key.toJSON() : each.key) === String(step),
      );
      if (pair === undefined) {
        node = null;
        return;
      }
      const shown = wantKey && at === path.length - 1 ? pair.key : (pair.value ?? pair.key);
      if (isNode(shown) && shown.range != null) offset = shown.range[0];
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isNode(node) && node.range != null) offset = node.range[0];
    } else node = null;
  });
  const { line, col } = counter.linePos(offset);
  return { line, column: col };
}

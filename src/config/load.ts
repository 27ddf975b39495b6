/**
 * Files in, documents and all problems out. A set is unordered: file names and positions never matter. Cross-checks need
 * the whole set, so they run here too.
 */
import { limits } from "../model/limits.ts";
import type { Document, MachineDocument } from "../model/document.ts";
import { defaultNamespace, serviceKey } from "../model/service.ts";
import { crossCheck, type LoadContext, type Loaded } from "./cross_check.ts";
import { expandMachine, expandDocument } from "./expand.ts";
import type { Issue } from "./issue.ts";
import { issueAt, readDocument } from "./read_document.ts";
import { parseYaml } from "./yaml_file.ts";

export interface TextFile {
  readonly file: string;
  readonly text: string;
}

export interface LoadResult {
  readonly documents: readonly { readonly document: Document; readonly text: string }[];
  readonly machines: readonly MachineDocument[];
  readonly issues: readonly Issue[];
}

export function loadDocuments(files: readonly TextFile[], context: LoadContext): LoadResult {
  const issues: Issue[] = [];
  const loaded: Loaded[] = [];
  const machines: MachineDocument[] = [];
  for (const { file, text } of files) {
    const parsed = parseYaml(file, text);
    issues.push(...parsed.issues);
    for (const source of parsed.documents) {
      const read = readDocument(source);
      if (!read.ok) {
        issues.push(...read.issues);
        continue;
      }
      const expandable = { source, kind: read.kind, value: read.value };
      if (read.kind === "Machine") {
        const machine = expandMachine(expandable, issues);
        if (machine !== null) machines.push(machine);
        continue;
      }
      const document = expandDocument(expandable, issues);
      if (document !== null) loaded.push({ document, source });
    }
  }
  if (loaded.length > limits.documentsMax) {
    issues.push({
      file: "",
      line: 1,
      column: 1,
      severity: "error",
      message: `There are more than ${limits.documentsMax} documents`,
    });
  }
  findDuplicates(loaded, issues);
  crossCheck(loaded, context, issues);
  issues.sort((a, b) =>
    a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1,
  );
  return {
    documents: loaded.map(({ document, source }) => ({ document, text: source.text })),
    machines,
    issues,
  };
}

/** The one Machine document of a file. */
export function loadMachine(
  file: string,
  text: string,
): { readonly machine: MachineDocument | null; readonly issues: readonly Issue[] } {
  const result = loadDocuments([{ file, text }], { policies: null });
  const [machine = null, second] = result.machines;
  const issues = [...result.issues];
  const wrong = (message: string): void =>
    void issues.push({ file, line: 1, column: 1, severity: "error", message });
  if (machine === null && issues.length === 0) wrong("Expected a document with kind: Machine");
  if (second !== undefined) wrong("Expected one Machine document, there are more");
  if (result.documents.length > 0)
    wrong("Only a Machine document belongs on a machine; hand the others to heddle apply");
  return { machine, issues };
}

/** The key of a document in the registry: `Service/default/web`. */
export function documentKey(document: Document): string {
  return `${document.kind}/${document.namespace}/${document.name}`;
}

function findDuplicates(loaded: readonly Loaded[], issues: Issue[]): void {
  const first = new Map<string, Loaded>();
  for (const each of loaded) {
    const key = documentKey(each.document);
    const before = first.get(key);
    if (before === undefined) {
      first.set(key, each);
      continue;
    }
    const { line } = before.source.place(["name"]);
    issues.push(
      issueAt(
        each.source,
        ["name"],
        `There is already a ${each.document.kind} named ${nameOf(each.document)} at ${before.source.file}:${line}`,
      ),
    );
  }
}

function nameOf(document: Document): string {
  return document.namespace === defaultNamespace ? document.name : serviceKey(document);
}

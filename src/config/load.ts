/**
 * Files in, documents and all problems out. A set is unordered: file names and positions never matter. Never throws for
 * what somebody wrote, and costs time in proportion to it.
 */
import {
  asService,
  meshIn,
  type Document,
  type GatewayDocument,
  type MachineDocument,
  type ServiceDocument,
} from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { defaultNamespace, serviceKey } from "../model/service.ts";
import { DocumentSet, type LoadContext } from "./document_set.ts";
import { resolveService } from "./fields.ts";
import { inOrderOfPlace, type Issue } from "./issue.ts";
import { issueAt } from "./issue_at.ts";
import type { Placed, ReportOn } from "./kind.ts";
import { kinds } from "./kinds.ts";
import { readDocument } from "./read_document.ts";
import { parseYaml, type YamlDocument } from "./yaml_file.ts";

export interface TextFile {
  readonly file: string;
  readonly text: string;
}

/** What is applied to the mesh. */
export type LoadedDocument = Placed<Document>;

export interface LoadResult {
  readonly documents: readonly LoadedDocument[];
  readonly machines: readonly Placed<MachineDocument>[];
  /** In order of place. Errors among them: nothing of this set may take effect. */
  readonly issues: readonly Issue[];
}

export function loadDocuments(files: readonly TextFile[], context: LoadContext): LoadResult {
  const issues: Issue[] = [];
  const documents: LoadedDocument[] = [];
  const machines: Placed<MachineDocument>[] = [];
  const sources = parseFiles(files, issues);
  const unreadable = issues.length > 0 ? null : new Set<string>();
  for (const source of sources) {
    const read = readDocument(source, issues);
    if (read === null) unreadable?.add(nameIn(source.value));
    else if (isMachine(read)) machines.push(read);
    else documents.push(read as LoadedDocument);
  }
  findDuplicates(documents, issues);
  const mesh = meshIn(documents.map(({ document }) => document));
  const known = {
    ...{ services: documentsOf(servicesIn(documents)), gateways: gatewaysIn(documents), unreadable },
    grants: documents.flatMap(({ document }) => (document.kind === "ReferenceGrant" ? [document] : [])),
    ...{ meshTraffic: mesh?.traffic ?? {}, faultsAllowed: mesh?.faults === "allowed" },
  };
  crossCheck(documents, new DocumentSet({ ...context, ...known }), issues);
  return { documents, machines, issues: boundedInOrder(issues) };
}

function isMachine(read: Placed): read is Placed<MachineDocument> {
  return read.document.kind === "Machine";
}

/** The one Machine document of a file. */
export function loadMachine(
  file: string,
  text: string,
): { readonly machine: MachineDocument | null; readonly issues: readonly Issue[] } {
  const { machines, documents, issues } = loadDocuments([{ file, text }], { policies: null });
  const [first, second] = machines;
  const machine = first?.document ?? null;
  const found = [...issues];
  const wrong = (message: string): void =>
    void found.push({ file, line: 1, column: 1, severity: "error", message });
  if (machine === null && issues.length === 0) wrong("Expected a document with kind: Machine");
  if (second !== undefined) wrong("Expected one Machine document, there are more");
  if (documents.length > 0)
    wrong("Only a Machine document belongs on a machine: hand the others to heddle apply");
  return { machine: found.some((issue) => issue.severity === "error") ? null : machine, issues: found };
}

/** The key of a document in the registry: `Service/default/web`. */
export function documentKey(document: Document): string {
  return `${document.kind}/${document.namespace}/${document.name}`;
}

function parseFiles(files: readonly TextFile[], issues: Issue[]): readonly YamlDocument[] {
  const sources: YamlDocument[] = [];
  for (const { file, text } of files) {
    const parsed = parseYaml(file, text);
    issues.push(...parsed.issues);
    sources.push(...parsed.documents);
    if (sources.length <= limits.documentsMax) continue;
    const message = `With this file there are more than ${limits.documentsMax} documents`;
    issues.push({ file, line: 1, column: 1, severity: "error", message });
    return [];
  }
  return sources;
}

/** What a document that does not fit would be called, as far as it can be told. */
function nameIn(value: unknown): string {
  const { name, namespace } = (value ?? {}) as { name?: unknown; namespace?: unknown };
  return serviceKey(
    resolveService(String(name), namespace === undefined ? defaultNamespace : String(namespace)),
  );
}

function findDuplicates(loaded: readonly LoadedDocument[], issues: Issue[]): void {
  const first = new Map<string, YamlDocument>();
  for (const { document, source } of loaded) {
    const key = documentKey(document);
    const before = first.get(key);
    if (before === undefined) {
      first.set(key, source);
      continue;
    }
    const { line } = before.place(["name"]);
    const message = `there is already the ${document.kind} "${document.name}" at ${before.file}:${line}`;
    issues.push(issueAt(source, ["name"], message, { code: "HED0103" }));
  }
}

/** Without their places. */
export function documentsOf<Model extends Document>(
  placed: ReadonlyMap<string, Placed<Model>>,
): ReadonlyMap<string, Model> {
  return new Map([...placed].map(([key, { document }]) => [key, document]));
}

/** By key; of two with the same one the first. */
export function servicesIn(loaded: readonly LoadedDocument[]): ReadonlyMap<string, Placed<ServiceDocument>> {
  const services = new Map<string, Placed<ServiceDocument>>();
  for (const { document, source } of loaded) {
    const service = asService(document);
    if (service === null) continue;
    const key = serviceKey(service);
    if (!services.has(key)) services.set(key, { document: service, source });
  }
  return services;
}

function gatewaysIn(loaded: readonly LoadedDocument[]): ReadonlyMap<string, GatewayDocument> {
  const all = loaded.flatMap(({ document }) => (document.kind === "Gateway" ? [document] : []));
  return new Map(all.toReversed().map((each) => [serviceKey(each), each]));
}

function crossCheck(loaded: readonly LoadedDocument[], set: DocumentSet, issues: Issue[]): void {
  for (const each of loaded) {
    if (issues.length > limits.documentIssuesMax) return;
    kinds[each.document.kind].crossCheck(each, set, issues);
  }
  const report: ReportOn = (source, ...issue) => {
    if (issues.length > limits.documentIssuesMax) return false;
    issues.push(issueAt(source, ...issue));
    return true;
  };
  for (const kind of Object.values(kinds)) kind.crossCheckAll(loaded, report);
}

/** Sorted by place; the rest of too many is counted, and errors come before warnings in what is kept. */
function boundedInOrder(issues: readonly Issue[]): Issue[] {
  if (issues.length <= limits.documentIssuesMax) return inOrderOfPlace(issues);
  const errors = issues.filter((issue) => issue.severity === "error");
  const kept = inOrderOfPlace((errors.length > 0 ? errors : issues).slice(0, limits.documentIssuesMax));
  const last = kept.at(-1) as Issue;
  return [...kept, { ...last, message: `There are ${issues.length - kept.length} more problems` }];
}

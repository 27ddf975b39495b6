/**
 * YAML with positions: text in, plain values out, and for every path in them the place it stands at. Whatever the text,
 * it costs time in proportion to its length: size, nesting and aliases are bounded, duplicate keys found in one pass.
 */
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Composer,
  LineCounter,
  Parser,
  type Alias,
  type Document,
  type Node,
  type YAMLMap,
} from "yaml";
import { limits } from "../model/limits.ts";
import type { Issue } from "./issue.ts";

export type Path = readonly (string | number)[];

/** One `---` document of a file. */
export interface YamlDocument {
  readonly file: string;
  readonly value: unknown;
  /** The text it was, comments included, for storing. */
  readonly text: string;
  /** The place of a path, or of the nearest thing around it. `key`: of the key itself rather than its value. */
  place(path: Path, key?: boolean): { readonly line: number; readonly column: number };
  /** The path by which its author knows it, where the document was written in another form. */
  readonly written?: (path: Path) => Path;
}

export interface YamlResult {
  readonly documents: YamlDocument[];
  readonly issues: Issue[];
}

export function parseYaml(file: string, text: string): YamlResult {
  const counter = new LineCounter();
  const documents: YamlDocument[] = [];
  const issues: Issue[] = [];
  const report = (offset: number, message: string): void => {
    const { line, col } = counter.linePos(offset);
    issues.push({
      file,
      line: Math.max(1, line),
      column: Math.max(1, col),
      severity: "error",
      message,
      code: "HED0101",
    });
  };
  const refusal = refusalOf(text);
  if (refusal !== null) {
    report(0, refusal);
    return { documents, issues };
  }
  let start = 0;
  for (const document of parse(text, counter, report)) {
    const own = text.slice(start, document.range[2]).replace(/^(?:---|\.\.\.)[ \t]*\n?/, "");
    start = document.range[2];
    const faults = issues.length;
    for (const error of document.errors.slice(0, limits.documentIssuesMax))
      report(error.pos[0], `This is no valid YAML: ${withoutEnd(error.message)}`);
    for (const warning of document.warnings.slice(0, limits.documentIssuesMax))
      report(warning.pos[0], `This is not allowed here: ${withoutEnd(warning.message)}`);
    if (document.errors.length > 0 || document.contents === null) continue;
    new Survey(report).visit(document.contents, 0);
    if (issues.length > faults) continue;
    const value = valueOf(document, report);
    // Nothing stands between two marks, or after the last one.
    if (value === null) continue;
    documents.push({
      file,
      value,
      text: own,
      place: (path, key) => placeOf(document, counter, path, key === true),
    });
  }
  return { documents, issues };
}

/** What would cost too much even to parse. */
function refusalOf(text: string): string | null {
  if (text.length > limits.documentBytesMax)
    return `The file has ${text.length} characters, more than ${limits.documentBytesMax}`;
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) open++;
    else if (code === 0x5d || code === 0x7d) open--;
    if (open > limits.documentBracketsMax) return `More than ${limits.documentBracketsMax} brackets are open`;
  }
  return null;
}

/** Reads no further than there may be documents, or faults worth telling. */
function parse(
  text: string,
  counter: LineCounter,
  report: (offset: number, message: string) => void,
): readonly Document.Parsed[] {
  // Unique keys are our own check: the library's takes quadratic time.
  const composer = new Composer({ uniqueKeys: false, strict: true });
  const documents: Document.Parsed[] = [];
  let faults = 0;
  try {
    for (const token of new Parser(counter.addNewLine).parse(text)) {
      documents.push(...(composer.next(token) as Iterable<Document.Parsed>));
      if (token.type === "error" && ++faults > limits.documentIssuesMax) break;
      if (documents.length <= limits.documentsMax) continue;
      report(token.offset, `The file has more than ${limits.documentsMax} documents`);
      return [];
    }
    // Faults of what was not read to its end belong to a document, too.
    const isCut = faults > limits.documentIssuesMax;
    documents.push(...(composer.end(isCut, text.length) as Iterable<Document.Parsed>));
    return documents;
  } catch (error) {
    // Nesting by indentation can exhaust the parser's stack.
    report(0, `This is no valid YAML: ${(error as Error).message}`);
    return [];
  }
}

/** null, and told, when the aliases stand for more than they may: those inside of what others stand for multiply. */
function valueOf(document: Document.Parsed, report: (offset: number, message: string) => void): unknown {
  try {
    // The library counts what an alias stands for as one more.
    return document.toJS({ maxAliasCount: limits.documentAliasesMax + 1 }) as unknown;
  } catch (error) {
    const offset = document.contents === null ? 0 : offsetOf(document.contents);
    report(offset, `The aliases cannot be followed: ${withoutEnd((error as Error).message)}`);
    return null;
  }
}

function withoutEnd(message: string): string {
  return message.replace(/[.:]?\s*$/, "");
}

/** Walks the nodes of one document once, for what YAML allows and documents do not. */
class Survey {
  #aliases = 0;
  readonly #anchors = new Set<string>();

  constructor(readonly report: (offset: number, message: string) => void) {}

  visit(node: unknown, depth: number): void {
    if (!isNode(node)) return;
    if (depth > limits.documentDepthMax) {
      this.report(offsetOf(node), `This is nested more than ${limits.documentDepthMax} deep`);
      return;
    }
    if (isAlias(node)) return this.#visitAlias(node);
    const anchor = "anchor" in node && typeof node.anchor === "string" ? node.anchor : null;
    // Known from its end on, and inside it nothing is known by its name: nothing can stand for what is around it.
    if (anchor !== null) this.#anchors.delete(anchor);
    if (isMap(node)) this.#visitMap(node, depth);
    else if (isSeq(node)) for (const item of node.items) this.visit(item, depth + 1);
    if (anchor !== null) this.#anchors.add(anchor);
  }

  #visitAlias(alias: Alias): void {
    if (++this.#aliases === limits.documentAliasesMax + 1)
      this.report(offsetOf(alias), `There are more than ${limits.documentAliasesMax} aliases`);
    if (!this.#anchors.has(alias.source))
      this.report(
        offsetOf(alias),
        `*${alias.source} stands for nothing: there is no &${alias.source} before it`,
      );
  }

  #visitMap(map: YAMLMap, depth: number): void {
    const seen = new Map<string, number>();
    for (const { key, value } of map.items) {
      if (!isScalar(key)) {
        this.report(isNode(key) ? offsetOf(key) : offsetOf(map), "A key must be a plain word");
        continue;
      }
      const name = String(key.value);
      if (seen.has(name)) this.report(offsetOf(key), `${name}: this key stands here twice`);
      if (name === "__proto__") this.report(offsetOf(key), `${name}: this field is not known`);
      seen.set(name, 1);
      this.visit(value, depth + 1);
    }
  }
}

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

function placeOf(
  document: Document.Parsed,
  counter: LineCounter,
  path: Path,
  wantKey: boolean,
): { line: number; column: number } {
  let node: unknown = document.contents;
  let offset = isNode(node) ? offsetOf(node) : 0;
  path.forEach((step, at) => {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(step));
      const shown = wantKey && at === path.length - 1 ? pair?.key : (pair?.value ?? pair?.key);
      if (isNode(shown)) offset = offsetOf(shown);
      node = pair?.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isNode(node)) offset = offsetOf(node);
    } else node = null;
  });
  const { line, col } = counter.linePos(offset);
  return { line, column: col };
}

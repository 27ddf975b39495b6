/**
 * Config entries of Consul in HCL: text in, plain values out, with the place of each, as `parseYaml` has it for YAML and JSON. It is the
 * language that Consul reads (HCL 1: no expressions, no functions). A block (`Config { … }`) is a mapping, several of one name are
 * a list, and those with labels (`Failover "v1" { … }`) one mapping by label, as Consul takes them.
 */
import { limits } from "../../model/limits.ts";
import type { Issue } from "../issue.ts";
import type { Path, YamlDocument, YamlResult } from "../yaml_file.ts";
import { HclFault, HclTokens, type HclToken } from "./hcl_tokens.ts";

type Node =
  | { readonly kind: "plain"; readonly offset: number; readonly value: string | number | boolean }
  | { readonly kind: "list"; readonly offset: number; readonly items: Node[] }
  | Mapping;

interface Mapping {
  readonly kind: "mapping";
  readonly offset: number;
  readonly fields: Map<string, Field>;
}

interface Field {
  /** Where its name stands. */
  readonly key: number;
  /** `value`: after an equals sign, once. Blocks may come again: with labels each with one of its own. */
  readonly form: "value" | "block" | "labelled";
  readonly node: Node;
}

/** Texts that come without a name of a file: whether they are HCL rather than YAML or JSON, which never begin so. */
export function looksLikeHcl(text: string): boolean {
  try {
    const tokens = new HclTokens(text.slice(0, sampleLength));
    const [first, second] = [tokens.next(), tokens.next()];
    return first.kind === "name" && second.kind === "mark" && (second.text === "=" || second.text === "{");
  } catch {
    return false;
  }
}

/** Comments come first. */
const sampleLength = 65_536;

export function parseHcl(file: string, text: string): YamlResult {
  const placeOf = placesOf(text);
  try {
    if (text.length > limits.documentBytesMax)
      throw new HclFault(0, `the file has ${text.length} characters, more than ${limits.documentBytesMax}`);
    const root = new HclReader(text).read();
    if (root.fields.size === 0) return { documents: [], issues: [] };
    const document: YamlDocument = {
      ...{ file, text, value: valueOf(root) },
      place: (path, key) => placeOf(offsetOf(root, path, key === true)),
    };
    return { documents: [document], issues: [] };
  } catch (error) {
    if (!(error instanceof HclFault)) throw error;
    const issue: Issue = {
      ...{ file, ...placeOf(error.offset), severity: "error", code: "HED0101" },
      message: `This is no valid HCL: ${error.message}`,
    };
    return { documents: [], issues: [issue] };
  }
}

class HclReader {
  readonly #tokens: HclTokens;
  #token: HclToken;

  constructor(text: string) {
    this.#tokens = new HclTokens(text);
    this.#token = this.#tokens.next();
  }

  read(): Mapping {
    return this.#fields(0, "end", 0);
  }

  #take(): HclToken {
    const taken = this.#token;
    this.#token = this.#tokens.next();
    return taken;
  }

  #isMark(text: string): boolean {
    return this.#token.kind === "mark" && this.#token.text === text;
  }

  #fields(offset: number, end: "end" | "}", depth: number): Mapping {
    if (depth > limits.documentDepthMax)
      throw new HclFault(offset, `this is nested more than ${limits.documentDepthMax} deep`);
    const made: Mapping = { kind: "mapping", offset, fields: new Map() };
    for (;;) {
      if (end === "}" ? this.#isMark("}") : this.#token.kind === "end") return made;
      this.#field(made, depth);
      if (this.#isMark(",")) this.#take();
    }
  }

  /** `name = value`, `name { … }` or `name "label" { … }`. */
  #field(into: Mapping, depth: number): void {
    const key = this.#key();
    if (this.#isMark("=") || this.#isMark(":")) {
      this.#take();
      return putOne(into, key, this.#value(depth + 1));
    }
    const labels: HclToken[] = [];
    while (this.#token.kind === "text" || this.#token.kind === "name") labels.push(this.#key());
    if (!this.#isMark("{"))
      throw new HclFault(this.#token.offset, `expected = or { after ${key.text}${shownOf(this.#token)}`);
    const block = this.#braces(depth + 1 + labels.length);
    putBlock(into, [key, ...labels], block);
  }

  #key(): HclToken {
    const { kind, offset, text } = this.#token;
    if (kind !== "name" && kind !== "text")
      throw new HclFault(offset, `expected the name of a field${shownOf(this.#token)}`);
    if (text === "__proto__") throw new HclFault(offset, "__proto__: this field is not known");
    return this.#take();
  }

  #value(depth: number): Node {
    const { kind, text, offset } = this.#token;
    if (this.#isMark("{")) return this.#braces(depth);
    if (this.#isMark("[")) return this.#list(depth);
    if (kind === "text") return { kind: "plain", offset, value: this.#take().text };
    if (kind === "number") return { kind: "plain", offset, value: numberOf(this.#take()) };
    if (kind === "name" && (text === "true" || text === "false"))
      return { kind: "plain", offset, value: this.#take().text === "true" };
    throw new HclFault(
      offset,
      `expected a text in double quotes, a number, true, false, a list or a mapping${shownOf(this.#token)}`,
    );
  }

  #braces(depth: number): Mapping {
    const made = this.#fields(this.#take().offset, "}", depth);
    this.#take();
    return made;
  }

  #list(depth: number): Node {
    const { offset } = this.#take();
    if (depth > limits.documentDepthMax)
      throw new HclFault(offset, `this is nested more than ${limits.documentDepthMax} deep`);
    const items: Node[] = [];
    while (!this.#isMark("]")) {
      items.push(this.#value(depth + 1));
      if (this.#isMark(",")) this.#take();
      else if (!this.#isMark("]"))
        throw new HclFault(this.#token.offset, `expected , or ] in this list${shownOf(this.#token)}`);
    }
    this.#take();
    return { kind: "list", offset, items };
  }
}

function putOne({ fields }: Mapping, { text, offset }: HclToken, node: Node): void {
  if (fields.has(text)) throw twice(text, offset);
  fields.set(text, { key: offset, form: "value", node });
}

/** The way to a block is its name, then its labels. */
function putBlock({ fields }: Mapping, [first, ...labels]: readonly HclToken[], block: Mapping): void {
  if (first === undefined) return;
  const { text, offset } = first;
  const known = fields.get(text);
  const form = labels.length > 0 ? "labelled" : "block";
  if (known !== undefined && known.form !== form) throw twice(text, offset);
  if (form === "labelled") {
    const inner: Node = known?.node ?? { kind: "mapping", offset, fields: new Map() };
    if (known === undefined) fields.set(text, { key: offset, form, node: inner });
    const [label] = labels;
    if (inner.kind !== "mapping" || label === undefined) throw twice(text, offset);
    if (labels.length > 1) return putBlock(inner, labels, block);
    return putOne(inner, label, block);
  }
  if (known === undefined) fields.set(text, { key: offset, form, node: block });
  else if (known.node.kind === "list") known.node.items.push(block);
  else
    fields.set(text, {
      ...known,
      node: { kind: "list", offset: known.node.offset, items: [known.node, block] },
    });
}

function twice(name: string, offset: number): HclFault {
  return new HclFault(offset, `${name}: this key stands here twice`);
}

/** `, not EOF`: what stands there instead. */
function shownOf({ kind, text }: HclToken): string {
  if (kind === "end") return ", and the file ends here";
  return `, not ${kind === "text" ? JSON.stringify(text.slice(0, 60)) : text.slice(0, 60)}`;
}

function numberOf({ text, offset }: HclToken): number {
  const [, sign = "", digits = ""] = /^([-+]?)(.*)$/.exec(text) ?? [];
  const value = /^0[0-7]+$/.test(digits) ? parseInt(digits, 8) : Number(digits);
  if (!Number.isFinite(value))
    throw new HclFault(offset, `${text.slice(0, 60)} is no number that can be held`);
  return sign === "-" ? -value : value;
}

function valueOf(node: Node): unknown {
  if (node.kind === "plain") return node.value;
  if (node.kind === "list") return node.items.map(valueOf);
  return Object.fromEntries([...node.fields].map(([name, { node: inner }]) => [name, valueOf(inner)]));
}

/** Of a path, or of the nearest thing around it. */
function offsetOf(root: Node, path: Path, wantKey: boolean): number {
  let node: Node | undefined = root;
  let { offset } = root;
  for (const [at, step] of path.entries()) {
    if (node?.kind === "mapping") {
      const field: Field | undefined = node.fields.get(String(step));
      if (field === undefined) break;
      offset = wantKey && at === path.length - 1 ? field.key : field.node.offset;
      node = field.node;
    } else if (node?.kind === "list") {
      node = node.items[Number(step)];
      if (node === undefined) break;
      ({ offset } = node);
    } else break;
  }
  return offset;
}

/** Lines and columns of offsets, both from 1. */
function placesOf(text: string): (offset: number) => { readonly line: number; readonly column: number } {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

/**
 * Finds what a bundle uses that it does not define: free identifiers beyond the language, imports at run time, and the
 * usual ways from a value to the function that makes functions. The realm denies all of these too; here the author is told
 * at the place, before anything runs.
 */
import { parse, type Node } from "acorn";

export interface Finding {
  /** Line from 1, column from 0, in the bundle. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** What the language gives and the realm keeps. */
const language: ReadonlySet<string> = new Set(
  `undefined NaN Infinity globalThis Object Array String Number Boolean Symbol BigInt Math JSON Date RegExp Promise
  Map Set WeakMap WeakSet Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError
  Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array
  BigInt64Array BigUint64Array ArrayBuffer DataView Iterator parseInt parseFloat isNaN isFinite
  encodeURIComponent decodeURIComponent encodeURI decodeURI`.split(/\s+/),
);

/** Names that lead from any value to its maker, or to its caller. */
const refusedMembers: ReadonlySet<string> = new Set([
  "constructor",
  "__proto__",
  "caller",
  "callee",
  "__defineGetter__",
  "__defineSetter__",
  "__lookupGetter__",
  "__lookupSetter__",
]);

/** A node as a plain tree: acorn's types name every kind, a walker needs the shape only. */
interface Tree {
  readonly type: string;
  readonly start: number;
  readonly loc?: { readonly start: { readonly line: number; readonly column: number } } | null;
  readonly [key: string]: unknown;
}

interface Scope {
  readonly names: Set<string>;
  readonly outer: Scope | null;
}

export function parseScript(text: string): Node {
  return parse(text, { ecmaVersion: "latest", sourceType: "script", locations: true });
}

/** All findings of a parsed bundle, in the order of the text. */
export function checkScopes(program: Node): Finding[] {
  const findings: Finding[] = [];
  const root = treeOf(program);
  visit(root, scopeFor(root, null), findings);
  return findings;
}

function treeOf(value: unknown): Tree {
  return value as Tree;
}

function isTree(value: unknown): value is Tree {
  return (
    typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"
  );
}

function childrenOf(node: Tree): Tree[] {
  return Object.values(node).flatMap((value) =>
    Array.isArray(value) ? value.filter(isTree) : isTree(value) ? [value] : [],
  );
}

function report(findings: Finding[], node: Tree, message: string): void {
  const { line, column } = node.loc?.start ?? { line: 1, column: 0 };
  findings.push({ line, column, message });
}

function isKnown(scope: Scope | null, name: string): boolean {
  for (let each = scope; each !== null; each = each.outer) if (each.names.has(name)) return true;
  return language.has(name);
}

function visit(node: Tree, scope: Scope, findings: Finding[]): void {
  const go = (child: unknown, inner: Scope = scope): void => {
    if (isTree(child)) visit(child, inner, findings);
    else if (Array.isArray(child)) for (const each of child) if (isTree(each)) visit(each, inner, findings);
  };
  switch (node.type) {
    case "Identifier": {
      const name = String(node["name"]);
      if (!isKnown(scope, name)) report(findings, node, `"${name}" does not exist in a policy`);
      return;
    }
    case "MemberExpression": {
      go(node["object"]);
      const property = treeOf(node["property"]);
      const name = node["computed"] === true ? literalOf(property) : String(property["name"] ?? "");
      if (name !== null && refusedMembers.has(name)) {
        report(findings, property, `".${name}" must not be used in a policy`);
      }
      return node["computed"] === true ? go(property) : undefined;
    }
    case "Property":
    case "PropertyDefinition":
    case "MethodDefinition":
      if (node["computed"] === true) go(node["key"]);
      return go(node["value"]);
    case "LabeledStatement":
      return go(node["body"]);
    case "BreakStatement":
    case "ContinueStatement":
      return;
    case "ImportExpression":
      return report(findings, node, "import() must not be used in a policy: import at the top of the file");
    case "MetaProperty":
      if (treeOf(node["meta"])["name"] === "import")
        report(findings, node, "import.meta does not exist in a policy");
      return;
    case "WithStatement":
      return report(findings, node, "with must not be used in a policy");
  }
  const inner = opensScope(node) ? scopeFor(node, scope) : scope;
  for (const child of childrenOf(node)) visit(child, inner, findings);
}

function literalOf(node: Tree): string | null {
  return node.type === "Literal" && typeof node["value"] === "string" ? node["value"] : null;
}

const functions: ReadonlySet<string> = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
]);
const scopes: ReadonlySet<string> = new Set([
  ...functions,
  "BlockStatement",
  "ClassDeclaration",
  "ClassExpression",
  "CatchClause",
  "ForStatement",
  "ForInStatement",
  "ForOfStatement",
  "SwitchStatement",
  "StaticBlock",
]);

function opensScope(node: Tree): boolean {
  return scopes.has(node.type);
}

/** The names that this node brings in. */
function scopeFor(node: Tree, outer: Scope | null): Scope {
  const names = new Set<string>();
  if (isTree(node["id"])) names.add(String(node["id"]["name"]));
  if (functions.has(node.type)) {
    if (node.type !== "ArrowFunctionExpression") names.add("arguments");
    for (const parameter of node["params"] as Tree[]) bind(parameter, names);
    hoist(treeOf(node["body"]), names);
  }
  if (node.type === "CatchClause" && isTree(node["param"])) bind(node["param"], names);
  if (node.type === "Program" || node.type === "StaticBlock")
    for (const child of childrenOf(node)) hoist(child, names);
  for (const child of childrenOf(node)) {
    declare(child, names);
    if (child.type === "SwitchCase") for (const statement of childrenOf(child)) declare(statement, names);
  }
  return { names, outer };
}

/** A statement that declares in the block it stands in. */
function declare(node: Tree, names: Set<string>): void {
  if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") {
    if (isTree(node["id"])) names.add(String(node["id"]["name"]));
  } else if (node.type === "VariableDeclaration") {
    for (const each of node["declarations"] as Tree[]) bind(treeOf(each["id"]), names);
  }
}

/** `var` reaches the whole function, whatever block it stands in. */
function hoist(node: Tree, names: Set<string>): void {
  if (functions.has(node.type)) return;
  if (node.type === "VariableDeclaration" && node["kind"] === "var") declare(node, names);
  for (const child of childrenOf(node)) hoist(child, names);
}

/** The names that a pattern binds. */
function bind(pattern: Tree, names: Set<string>): void {
  switch (pattern.type) {
    case "Identifier":
      names.add(String(pattern["name"]));
      return;
    case "ObjectPattern":
      for (const property of pattern["properties"] as Tree[]) {
        bind(treeOf(property.type === "RestElement" ? property["argument"] : property["value"]), names);
      }
      return;
    case "ArrayPattern":
      for (const element of pattern["elements"] as (Tree | null)[])
        if (element !== null) bind(element, names);
      return;
    case "AssignmentPattern":
      return bind(treeOf(pattern["left"]), names);
    case "RestElement":
      return bind(treeOf(pattern["argument"]), names);
  }
}

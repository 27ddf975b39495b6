/**
 * Finds what a module uses that it does not define: free identifiers beyond the language, imports at run time, and the
 * usual ways from a value to the function that makes functions. The realm denies all of these too; here the author is told
 * at the place, before anything runs. Each node is visited once or twice and each name is looked up in one step, so the
 * time is proportional to the text.
 */
import type { Node } from "acorn";
import { declared, hoisted, ownNames } from "./declared_names.ts";
import { functions, isTree, literalText, treeOf, treesIn, type Tree } from "./syntax_tree.ts";

export interface Finding {
  /** Where it stands in the text that was parsed. */
  readonly offset: number;
  readonly message: string;
  /** The word that is at fault, as it stands in the text. */
  readonly word: string;
}

/** What the language gives and the realm keeps. */
const language: ReadonlySet<string> = new Set(
  `undefined NaN Infinity globalThis Object Array String Number Boolean Symbol BigInt Math JSON Date RegExp Promise
  Map Set WeakMap WeakSet Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError
  URIError SuppressedError Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array
  Float32Array Float64Array BigInt64Array BigUint64Array ArrayBuffer DataView Iterator parseInt parseFloat isNaN isFinite
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

const none: ReadonlySet<string> = new Set();

/** The first findings of a parsed module or script, in the order of the text; words that are granted are none. */
export function checkScopes(program: Node, findingsMax: number, granted = none): Finding[] {
  const walk = new Walk(findingsMax, granted);
  walk.within(hoisted(treesIn(treeOf(program)["body"])), () => walk.each(treeOf(program)["body"]));
  return walk.findings;
}

class Walk {
  readonly findings: Finding[] = [];
  /** How many scopes around here bring a name in. */
  readonly #bound = new Map<string, number>();

  constructor(
    private readonly findingsMax: number,
    private readonly granted: ReadonlySet<string>,
  ) {}

  /** Does something where these names are known besides. */
  within(names: readonly string[], work: () => void): void {
    for (const name of names) this.#bound.set(name, (this.#bound.get(name) ?? 0) + 1);
    work();
    for (const name of names) this.#bound.set(name, (this.#bound.get(name) ?? 1) - 1);
  }

  each(nodes: unknown): void {
    for (const node of treesIn(nodes)) this.visit(node);
  }

  visit(node: Tree): void {
    if (this.findings.length >= this.findingsMax) return;
    if (functions.has(node.type)) return this.#function(node);
    switch (node.type) {
      case "Identifier":
        return this.#name(node);
      case "MemberExpression":
        this.each(node["object"]);
        this.#member(treeOf(node["property"]), node["computed"] === true);
        return node["computed"] === true ? this.each(node["property"]) : undefined;
      case "ObjectPattern":
        return this.#pattern(node);
      case "Property":
      case "PropertyDefinition":
      case "MethodDefinition":
        if (node["computed"] === true) this.each(node["key"]);
        return this.each(node["value"]);
      case "ImportExpression":
        return this.#report(
          node,
          "import() must not be used in a policy: import at the top of the file",
          "import",
        );
      case "MetaProperty":
        if (treeOf(node["meta"])["name"] === "import")
          this.#report(node, "import.meta does not exist in a policy", "import");
        return;
      case "WithStatement":
        return this.#report(node, "with must not be used in a policy", "with");
      case "LabeledStatement":
        return this.each(node["body"]);
      case "BreakStatement":
      case "ContinueStatement":
      case "ImportDeclaration":
      case "ExportAllDeclaration":
        return;
      case "ExportNamedDeclaration":
        if (isTree(node["source"])) return;
        for (const { local } of node["specifiers"] as { readonly local: Tree }[]) this.visit(local);
        return this.each(node["declaration"]);
      default:
        return this.#block(node);
    }
  }

  /** Anything else: its parts, among the names that it brings in. */
  #block(node: Tree): void {
    switch (node.type) {
      case "BlockStatement":
        return this.within(declared(treesIn(node["body"])), () => this.each(node["body"]));
      case "StaticBlock":
        return this.within(hoisted(treesIn(node["body"])), () => this.each(node["body"]));
      case "SwitchStatement": {
        this.each(node["discriminant"]);
        const statements = treesIn(node["cases"]).flatMap((each) => treesIn(each["consequent"]));
        return this.within(declared(statements), () => this.each(node["cases"]));
      }
      case "ClassDeclaration":
      case "ClassExpression":
      case "CatchClause":
      case "ForStatement":
      case "ForInStatement":
      case "ForOfStatement":
        return this.within(ownNames(node), () => this.#parts(node));
    }
    this.#parts(node);
  }

  #parts(node: Tree): void {
    for (const value of Object.values(node)) this.each(value);
  }

  /** Parameters do not see what the body declares. */
  #function(node: Tree): void {
    const own = node.type === "ArrowFunctionExpression" ? [] : ["arguments"];
    const body = treeOf(node["body"]);
    this.within([...own, ...ownNames(node)], () => {
      this.each(node["params"]);
      if (body.type !== "BlockStatement") return this.visit(body);
      this.within(hoisted(treesIn(body["body"])), () => this.each(body["body"]));
    });
  }

  /** `{ constructor: make }` takes a member as `.constructor` does. */
  #pattern(node: Tree): void {
    for (const property of treesIn(node["properties"])) {
      if (property.type === "Property") this.#member(treeOf(property["key"]), property["computed"] === true);
      this.visit(property);
    }
  }

  #member(name: Tree, computed: boolean): void {
    const text = computed || name.type === "Literal" ? literalText(name) : String(name["name"] ?? "");
    if (text !== null && refusedMembers.has(text))
      this.#report(name, `".${text}" must not be used in a policy`, text);
  }

  #name(node: Tree): void {
    const name = String(node["name"]);
    if ((this.#bound.get(name) ?? 0) > 0 || language.has(name)) return;
    this.#report(node, `"${name}" does not exist in a policy`, name);
  }

  #report(node: Tree, message: string, word: string): void {
    if (this.findings.length < this.findingsMax && !this.granted.has(word))
      this.findings.push({ offset: node.start, message, word });
  }
}

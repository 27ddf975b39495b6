/** Which names statements and patterns bring in. */
import { functions, isTree, treesIn, type Tree } from "./syntax_tree.ts";

/** What these nodes declare in the block they stand in. */
export function declared(nodes: readonly Tree[]): string[] {
  const names: string[] = [];
  for (const node of nodes) declare(node, names);
  return names;
}

/** What the statements of a function's body or a module declare, `var` in whatever block included. */
export function hoisted(statements: readonly Tree[]): string[] {
  const names = declared(statements);
  for (const statement of statements) hoist(statement, names);
  return names;
}

/** What a node brings in for its own parts alone. */
export function ownNames(node: Tree): string[] {
  const names: string[] = [];
  switch (node.type) {
    case "CatchClause":
      bindIn(node["param"], names);
      break;
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
      for (const first of treesIn(node["init"] ?? node["left"])) declare(first, names);
      break;
    default:
      bindIn(node["id"], names);
      for (const parameter of treesIn(node["params"])) bind(parameter, names);
  }
  return names;
}

function declare(node: Tree, names: string[]): void {
  switch (node.type) {
    case "FunctionDeclaration":
    case "ClassDeclaration":
      return bindIn(node["id"], names);
    case "VariableDeclaration":
      for (const each of treesIn(node["declarations"])) bindIn(each["id"], names);
      return;
    case "ImportDeclaration":
      for (const each of treesIn(node["specifiers"])) bindIn(each["local"], names);
      return;
    case "ExportNamedDeclaration":
    case "ExportDefaultDeclaration":
      for (const each of treesIn(node["declaration"])) declare(each, names);
  }
}

/** `var` reaches the whole function, whatever block it stands in; functions and static blocks keep theirs. */
function hoist(node: Tree, names: string[]): void {
  if (functions.has(node.type) || node.type === "StaticBlock") return;
  if (node.type === "VariableDeclaration" && node["kind"] === "var") declare(node, names);
  for (const value of Object.values(node)) for (const child of treesIn(value)) hoist(child, names);
}

function bindIn(pattern: unknown, names: string[]): void {
  if (isTree(pattern)) bind(pattern, names);
}

/** The names that a pattern binds. */
function bind(pattern: Tree, names: string[]): void {
  switch (pattern.type) {
    case "Identifier":
      names.push(String(pattern["name"]));
      return;
    case "ObjectPattern":
      for (const property of treesIn(pattern["properties"]))
        bindIn(property.type === "RestElement" ? property["argument"] : property["value"], names);
      return;
    case "ArrayPattern":
      for (const element of treesIn(pattern["elements"])) bind(element, names);
      return;
    case "AssignmentPattern":
      return bindIn(pattern["left"], names);
    case "RestElement":
      return bindIn(pattern["argument"], names);
  }
}

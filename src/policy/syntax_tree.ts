/** Nodes of a parsed script as plain trees: acorn's types name every kind, a walker needs the shape only. */
export interface Tree {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

export const functions: ReadonlySet<string> = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
]);

export function treeOf(value: unknown): Tree {
  return value as Tree;
}

export function isTree(value: unknown): value is Tree {
  return (
    typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"
  );
}

/** The node or nodes that a field holds. */
export function treesIn(value: unknown): readonly Tree[] {
  if (Array.isArray(value)) return value.filter(isTree);
  return isTree(value) ? [value] : [];
}

/** The text of a string that is written out; null for everything else. */
export function literalText(node: Tree): string | null {
  if (node.type === "Literal") return typeof node["value"] === "string" ? node["value"] : null;
  if (node.type !== "TemplateLiteral" || treesIn(node["expressions"]).length > 0) return null;
  const [part] = node["quasis"] as { readonly value: { readonly cooked?: string | null } }[];
  return part?.value.cooked ?? null;
}

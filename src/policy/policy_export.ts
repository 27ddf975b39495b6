/** Finds the policy that a module defines: a default export, in a module that imports `definePolicy` from the kit. */
import type { Program } from "acorn";
import { isTree, literalText, treeOf, treesIn, type Tree } from "./syntax_tree.ts";

export interface PolicyExport {
  readonly offset: number;
  /** The object given to `definePolicy`; null when it is not written in place. */
  readonly definition: Tree | null;
}

const sdkModule = "heddle/policy";
/** `const policy = definePolicy({…})`, then `export default policy`: so many names may stand between. */
const aliasesMax = 4;

/** null: the module defines no policy, but may be imported by one that does. */
export function policyExport(program: Program): PolicyExport | null {
  const body = treesIn(treeOf(program)["body"]);
  const exported = body.map(defaultIn).find((each) => each !== null);
  const definers = new Set(body.flatMap(definersIn));
  if (exported === undefined || exported === null || definers.size === 0) return null;
  const value = valueOf(exported, body);
  const { offset } = { offset: value.start };
  if (value.type !== "CallExpression" || !definers.has(calleeOf(treeOf(value["callee"]))))
    return { offset, definition: null };
  const [object, ...others] = treesIn(value["arguments"]);
  const inPlace = object?.type === "ObjectExpression" && others.length === 0;
  return { offset, definition: inPlace ? object : null };
}

/** What a statement exports as default: an expression, or the name of one. */
function defaultIn(statement: Tree): Tree | null {
  if (statement.type === "ExportDefaultDeclaration") return treeOf(statement["declaration"]);
  if (statement.type !== "ExportNamedDeclaration" || isTree(statement["source"])) return null;
  const specifier = treesIn(statement["specifiers"]).find((each) => nameIn(each["exported"]) === "default");
  return specifier === undefined ? null : treeOf(specifier["local"]);
}

/** `definePolicy`, or `kit.definePolicy` for `import * as kit`, under the names that this statement gives. */
function definersIn(statement: Tree): string[] {
  if (statement.type !== "ImportDeclaration" || literalText(treeOf(statement["source"])) !== sdkModule)
    return [];
  return treesIn(statement["specifiers"]).flatMap((each) => {
    const local = nameIn(each["local"]);
    if (each.type === "ImportNamespaceSpecifier") return [`${local}.definePolicy`];
    return nameIn(each["imported"]) === "definePolicy" ? [local] : [];
  });
}

function calleeOf(callee: Tree): string {
  if (callee.type !== "MemberExpression" || callee["computed"] === true) return nameIn(callee);
  return `${nameIn(callee["object"])}.${nameIn(callee["property"])}`;
}

/** Follows names to what the module's own declarations give them. */
function valueOf(expression: Tree, body: readonly Tree[]): Tree {
  let value = expression;
  for (let step = 0; step < aliasesMax && value.type === "Identifier"; step++) {
    const name = nameIn(value);
    const declarators = body.flatMap((each) =>
      each.type === "VariableDeclaration" ? treesIn(each["declarations"]) : [],
    );
    const initial = declarators.find((each) => nameIn(each["id"]) === name)?.["init"];
    if (!isTree(initial)) break;
    value = initial;
  }
  return value;
}

function nameIn(value: unknown): string {
  if (!isTree(value)) return "";
  return value.type === "Identifier" ? String(value["name"]) : (literalText(value) ?? "");
}

/**
 * Reads what a policy says of itself out of its bundle without running it: the literals in `definePolicy({…})`, whose
 * result the bundle hands to `createRealm`.
 */
import type { Node } from "acorn";
import { parseDuration } from "../base/duration.ts";
import { limits } from "../model/limits.ts";

export interface PolicyMeta {
  readonly name: string;
  readonly version: string;
  readonly onError: "open" | "closed";
  readonly cpuMs: number;
}

interface Tree {
  readonly type: string;
  readonly [key: string]: unknown;
}

const nameForm = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const nameLengthMax = 63;
const versionLengthMax = 32;

/** The meta, or what is wrong with it. */
export function readMeta(program: Node): PolicyMeta | { readonly problem: string } {
  const literals = definitionOf(program as unknown as Tree);
  if (literals === null)
    return { problem: "The default export must be definePolicy({ … }) with the object written in place" };
  const problem = problemOf(literals);
  if (problem !== null) return { problem };
  return {
    name: String(literals.get("name")),
    version: String(literals.get("version")),
    onError: literals.get("onError") === "closed" ? "closed" : "open",
    cpuMs: cpuOf(literals) ?? limits.policyCpuMs,
  };
}

function problemOf(literals: ReadonlyMap<string, unknown>): string | null {
  const [api, name, version, onError] = ["api", "name", "version", "onError"].map((key) => literals.get(key));
  if (api !== 1) return `api is ${shown(api)}: this heddle knows 1`;
  if (typeof name !== "string" || !nameForm.test(name) || name.length > nameLengthMax) {
    return `name is ${shown(name)}: expected lower-case words joined by dashes`;
  }
  if (typeof version !== "string" || version === "" || version.length > versionLengthMax) {
    return `version is ${shown(version)}: expected a text such as "1.0.0"`;
  }
  if (onError !== "open" && onError !== "closed")
    return `onError is ${shown(onError)}: expected "open" or "closed"`;
  const cpuMs = cpuOf(literals);
  if (cpuMs !== null && !(cpuMs >= 1 && cpuMs <= limits.policyCpuMaxMs)) {
    return `limits.cpu is ${shown(literals.get("limits.cpu"))}: expected 1ms to ${limits.policyCpuMaxMs}ms`;
  }
  return null;
}

/** null: not given. NaN: no duration. */
function cpuOf(literals: ReadonlyMap<string, unknown>): number | null {
  const cpu = literals.get("limits.cpu");
  if (cpu === undefined) return null;
  return (typeof cpu === "string" ? parseDuration(cpu) : null) ?? Number.NaN;
}

function shown(value: unknown): string {
  return value === undefined ? "missing or no literal" : JSON.stringify(value);
}

/** Literals of the definition by path; null when it cannot be found. */
function definitionOf(program: Tree): ReadonlyMap<string, unknown> | null {
  const body = bodyOf(program);
  const name = body.map(realmArgument).find((each) => each !== null);
  for (const statement of body) {
    if (statement.type !== "VariableDeclaration") continue;
    for (const declarator of statement["declarations"] as Tree[]) {
      if ((declarator["id"] as Tree)["name"] !== name) continue;
      const call = declarator["init"] as Tree | null;
      const [object] = (call?.type === "CallExpression" ? call["arguments"] : []) as Tree[];
      if (object?.type !== "ObjectExpression") return null;
      const literals = new Map<string, unknown>();
      collect(object, "", literals);
      return literals;
    }
  }
  return null;
}

/** The statements inside the function that the whole bundle is. */
function bodyOf(program: Tree): Tree[] {
  for (const statement of program["body"] as Tree[]) {
    const call = statement["expression"] as Tree | undefined;
    const callee = call?.type === "CallExpression" ? (call["callee"] as Tree) : undefined;
    if (callee?.type === "ArrowFunctionExpression") return (callee["body"] as Tree)["body"] as Tree[];
  }
  return [];
}

/** `globalThis.heddle = createRealm(name)` gives the name. */
function realmArgument(statement: Tree): string | null {
  const assignment = statement["expression"] as Tree | undefined;
  if (statement.type !== "ExpressionStatement" || assignment?.type !== "AssignmentExpression") return null;
  const left = assignment["left"] as Tree;
  if (left.type !== "MemberExpression" || (left["property"] as Tree)["name"] !== "heddle") return null;
  const [argument] = ((assignment["right"] as Tree)["arguments"] ?? []) as Tree[];
  return argument?.type === "Identifier" ? String(argument["name"]) : null;
}

function collect(object: Tree, prefix: string, literals: Map<string, unknown>): void {
  for (const property of object["properties"] as Tree[]) {
    if (property.type !== "Property" || property["computed"] === true) continue;
    const key = property["key"] as Tree;
    const name = `${prefix}${String(key["name"] ?? key["value"])}`;
    const value = property["value"] as Tree;
    if (value.type === "Literal") literals.set(name, value["value"]);
    else if (value.type === "ObjectExpression") collect(value, `${name}.`, literals);
  }
}

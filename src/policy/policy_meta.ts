/**
 * Reads what a policy says of itself out of its module without running it: the literals in `definePolicy({…})`, which is
 * the default export. What cannot be told from the text for certain is refused.
 */
import type { Program } from "acorn";
import { parseDuration } from "../base/duration.ts";
import { limits } from "../model/limits.ts";
import type { BodiesRead } from "../model/snapshot.ts";
import { bodyUses, hooks, type Hook } from "./hooks.ts";
import { policyExport } from "./policy_export.ts";
import type { Finding } from "./scope_check.ts";
import { ownSupport } from "./support.ts";
import { literalText, treeOf, treesIn, type Tree } from "./syntax_tree.ts";

export interface PolicyMeta {
  readonly name: string;
  readonly version: string;
  readonly api: number;
  readonly onError: "open" | "closed";
  readonly cpuMs: number;
  readonly waitMs: number;
  /** Those that it has, in the order of all. */
  readonly hooks: readonly Hook[];
  /** Absent: none. */
  readonly bodies?: BodiesRead;
}

export const policyNameForm = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

interface Literal {
  readonly value: unknown;
  /** Of the key. */
  readonly offset: number;
}

type MetaAnswer =
  { readonly meta: PolicyMeta; readonly problem: null } | { readonly meta: null; readonly problem: Finding };

/** The meta, or what is wrong with it; null: this module defines no policy. */
export function readMeta(program: Program): MetaAnswer | null {
  const found = policyExport(program);
  if (found === null) return null;
  const literals = new Map<string, Literal>();
  const problem =
    found.definition === null
      ? { offset: found.offset, message: writtenInPlace, word: "" }
      : (collect(found.definition, "", literals) ?? problemOf(literals, found.definition.start));
  if (problem !== null) return { meta: null, problem };
  const [cpu, wait] = ["limits.cpu", "limits.wait"].map((key) => literals.get(key));
  const meta: PolicyMeta = {
    name: String(literals.get("name")?.value),
    version: String(literals.get("version")?.value),
    api: Number(literals.get("api")?.value),
    onError: literals.get("onError")?.value === "closed" ? "closed" : "open",
    cpuMs: cpu === undefined ? limits.policyCpuMs : durationOf(cpu.value),
    waitMs: wait === undefined ? limits.policyWaitMs : durationOf(wait.value),
    hooks: hooks.filter((hook) => literals.has(hook)),
    ...bodiesOf(literals),
  };
  return { meta, problem: null };
}

function bodiesOf(literals: ReadonlyMap<string, Literal>): Pick<PolicyMeta, "bodies"> {
  const bytes = Number(literals.get("limits.body")?.value ?? limits.policyBodyBytes);
  const asked = bodyUses.filter(({ use }) => literals.get(`uses.${use}`)?.value === true);
  return asked.length === 0 ? {} : { bodies: Object.fromEntries(asked.map(({ of }) => [of, bytes])) };
}

const writtenInPlace = "The default export must be definePolicy({ … }) with the object written in place";

function problemOf(literals: ReadonlyMap<string, Literal>, start: number): Finding | null {
  const say = (key: string, wanted: string): Finding => {
    const literal = literals.get(key);
    const word = literal === undefined ? "" : (key.split(".").at(-1) ?? key);
    return { offset: literal?.offset ?? start, message: `${key} is ${shown(literal)}${wanted}`, word };
  };
  const [api, name, version, onError] = ["api", "name", "version", "onError"].map(
    (key) => literals.get(key)?.value,
  );
  const { apiOldest, apiNewest } = ownSupport;
  if (typeof api !== "number" || !Number.isInteger(api) || api < apiOldest || api > apiNewest)
    return say("api", `: this heddle knows ${apiOldest === apiNewest ? "" : `${apiOldest} to `}${apiNewest}`);
  if (typeof name !== "string" || name.length > limits.policyNameLengthMax || !policyNameForm.test(name))
    return say("name", ": expected lower-case words joined by dashes");
  if (typeof version !== "string" || version === "" || version.length > limits.policyVersionLengthMax)
    return say("version", ': expected a text such as "1.0.0"');
  if (onError !== "open" && onError !== "closed") return say("onError", ': expected "open" or "closed"');
  if (!literals.has("options")) return say("options", ": expected a schema, v.strictObject({}) for none");
  for (const [key, mostMs] of durations) {
    if (!literals.has(key)) continue;
    const ms = durationOf(literals.get(key)?.value);
    if (!(ms >= 1 && ms <= mostMs)) return say(key, `: expected 1ms to ${mostMs}ms`);
  }
  for (const key of literals.keys()) {
    if (!key.startsWith("uses.")) continue;
    const known = bodyUses.find(({ use }) => `uses.${use}` === key);
    if (known === undefined)
      return say(key, `: expected one of ${bodyUses.map(({ use }) => use).join(", ")}`);
    const wanted = literals.get(key)?.value;
    if (typeof wanted !== "boolean") return say(key, ": expected true or false");
    if (wanted && !literals.has(known.hook)) return say(key, `: nothing would read it without ${known.hook}`);
  }
  const bytes = literals.has("limits.body") ? literals.get("limits.body")?.value : limits.policyBodyBytes;
  const most = limits.policyBodyBytesMax;
  if (typeof bytes !== "number" || !Number.isInteger(bytes) || bytes < 1 || bytes > most)
    return say("limits.body", `: expected a number of bytes, 1 to ${most}`);
  return null;
}

/** With the longest that each may be. */
const durations = [
  ["limits.cpu", limits.policyCpuMaxMs],
  ["limits.wait", limits.policyWaitMaxMs],
] as const;

/** NaN: no duration. */
function durationOf(written: unknown): number {
  return (typeof written === "string" ? parseDuration(written) : null) ?? Number.NaN;
}

function shown(literal: Literal | undefined): string {
  if (literal === undefined) return "missing";
  return literal.value === undefined ? "no literal" : JSON.stringify(literal.value);
}

/** Keeps what each key says, `undefined` where that is no literal. Returns why the object cannot be read from its text. */
function collect(object: Tree, prefix: string, literals: Map<string, Literal>): Finding | null {
  for (const property of treesIn(object["properties"])) {
    const offset = property.start;
    const said = keyOf(property);
    if (said === null)
      return { offset, message: "A definition must name its keys one by one, as words", word: "" };
    const name = `${prefix}${said}`;
    if (literals.has(name)) return { offset, message: `${name} is given twice`, word: said };
    const value = treeOf(property["value"]);
    literals.set(name, { value: property["kind"] === "init" ? literalOf(value) : undefined, offset });
    if (name !== "limits" && name !== "uses") continue;
    if (value.type !== "ObjectExpression")
      return { offset, message: `${name} must be written in place`, word: said };
    const problem = collect(value, `${name}.`, literals);
    if (problem !== null) return problem;
  }
  return null;
}

/** null: computed, spread, or one that sets no property. */
function keyOf(property: Tree): string | null {
  if (property.type !== "Property" || property["computed"] === true) return null;
  const key = treeOf(property["key"]);
  const said = key.type === "Identifier" ? String(key["name"]) : literalText(key);
  return said === "__proto__" ? null : said;
}

function literalOf(value: Tree): unknown {
  return value.type === "Literal" ? value["value"] : (literalText(value) ?? undefined);
}

/**
 * From the sources of a policy to the one script that proxies load, or to what is wrong with it, at file:line:col. The
 * compiler runs in a sealed process of its own, because a source can make it run code (macros); what it answers is
 * checked here before anybody takes it.
 */
import { createHash } from "node:crypto";
import type { Node } from "acorn";
import { limits } from "../model/limits.ts";
import type { BundleOptions, BundleResult } from "../../runtime/contract.ts";
import { kit, policyFolder } from "./kit.ts";
import { readMeta, type PolicyMeta } from "./policy_meta.ts";
import { checkScopes, parseScript } from "./scope_check.ts";
import { SourceMap } from "./source_map.ts";

export interface PolicySource {
  /** Relative: `policies/header_route.ts`. */
  readonly file: string;
  readonly text: string;
}

export interface PolicyBundle {
  /** SHA-256 of the text, hex. */
  readonly hash: string;
  readonly text: string;
  readonly meta: PolicyMeta;
}

export interface PolicyIssue {
  readonly file: string;
  /** Count from 1. */
  readonly line: number;
  readonly column: number;
  readonly severity: "error";
  readonly message: string;
}

export type BundleAnswer =
  | { readonly bundle: PolicyBundle; readonly issues: readonly [] }
  | { readonly bundle: null; readonly issues: readonly PolicyIssue[] };

/** `compile` is the bundler of a sealed process. */
export async function bundlePolicy(
  entry: string,
  sources: readonly PolicySource[],
  compile: (options: BundleOptions) => Promise<BundleResult>,
): Promise<BundleAnswer> {
  const refused = [...sizeIssues(entry, sources), ...sources.flatMap(attributeIssues)];
  if (refused.length > 0) return { bundle: null, issues: refused };
  const own = Object.fromEntries(sources.map(({ file, text }) => [`${policyFolder}/${file}`, text]));
  const files = kit.filesFor(`${policyFolder}/${entry}`, own);
  const result = await compile({ files, entry: kit.entry, names: kit.names });
  const issues = result.problems.map((problem) =>
    issueAt(nameOf(problem.file, entry), problem.line, problem.column, problem.message),
  );
  if (result.text === null || issues.length > 0) {
    const unknown = issueAt(entry, 1, 1, "The compiler gave no script and no reason");
    return { bundle: null, issues: issues.length > 0 ? issues : [unknown] };
  }
  return checkedBundle(entry, result.text, new SourceMap(result.map));
}

function checkedBundle(entry: string, text: string, map: SourceMap): BundleAnswer {
  if (text.length > limits.policyBundleBytesMax) {
    const message = `The bundle has ${text.length} characters, more than ${limits.policyBundleBytesMax}`;
    return { bundle: null, issues: [issueAt(entry, 1, 1, message)] };
  }
  let program: Node;
  try {
    program = parseScript(text);
  } catch (error) {
    return { bundle: null, issues: [issueAt(entry, 1, 1, `The script cannot be read: ${String(error)}`)] };
  }
  const issues = scopeIssues(entry, program, map);
  const meta = readMeta(program);
  if ("problem" in meta) return { bundle: null, issues: [...issues, issueAt(entry, 1, 1, meta.problem)] };
  if (issues.length > 0) return { bundle: null, issues };
  const script = `"use strict";${text}`;
  const hash = createHash("sha256").update(script).digest("hex");
  return { bundle: { hash, text: script, meta }, issues: [] };
}

/** Findings in what the author wrote; our own files may ask whether something exists. What stands nowhere is the author's. */
function scopeIssues(entry: string, program: Node, map: SourceMap): PolicyIssue[] {
  return checkScopes(program).flatMap(({ line, column, message }) => {
    const place = map.placeOf(line, column);
    if (place === null) return [issueAt(entry, 1, 1, message)];
    if (!place.file.startsWith(`${policyFolder}/`)) return [];
    return [issueAt(nameOf(place.file, entry), place.line, place.column, message)];
  });
}

function sizeIssues(entry: string, sources: readonly PolicySource[]): PolicyIssue[] {
  const length = sources.reduce((sum, each) => sum + each.text.length, 0);
  if (sources.length > limits.policySourcesMax) {
    return [issueAt(entry, 1, 1, `There are ${sources.length} files, more than ${limits.policySourcesMax}`)];
  }
  if (length <= limits.policyBundleBytesMax) return [];
  return [
    issueAt(entry, 1, 1, `The sources have ${length} characters, more than ${limits.policyBundleBytesMax}`),
  ];
}

/**
 * Import attributes and `macro:` names make the compiler run code. The words are looked for in the plain text, comments
 * and strings included: no trick of the grammar hides them, and a comment can be written otherwise.
 */
const attributeForm =
  /\b(?:with|assert)\b(?:\s|\/\*[^]*?\*\/|\/\/[^\n\r\u2028\u2029]*|<!--[^\n\r\u2028\u2029]*|-->[^\n\r\u2028\u2029]*)*\{|["']\s*macro:|\\u\{?0*6[dD]/g;

function attributeIssues({ file, text }: PolicySource): PolicyIssue[] {
  return [...text.matchAll(attributeForm)].map((match) => {
    const before = text.slice(0, match.index).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    return issueAt(
      file,
      before.length,
      column,
      `"${match[0].slice(0, 20)}" must not stand in a policy: imports have no attributes`,
    );
  });
}

function nameOf(path: string, entry: string): string {
  return path.startsWith(`${policyFolder}/`) ? path.slice(policyFolder.length + 1) : entry;
}

function issueAt(file: string, line: number, column: number, message: string): PolicyIssue {
  return { file, line: Math.max(1, line), column: Math.max(1, column), severity: "error", message };
}

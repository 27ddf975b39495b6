/**
 * Rules of a mesh that takes the first that fits, as rules of heddle, where the most specific comes first (Gateway API). Where a later
 * rule would come before an earlier one for requests that fit both, the earlier one gets a further match: what both ask for. That is
 * more specific than either, so it comes before the later one.
 */
import type { QueryMatch, RouteMatch } from "../../model/document.ts";
import { literalStart, onlyStart } from "../../model/expression_syntax.ts";
import { compareRanks, rankOf } from "../../model/route_rank.ts";
import { fitsExpression, includes } from "../lint/rule_matches.ts";

export interface OrderedRule {
  readonly matches: readonly RouteMatch[];
}

export type OrderedResult =
  | { readonly ok: true; readonly matches: readonly (readonly RouteMatch[])[] }
  /** These two rules cannot be put in order. */
  | { readonly ok: false; readonly first: number; readonly second: number };

/** Of all rules together; what needs more is refused. */
const matchesMax = 400;

/** For each rule its matches: the list of a rule that never gets a request is empty. */
export function inOrder(rules: readonly OrderedRule[]): OrderedResult {
  const matches = rules.map((rule, at) =>
    rule.matches.filter((match) => !rules.slice(0, at).some((before) => isTaken(before.matches, match))),
  );
  // Each added match stands in an earlier rule than the one that it comes from, so this ends.
  for (let changed = true; changed;) {
    changed = false;
    for (let first = 0; first < matches.length; first++)
      for (let second = first + 1; second < matches.length; second++) {
        const found = missing(matches, first, second);
        if (found === null) return { ok: false, first, second };
        if (found === undefined) continue;
        matches[first]?.push(found);
        changed = true;
        if (matches.flat().length > matchesMax) return { ok: false, first, second };
      }
  }
  return { ok: true, matches };
}

function isTaken(before: readonly RouteMatch[], match: RouteMatch): boolean {
  return before.some((each) => includes(each, match));
}

/** What both ask for, where the second would come first; undefined: nothing is missing, null: it cannot be said. */
function missing(
  all: readonly (readonly RouteMatch[])[],
  first: number,
  second: number,
): RouteMatch | null | undefined {
  for (const one of all[first] ?? [])
    for (const other of all[second] ?? []) {
      if (compareRanks(rankOf(one), rankOf(other)) <= 0) continue;
      const both = intersection(one, other);
      if (both === undefined) continue;
      if (both === null) return null;
      const isThere = all
        .slice(0, first + 1)
        .flat()
        .some((each) => includes(each, both) && compareRanks(rankOf(each), rankOf(other)) <= 0);
      if (!isThere) return both;
    }
  return undefined;
}

/** undefined: no request fits both; null: what does cannot be said as one match. */
function intersection(one: RouteMatch, other: RouteMatch): RouteMatch | null | undefined {
  if (one.method !== null && other.method !== null && one.method !== other.method) return undefined;
  const path = pathOfBoth(one.path, other.path);
  const headers = valuesOfBoth(one.headers, other.headers);
  const query = valuesOfBoth(one.query ?? [], other.query ?? []);
  const host = hostOfBoth(one.host, other.host);
  const from = callersOfBoth(one.from, other.from);
  const parts = [path, headers, query, host, from];
  if (parts.includes(undefined)) return undefined;
  if (path === undefined || headers === undefined || query === undefined) return undefined;
  if (path === null || headers === null || query === null || host === null || from === null) return null;
  return {
    path,
    method: one.method ?? other.method,
    headers,
    ...(query.length === 0 ? {} : { query }),
    ...(host === "" || host === undefined ? {} : { host }),
    ...(from === undefined || from.length === 0 ? {} : { from }),
  };
}

type Path = RouteMatch["path"];

function pathOfBoth(one: Path, other: Path): Path | null | undefined {
  if (one.type === other.type && one.value === other.value) return one;
  if (isEvery(one)) return other;
  if (isEvery(other)) return one;
  if (one.type === "Exact") return pathFits(other, one.value) ? one : undefined;
  if (other.type === "Exact") return pathFits(one, other.value) ? other : undefined;
  const [first, second] = [beginningOf(one), beginningOf(other)];
  if (first === null || second === null) {
    const [start, begun] = [literalOf(one), literalOf(other)];
    return start.startsWith(begun) || begun.startsWith(start) ? null : undefined;
  }
  const [longer, shorter] = first.length >= second.length ? [one, other] : [other, one];
  const [long, short] = first.length >= second.length ? [first, second] : [second, first];
  if (!long.startsWith(short)) return undefined;
  if (shorter.type !== "PathPrefix") return longer;
  if (long.length === short.length) return shorter;
  return long.charAt(short.length) === "/" ? longer : undefined;
}

function isEvery({ type, value }: Path): boolean {
  return type === "PathPrefix" && value === "/";
}

/** What it asks of a path when that is only how it begins; null: more. */
function beginningOf({ type, value }: Path): string | null {
  return type === "PathPrefix" ? value : onlyStart(value);
}

function literalOf({ type, value }: Path): string {
  return type === "RegularExpression" ? literalStart(value) : value;
}

function pathFits({ type, value }: Path, path: string): boolean {
  if (type === "Exact") return path === value;
  if (type === "RegularExpression") return fitsExpression(value, path);
  return value === "/" || path === value || path.startsWith(`${value}/`);
}

function valuesOfBoth(
  one: readonly QueryMatch[],
  other: readonly QueryMatch[],
): readonly QueryMatch[] | null | undefined {
  const both = [...one];
  for (const each of other) {
    const at = both.findIndex(({ name }) => name === each.name);
    const there = both[at];
    if (there === undefined) {
      both.push(each);
      continue;
    }
    const value = valueOfBoth(there, each);
    if (value === undefined || value === null) return value;
    both[at] = value;
  }
  return both;
}

function valueOfBoth(one: QueryMatch, other: QueryMatch): QueryMatch | null | undefined {
  if (one.type === other.type && one.value === other.value) return one;
  if (one.type === "Exact" && other.type === "Exact") return undefined;
  if (one.type === "Exact") return fitsExpression(other.value, one.value) ? one : undefined;
  if (other.type === "Exact") return fitsExpression(one.value, other.value) ? other : undefined;
  if (onlyStart(one.value) === "") return other;
  return onlyStart(other.value) === "" ? one : null;
}

/** "": any. */
function hostOfBoth(one = "", other = ""): string | null | undefined {
  if (one === other || other === "") return one;
  if (one === "") return other;
  const [wild, plain] = one.startsWith("*.") ? [one, other] : [other, one];
  if (!wild.startsWith("*.")) return undefined;
  return plain.endsWith(wild.slice(1)) ? plain : undefined;
}

/** []: any. */
function callersOfBoth(
  one: readonly string[] = [],
  other: readonly string[] = [],
): readonly string[] | null | undefined {
  if (one.length === 0) return other;
  if (other.length === 0) return one;
  if ([...one, ...other].some((each) => each.endsWith("/*")))
    return JSON.stringify(one) === JSON.stringify(other) ? one : null;
  const both = one.filter((each) => other.includes(each));
  return both.length === 0 ? undefined : both;
}

/** Rules that never get a request, and those that only the names of their routes keep apart. */
import { limits } from "../../model/limits.ts";
import { compareRanks } from "../../model/route_rank.ts";
import type { ReportOn } from "../kind.ts";
import { areApart, bucketOf, includes, pathTo, placeText, type RuleMatch } from "./rule_matches.ts";

/** `matches`: of one service, in order of precedence. */
export function findUnreachable(matches: readonly RuleMatch[], report: ReportOn): void {
  const buckets = new Map<string, RuleMatch[]>();
  /** By rule: the matches of which each is hidden, by the one that hides it. */
  const hidden = new Map<object, Map<RuleMatch, RuleMatch>>();
  const told = new Set<string>();
  for (const match of matches) {
    const key = bucketOf(match);
    const before = buckets.get(key) ?? [];
    const near = before.slice(-limits.lintComparisonsMax);
    const hiding = near.find((each) => includes(each.match, match.match));
    if (hiding !== undefined) {
      const own = hidden.get(match.rule) ?? new Map<RuleMatch, RuleMatch>();
      hidden.set(match.rule, own.set(match, hiding));
      continue;
    }
    const rival = near.find((each) => isRival(each, match));
    if (rival !== undefined) tellRival(rival, match, told, report);
    before.push(match);
    buckets.set(key, before);
  }
  for (const own of hidden.values()) tellHidden(own, report);
}

function tellHidden(hidden: ReadonlyMap<RuleMatch, RuleMatch>, report: ReportOn): void {
  const [first] = hidden;
  if (first === undefined) return;
  const [match, hiding] = first;
  if (hidden.size === match.rule.matches.length) {
    const message = `this never gets a request: ${placeText(hiding)} matches the same and comes first`;
    report(match.source, ["rules", match.ruleAt], message, { code: "HED0110" });
    return;
  }
  for (const [each, before] of hidden) {
    const message = `this match never gets a request: ${placeText(before)} matches the same and comes first`;
    report(each.source, pathTo(each), message, { code: "HED0111" });
  }
}

/** Nothing but the names of the documents says which of them comes first. */
function isRival(before: RuleMatch, match: RuleMatch): boolean {
  return (
    before.document !== match.document &&
    before.document.order === match.document.order &&
    compareRanks(before.rank, match.rank) === 0 &&
    !areApart(before.match, match.match)
  );
}

/** Once for two documents. */
function tellRival(before: RuleMatch, match: RuleMatch, told: Set<string>, report: ReportOn): void {
  const pair = `${before.document.name} ${match.document.name} ${match.document.namespace}`;
  if (told.has(pair)) return;
  told.add(pair);
  const message = `requests that fit this and ${placeText(before)} go there, by the names of the two routes alone`;
  report(match.source, ["rules", match.ruleAt], message, { code: "HED0112" });
}

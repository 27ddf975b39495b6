/** Redirects whose new place is redirected again, without end: followed as a client would, over the rules of all services. */
import type { Redirect, RouteMatch, ServiceDocument } from "../../model/document.ts";
import { literalStart } from "../../model/expression_syntax.ts";
import { limits } from "../../model/limits.ts";
import { resolveService } from "../fields.ts";
import { serviceKey } from "../../model/service.ts";
import type { ReportOn } from "../kind.ts";
import { fitsExpression, type RuleMatch } from "./rule_matches.ts";

type ByService = ReadonlyMap<string, readonly RuleMatch[]>;

/** A request that fits one match: what the match asks for, and nothing else. */
interface Sample extends Omit<RouteMatch, "path"> {
  /** Key of the service that it is for. */
  readonly service: string;
  readonly path: string;
}

export function findRedirectLoops(
  matches: ByService,
  services: ReadonlyMap<string, ServiceDocument>,
  report: ReportOn,
): void {
  const told = new Set<object>();
  for (const [service, list] of matches)
    for (const match of list) {
      if (match.rule.filters?.redirect === undefined || told.has(match.rule)) continue;
      const way = samplesOf(match, service)
        .map((sample) => follow(sample, match, matches, services))
        .find((each) => each !== null);
      if (way === undefined || way === null) continue;
      for (const each of way.matches) told.add(each.rule);
      tell(match, way, report);
    }
}

interface Way {
  readonly matches: readonly RuleMatch[];
  /** Paths that clients ask for, the first one first. */
  readonly paths: readonly string[];
}

function tell(match: RuleMatch, { matches, paths }: Way, report: ReportOn): void {
  const [first = "", last = ""] = [paths[0], paths.at(-1)];
  const own = new Set(matches.map(({ rule }) => rule)).size === 1;
  const ways = paths.slice(0, 4).join(" → ");
  const code = !own ? "HED0152" : last.length > first.length ? "HED0151" : "HED0150";
  const grows = last.length > first.length ? ", longer each time" : "";
  const message = own
    ? `this rule matches the new place, too: ${ways} → …${grows}`
    : `the rules ${matches.map(({ document, rule }) => `${document.name}/${rule.name}`).join(", ")} lead to one another: ${ways} → …${grows}`;
  report(match.source, ["rules", match.ruleAt, "redirect"], message, { code, key: true });
}

/** null: it ends somewhere. */
function follow(
  start: Sample,
  first: RuleMatch,
  all: ByService,
  services: ReadonlyMap<string, ServiceDocument>,
): Way | null {
  const matches: RuleMatch[] = [];
  const paths: string[] = [start.path];
  let [sample, match]: [Sample, RuleMatch | undefined] = [start, firstFor(start, all)];
  // A rule that another one hides redirects nobody.
  if (match?.rule !== first.rule) return null;
  for (let hop = 0; hop < limits.lintRedirectsMax; hop++) {
    const { redirect } = match?.rule.filters ?? {};
    if (match === undefined || redirect === undefined) return null;
    matches.push(match);
    const next = placeAfter(sample, match, redirect, services);
    if (next === null) return null;
    sample = next;
    paths.push(sample.path);
    match = firstFor(sample, all);
    // Back at the rule that it began with. What leads into a circle of others is told where that begins.
    if (match?.rule === first.rule) return { matches, paths };
  }
  return null;
}

/** null: outside of the mesh, or another scheme. */
function placeAfter(
  sample: Sample,
  { match, document }: RuleMatch,
  redirect: Redirect,
  services: ReadonlyMap<string, ServiceDocument>,
): Sample | null {
  const { host, scheme, port, path } = redirect;
  const service = host === undefined ? sample.service : serviceAt(host, document.namespace, services);
  const found = service === null ? undefined : services.get(service);
  if (service === null || found === undefined || scheme === "https") return null;
  if (port !== undefined && port !== found.port) return null;
  const changed = host === undefined ? sample : { ...sample, host };
  const rest = sample.path.slice(match.path.value === "/" ? 0 : match.path.value.length);
  const whole =
    path === undefined ? sample.path : path.whole ? path.value : joined(path.value, rest.replace(/^\//, ""));
  return { ...changed, service, path: whole };
}

function joined(prefix: string, rest: string): string {
  if (rest === "") return prefix;
  return prefix.endsWith("/") ? `${prefix}${rest}` : `${prefix}/${rest}`;
}

/** `orders.mesh` and `orders.prod.mesh`; null for another host. */
function serviceAt(
  host: string,
  namespace: string,
  services: ReadonlyMap<string, ServiceDocument>,
): string | null {
  const name = /^([a-z0-9-]+(?:\.[a-z0-9-]+)?)\.mesh$/.exec(host)?.[1];
  if (name === undefined) return null;
  const key = serviceKey(resolveService(name, namespace));
  return services.has(key) ? key : null;
}

function samplesOf({ match }: RuleMatch, service: string): Sample[] {
  const { path, ...rest } = match;
  const { type, value } = path;
  const literal = type === "RegularExpression" ? literalStart(value) || "/" : value;
  const paths = type === "PathPrefix" ? [value, joined(value, "x")] : [literal];
  return paths
    .filter((each) => type !== "RegularExpression" || fitsExpression(value, each))
    .map((each) => ({ ...rest, service, path: each }));
}

function firstFor(sample: Sample, all: ByService): RuleMatch | undefined {
  return all.get(sample.service)?.find(({ scope, match }) => scope === "" && fits(match, sample));
}

function fits(match: RouteMatch, sample: Sample): boolean {
  const { path, method, host, from, query = [] } = match;
  const asks = (wanted: RouteMatch["headers"], there: RouteMatch["headers"]): boolean =>
    wanted.every(({ type, name, value }) =>
      there.some(
        (each) =>
          each.name === name &&
          ((each.type === type && each.value === value) ||
            (type === "RegularExpression" && each.type === "Exact" && fitsExpression(value, each.value))),
      ),
    );
  return (
    pathFits(path, sample.path) &&
    (method === null || method === sample.method) &&
    (host === undefined || host === sample.host) &&
    (from === undefined || JSON.stringify(from) === JSON.stringify(sample.from)) &&
    asks(match.headers, sample.headers) &&
    asks(query, sample.query ?? [])
  );
}

function pathFits({ type, value }: RouteMatch["path"], path: string): boolean {
  if (type === "Exact") return path === value;
  if (type === "RegularExpression") return fitsExpression(value, path);
  return value === "/" || path === value || path.startsWith(`${value}/`);
}

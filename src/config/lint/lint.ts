/**
 * What is well-formed and yet not what anybody can have meant: rules that never match, limits that never hold, redirects without end.
 * All of it are warnings; `issue_codes.ts` tells what each code is and what to do. Costs time in proportion to the documents.
 */
import { meshIn, type Document, type ServiceDocument } from "../../model/document.ts";
import { limits } from "../../model/limits.ts";
import { isAtPort, perParent } from "../../model/route_parents.ts";
import { serviceKey, type Instance } from "../../model/service.ts";
import { mergeTraffic, type TrafficTraits } from "../../model/traffic.ts";
import type { Issue } from "../issue.ts";
import { issueAt } from "../issue_at.ts";
import type { Placed, ReportOn } from "../kind.ts";
import { documentsOf, servicesIn } from "../load.ts";
import { findRedirectLoops } from "./redirects.ts";
import { matchesByService } from "./rule_matches.ts";
import { lintRule, lintTraffic } from "./time_limits.ts";
import { findUnreachable } from "./unreachable.ts";

/** What runs of a service, as far as it is known. */
export type KnownInstance = Pick<Instance, "service" | "labels">;

export function lintDocuments(
  loaded: readonly Placed<Document>[],
  instances: readonly KnownInstance[],
): Issue[] {
  const issues: Issue[] = [];
  const services = servicesIn(loaded);
  const declared = documentsOf(services);
  const told = new Set<string>();
  // What is wrong with a route at each of several parents is wrong with it once.
  const report: ReportOn = (source, ...issue) => {
    if (issues.length >= limits.documentIssuesMax) return false;
    const made = issueAt(source, ...issue);
    const key = `${made.file}:${made.line}:${made.column} ${made.message}`;
    if (!told.has(key)) issues.push(made);
    told.add(key);
    return true;
  };
  const routes = loaded
    .filter((each) => isKind(each, "HTTPRoute"))
    .flatMap(({ document, source }) => perParent(document).map((each) => ({ document: each, source })))
    .filter(({ document }) => isAtPort(document, declared));
  const matches = matchesByService(routes);
  for (const list of matches.values()) findUnreachable(list, report);
  findRedirectLoops(matches, declared, report);
  lintTimes(loaded, declared, report);
  const running = Map.groupBy(instances, ({ service }) => serviceKey(service));
  for (const [key, service] of services) lintSubsets(service, running.get(key) ?? [], report);
  return issues;
}

function isKind<K extends Document["kind"]>(
  placed: Placed<Document>,
  kind: K,
): placed is Placed<Extract<Document, { readonly kind: K }>> {
  return placed.document.kind === kind;
}

function lintTimes(
  loaded: readonly Placed<Document>[],
  services: ReadonlyMap<string, ServiceDocument>,
  report: ReportOn,
): void {
  const mesh = meshIn(loaded.map(({ document }) => document))?.traffic ?? {};
  const own = new Map<string, TrafficTraits>();
  for (const { document } of loaded)
    if (document.kind === "Traffic") own.set(serviceKey(document.service), document.traffic);
  const trafficOf = (key: string): TrafficTraits =>
    mergeTraffic(mergeTraffic(mesh, services.get(key)?.traffic ?? {}), own.get(key) ?? {});
  for (const placed of loaded) {
    const { document, source } = placed;
    if (isKind(placed, "HTTPRoute")) {
      const key = serviceKey(placed.document.service);
      const traffic = trafficOf(key);
      placed.document.rules.forEach((_, at) =>
        lintRule(placed, at, services.get(key) ?? null, traffic, report),
      );
    }
    if (document.kind !== "Traffic" && document.kind !== "Mesh") continue;
    const everywhere = document.kind === "Mesh";
    const inForce = everywhere ? mesh : trafficOf(serviceKey(document.service));
    lintTraffic(document.traffic, inForce, {
      everywhere,
      tell: (field, message, code) =>
        void report(source, everywhere ? ["traffic", ...field] : field, message, { code }),
    });
  }
}

/** Where nothing runs of a service yet, nothing can be told. */
function lintSubsets(
  { document, source }: Placed<ServiceDocument>,
  own: readonly KnownInstance[],
  report: ReportOn,
): void {
  if (own.length === 0) return;
  for (const [name, labels] of Object.entries(document.subsets)) {
    const wanted = Object.entries(labels);
    if (own.some((each) => wanted.every(([label, value]) => each.labels[label] === value))) continue;
    const seen = wanted.map(([label]) => {
      const values = [...new Set(own.flatMap((each) => each.labels[label] ?? []))];
      return `${label}: ${values.length === 0 ? "(none)" : values.slice(0, 8).join(", ")}`;
    });
    const message = `no instance is of this subset; those of ${serviceKey(document)} have ${seen.join("; ")}`;
    report(source, ["subsets", name], message, { code: "HED0120", key: true });
  }
}

/**
 * Documents of the Gateway API that are no routes: `XBackendTrafficPolicy` is read as the Traffic that says the same; those that say
 * nothing here are told to be left out.
 */
import type { Issue } from "../issue.ts";
import { issueAt } from "../issue_at.ts";
import { kinds } from "../kinds.ts";
import type { YamlDocument } from "../yaml_file.ts";
import { FlatDocument } from "./flat_document.ts";
import { fieldsOf, listOf, refuseOthers, type Fields } from "./gateway_fields.ts";

const silent: Readonly<Record<string, string>> = {
  GatewayClass: "left out: heddle is the one that runs gateways here",
  BackendTLSPolicy: "left out: between machines there is mutual TLS anyway, to services and from them",
};

/** Whether a document of this kind says nothing here; then that was told. */
export function isSilentPolicy(source: YamlDocument, kind: string, issues: Issue[]): boolean {
  const message = Object.hasOwn(silent, kind) ? silent[kind] : undefined;
  if (message === undefined) return false;
  issues.push(issueAt(source, ["kind"], message, { key: true, code: "HED0160" }));
  return true;
}

/** null: it was told why it cannot be read. */
export function readBackendTrafficPolicy(source: YamlDocument, issues: Issue[]): YamlDocument | null {
  const before = issues.filter(({ severity }) => severity === "error").length;
  const flat = new FlatDocument(source, issues);
  const value = source.value as Fields;
  refuseOthers(flat, value, [], ["apiVersion", "kind", "metadata", "spec", "status"]);
  flat.put(["kind"], ["kind"], kinds.Traffic.name);
  const metadata = fieldsOf(flat, value["metadata"], ["metadata"]);
  flat.put(["name"], ["metadata", "name"], metadata["name"]);
  flat.put(["namespace"], ["metadata", "namespace"], metadata["namespace"]);
  const spec = fieldsOf(flat, value["spec"], ["spec"]);
  refuseOthers(flat, spec, ["spec"], ["targetRefs", "retryConstraint", "sessionPersistence"]);
  putTarget(flat, spec);
  flat.put(["sessionPersistence"], ["spec", "sessionPersistence"], spec["sessionPersistence"]);
  putBudget(flat, spec["retryConstraint"]);
  const errors = issues.filter(({ severity }) => severity === "error").length;
  return errors > before ? null : flat.document;
}

function putTarget(flat: FlatDocument, spec: Fields): void {
  const targets = listOf(flat, spec["targetRefs"], ["spec", "targetRefs"]);
  const path = ["spec", "targetRefs", 0] as const;
  if (targets.length === 0)
    return flat.wrong(["spec"], "targetRefs is missing: expected one of kind Service");
  if (targets.length > 1)
    flat.wrong(
      ["spec", "targetRefs", 1],
      "this version takes one target for each: write another policy for it",
    );
  const target = fieldsOf(flat, targets[0], path);
  refuseOthers(flat, target, path, ["group", "kind", "name", "sectionName"]);
  if ((target["group"] ?? "") !== "" || (target["kind"] ?? kinds.Service.name) !== kinds.Service.name)
    return flat.wrong(path, 'expected a target with kind: Service and group: ""');
  if (target["sectionName"] !== undefined)
    flat.unused([...path, "sectionName"], "this says nothing here: a service has one port");
  flat.put(["service"], [...path, "name"], target["name"]);
}

/** `{budget: {percent, interval}, minRetryRate: {count, interval}}`; heddle counts the least rate by the second. */
function putBudget(flat: FlatDocument, written: unknown): void {
  if (written === undefined) return;
  const path = ["spec", "retryConstraint"];
  const constraint = fieldsOf(flat, written, path);
  refuseOthers(flat, constraint, path, ["budget", "minRetryRate"]);
  flat.put(["retryBudget"], path, {});
  const budget = fieldsOf(flat, constraint["budget"], [...path, "budget"]);
  refuseOthers(flat, budget, [...path, "budget"], ["percent", "interval"]);
  for (const field of ["percent", "interval"])
    flat.put(["retryBudget", field], [...path, "budget", field], budget[field]);
  const rate = fieldsOf(flat, constraint["minRetryRate"], [...path, "minRetryRate"]);
  refuseOthers(flat, rate, [...path, "minRetryRate"], ["count", "interval"]);
  const { count, interval = "1s" } = rate;
  if (count === undefined) return;
  if (interval === "1s") flat.put(["retryBudget", "min"], [...path, "minRetryRate", "count"], count);
  else
    flat.wrong(
      [...path, "minRetryRate", "interval"],
      "retries that are there however few the requests are count by the second: expected 1s",
    );
}

/** null: it was told why it cannot be read. */
export function readReferenceGrant(source: YamlDocument, issues: Issue[]): YamlDocument | null {
  const before = issues.filter(({ severity }) => severity === "error").length;
  const flat = new FlatDocument(source, issues);
  const value = source.value as Fields;
  refuseOthers(flat, value, [], ["apiVersion", "kind", "metadata", "spec", "status"]);
  flat.put(["kind"], ["kind"], value["kind"]);
  const metadata = fieldsOf(flat, value["metadata"], ["metadata"]);
  for (const field of ["name", "namespace"]) flat.put([field], ["metadata", field], metadata[field]);
  const spec = fieldsOf(flat, value["spec"], ["spec"]);
  refuseOthers(flat, spec, ["spec"], ["from", "to"]);
  for (const field of ["from", "to"]) flat.put([field], ["spec", field], spec[field]);
  const errors = issues.filter(({ severity }) => severity === "error").length;
  return errors > before ? null : flat.document;
}

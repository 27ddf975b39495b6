/** Access rules: who may do what to a service. Deny first, then allow, then the default; audit rules only report. */
import type { Access, CompiledAccessRule } from "../../model/snapshot.ts";
import { isWithin, readNetwork, type Network } from "../../base/cidr.ts";
import { matchesPath } from "../fields/path_pattern.ts";
import type { AccessVerdict } from "../../telemetry/record.ts";

const allowed: AccessVerdict = { verdict: "allow", rule: "default" };

/** Networks of rules, read once. */
const networks = new WeakMap<object, Network | null>();

/**
 * `client`: where the caller says that its own client comes from, `10.0.0.7:51230`; "" when it says nothing.
 * `sourceId` is the verified SPIFFE ID of the caller, "" when there is none. A method of "" means an opaque connection: rules
 * that name methods or paths cannot be checked there, so as allow rules they never fit and as deny rules they always do.
 */
export function decideAccess(
  access: Access,
  sourceId: string,
  method: string,
  path: string,
  client = "",
): AccessVerdict {
  const { deny, allow, otherwise } = access;
  if (otherwise === "allow" && deny.length === 0 && allow.length === 0) return allowed;
  const opaque = method === "";
  let would: string | null = null;
  for (const rule of deny) {
    if (!fromSource(rule, sourceId, client) || !(opaque || ofRequest(rule, method, path))) continue;
    if (rule.mode === "enforce") return { verdict: "deny", rule: rule.id };
    would ??= rule.id;
  }
  for (const rule of allow) {
    if (!fromSource(rule, sourceId, client) || !ofRequest(rule, method, path)) continue;
    // A rule on trial lets nobody in where others are enforced.
    if (rule.mode === "enforce" || otherwise === "allow") return verdictOf(would, rule.id);
  }
  if (otherwise === "deny") return { verdict: "deny", rule: "default" };
  // Were the rules on trial enforced, the default would be deny.
  return deny.some(onTrial) || allow.some(onTrial)
    ? { verdict: "would-deny", rule: would ?? "default" }
    : allowed;
}

function onTrial(rule: CompiledAccessRule): boolean {
  return rule.mode === "audit";
}

function verdictOf(would: string | null, rule: string): AccessVerdict {
  return would === null ? { verdict: "allow", rule } : { verdict: "would-deny", rule: would };
}

function fromSource(rule: CompiledAccessRule, sourceId: string, client: string): boolean {
  const { source } = rule;
  switch (source.kind) {
    case "any":
      return true;
    case "any-mesh":
      return sourceId !== "";
    case "exact":
      return sourceId === source.value;
    case "prefix":
      return sourceId.startsWith(source.value);
    case "cidr":
      // Gateways alone know who is outside: what another says of its clients says nothing.
      return source.gateways.includes(sourceId) && isFrom(source, client);
  }
}

/** A network that cannot be read is nobody's. */
function isFrom(source: { readonly value: string }, client: string): boolean {
  let network = networks.get(source);
  if (network === undefined) networks.set(source, (network = readNetwork(source.value)));
  const [, host = ""] = /^\[?(.*?)\]?:[0-9]+$/.exec(client) ?? [];
  return network !== null && isWithin(network, host);
}

function ofRequest(rule: CompiledAccessRule, method: string, path: string): boolean {
  if (rule.methods.length > 0 && !rule.methods.includes(method)) return false;
  if (rule.paths.length === 0) return true;
  for (const pattern of rule.paths) if (matchesPath(pattern, path)) return true;
  return false;
}

/** Access rules: who may do what to a service. Deny first, then allow, then the default; audit rules only report. */
import type { Access, CompiledAccessRule } from "../../model/snapshot.ts";
import type { AccessVerdict } from "../../telemetry/record.ts";

/** What is being asked. `method` "" means an opaque connection. */
export interface AccessQuestion {
  /** Verified SPIFFE ID of the caller; "" when there is none. */
  readonly sourceId: string;
  readonly method: string;
  readonly path: string;
}

const allowed: AccessVerdict = { verdict: "allow", rule: "default" };

export function decideAccess(access: Access, question: AccessQuestion): AccessVerdict {
  if (access.otherwise === "allow" && access.deny.length === 0 && access.allow.length === 0) return allowed;
  let would: string | null = null;
  for (const rule of access.deny) {
    if (!matches(rule, question)) continue;
    if (rule.mode === "enforce") return { verdict: "deny", rule: rule.id };
    would ??= rule.id;
  }
  for (const rule of access.allow) {
    if (matches(rule, question))
      return would === null ? { verdict: "allow", rule: rule.id } : { verdict: "would-deny", rule: would };
  }
  if (access.otherwise === "deny") return { verdict: "deny", rule: "default" };
  const auditOnly = access.allow.length > 0;
  return would !== null || auditOnly ? { verdict: "would-deny", rule: would ?? "default" } : allowed;
}

function matches(rule: CompiledAccessRule, question: AccessQuestion): boolean {
  if (!matchesSource(rule.source, question.sourceId)) return false;
  if (rule.methods.length > 0 && !rule.methods.includes(question.method)) return false;
  return rule.paths.length === 0 || rule.paths.some((path) => matchesPath(path, question.path));
}

function matchesSource(source: CompiledAccessRule["source"], sourceId: string): boolean {
  switch (source.kind) {
    case "any":
      return true;
    case "any-mesh":
      return sourceId !== "";
    case "exact":
      return sourceId === source.value;
    case "prefix":
      return sourceId.startsWith(source.value);
  }
}

/** `/v1/*` is everything below `/v1/`. */
function matchesPath(pattern: string, path: string): boolean {
  return pattern.endsWith("/*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

/** Access documents of one service, merged into the rules that its proxy decides by. The order of documents never matters. */
import type { AccessDocument, AccessRule } from "../../model/document.ts";
import type { Access, CompiledAccessRule } from "../../model/snapshot.ts";
import { callerId } from "./caller_id.ts";

/** Nobody may call: for a service that no document declares. */
export const closedAccess: Access = { otherwise: "deny", deny: [], allow: [] };

export function compileAccess(documents: readonly AccessDocument[], trustDomain: string): Access {
  const sorted = [...documents].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const rules = (list: "deny" | "allow"): CompiledAccessRule[] =>
    sorted.flatMap((document) =>
      document[list].map((rule, at) =>
        compileRule(document, rule, `${document.name}#${list}[${at}]`, trustDomain),
      ),
    );
  return {
    // Once one document enforces, who is not named is out.
    otherwise: sorted.some((each) => each.mode === "enforce") ? "deny" : "allow",
    deny: rules("deny"),
    allow: rules("allow"),
  };
}

function nameOf(document: AccessDocument): string {
  return `${document.namespace}/${document.name}`;
}

function compileRule(
  document: AccessDocument,
  rule: AccessRule,
  id: string,
  trustDomain: string,
): CompiledAccessRule {
  const source = sourceOf(rule.from, document.namespace, trustDomain);
  return { id, mode: document.mode, source, methods: rule.methods, paths: rule.paths };
}

function sourceOf(from: string, around: string, trustDomain: string): CompiledAccessRule["source"] {
  if (from === "any" || from === "any-mesh") return { kind: from };
  const id = callerId(from, around, trustDomain);
  // The slash stays: the prefix ends where a segment does.
  return id.endsWith("/*") ? { kind: "prefix", value: id.slice(0, -1) } : { kind: "exact", value: id };
}

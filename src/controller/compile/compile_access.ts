/** Access documents of one service, merged into the rules that its proxy decides by. The order of documents never matters. */
import { serviceId } from "../../model/identity.ts";
import type { ServiceName } from "../../model/service.ts";
import type { AccessDocument, AccessRule } from "../../model/document.ts";
import type { Access, CompiledAccessRule } from "../../model/snapshot.ts";
import { callerId } from "./caller_id.ts";

/** Nobody may call: for a service that no document declares. */
export const closedAccess: Access = { otherwise: "deny", deny: [], allow: [] };

/** `gateways`: all that there are. */
export function compileAccess(
  documents: readonly AccessDocument[],
  trustDomain: string,
  allGateways: readonly ServiceName[] = [],
): Access {
  const gateways = allGateways.map((each) => serviceId(trustDomain, each)).sort();
  const sorted = [...documents].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const rules = (list: "deny" | "allow"): CompiledAccessRule[] =>
    sorted.flatMap((document) =>
      document[list].map((rule, at) =>
        compileRule(document, rule, `${document.name}#${list}[${at}]`, { trustDomain, gateways }),
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
  around: Around,
): CompiledAccessRule {
  const source = sourceOf(rule.from, document.namespace, around);
  return { id, mode: document.mode, source, methods: rule.methods, paths: rule.paths };
}

interface Around {
  readonly trustDomain: string;
  readonly gateways: readonly string[];
}

function sourceOf(
  from: string,
  namespace: string,
  { trustDomain, gateways }: Around,
): CompiledAccessRule["source"] {
  if (from === "any" || from === "any-mesh") return { kind: from };
  const [kind, value = ""] = from.split(" ");
  if (kind === "cidr") return { kind, value, gateways };
  const id = callerId(kind === "gateway" ? value : from, namespace, trustDomain);
  // The slash stays: the prefix ends where a segment does.
  return id.endsWith("/*") ? { kind: "prefix", value: id.slice(0, -1) } : { kind: "exact", value: id };
}

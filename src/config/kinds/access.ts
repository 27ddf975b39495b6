/** `kind: Access`: who may call a service, and with which requests. */
import * as v from "valibot";
import type { AccessDocument, AccessRule, ServiceDocument } from "../../model/document.ts";
import { readNetwork } from "../../base/cidr.ts";
import { defaultNamespace, serviceKey } from "../../model/service.ts";
import { declaresRequests, protocolText } from "../document_set.ts";
import { common, list, method, object, resolveService, said, serviceName } from "../fields.ts";
import { defineKind, type Neighbourhood } from "../kind.ts";
import { isCaller } from "../parts/callers.ts";
import { checkSlashes, pathPattern } from "../parts/paths.ts";
import type { Path } from "../yaml_file.ts";

const sourceForm = "a service such as web, a SPIFFE ID, one that ends in /*, any-mesh or any";
const networkForm = "a network such as 10.0.0.0/8 or fd00::/8";
/** Callers from outside of the mesh have no identity: what is known of them is where they come in, and from where. */
const outside = object({
  gateway: v.optional(said(serviceName, "Gateway that they come in by")),
  cidr: v.optional(
    said(
      v.pipe(
        v.string(networkForm),
        v.check((text) => readNetwork(text) !== null, networkForm),
      ),
      "Network that they come from, by whichever gateway",
    ),
  ),
});
const source = v.union(
  [v.pipe(v.string(sourceForm), v.check(isSource, sourceForm)), outside],
  `${sourceForm}; or {gateway: edge}, {cidr: 10.0.0.0/8} for callers from outside of the mesh`,
);
const rules = list(
  object({
    from: said(
      v.pipe(
        source,
        v.check(
          (from) => typeof from === "string" || (from.gateway === undefined) !== (from.cidr === undefined),
          "gateway or cidr, one of both",
        ),
      ),
      "Who calls: a service, a SPIFFE ID, any-mesh (whoever has an identity) or any; {gateway: edge} or {cidr: 10.0.0.0/8} for callers from outside of the mesh",
    ),
    methods: v.optional(said(list(method, 32), "Only these methods (default: all)")),
    paths: v.optional(
      said(
        list(pathPattern, 64),
        "Only these paths, as the app sees them: exact, or a prefix that ends in /* (default: all)",
      ),
    ),
  }),
  256,
);

const schema = object({
  kind: v.literal("Access"),
  ...common,
  service: said(serviceName, "Service whose callers it judges"),
  mode: v.optional(
    said(
      v.picklist(["enforce", "audit"], "enforce or audit"),
      "audit: nobody is refused, and the access log has what would have been (default: enforce)",
    ),
  ),
  deny: v.optional(said(rules, "Calls that are refused, whatever is allowed")),
  allow: v.optional(said(rules, "Calls that pass; with one rule here all others are refused")),
});

function isSource(text: string): boolean {
  return text === "any" || text === "any-mesh" || isCaller(text);
}

function expand(written: v.InferOutput<typeof schema>): AccessDocument {
  const namespace = written.namespace ?? defaultNamespace;
  return {
    kind: "Access",
    name: written.name,
    namespace,
    service: resolveService(written.service, namespace),
    mode: written.mode ?? "enforce",
    deny: expandRules(written.deny),
    allow: expandRules(written.allow),
  };
}

function expandRules(written: v.InferOutput<typeof rules> | undefined): AccessRule[] {
  return (written ?? []).map((each) => ({
    from: fromText(each.from),
    methods: each.methods ?? [],
    paths: each.paths ?? [],
  }));
}

/** As rules are kept and shown: `gateway edge`, `cidr 10.0.0.0/8`. */
function fromText(from: v.InferOutput<typeof source>): string {
  if (typeof from === "string") return from;
  return from.gateway === undefined ? `cidr ${from.cidr}` : `gateway ${from.gateway}`;
}

function crossCheck(document: AccessDocument, around: Neighbourhood): void {
  const { set, report } = around;
  const service = set.find(document.service, { path: ["service"] }, report);
  for (const list of ["deny", "allow"] as const) {
    document[list].forEach((rule, at) => {
      if (list === "deny" && rule.paths.length > 0)
        report(["deny", at, "paths"], deniedPaths, { key: true, code: "HED0116" });
      checkRequests(rule, service, [list, at], around);
      const { from } = rule;
      if (from.startsWith("cidr ")) return;
      if (from.startsWith("gateway "))
        return void set.findGateway(
          resolveService(from.slice("gateway ".length), document.namespace),
          null,
          (_, message) => report([list, at, "from", "gateway"], message),
        );
      if (from === "any" || from === "any-mesh" || from.startsWith("spiffe://")) return;
      const advice = " (declare it, or write its SPIFFE ID)";
      set.find(resolveService(from, document.namespace), { path: [list, at, "from"], advice }, report);
    });
  }
}

/** Methods and paths are those of requests. */
function checkRequests(
  rule: AccessRule,
  service: ServiceDocument | null,
  around: Path,
  { report }: Neighbourhood,
): void {
  for (const field of ["methods", "paths"] as const) {
    if (service === null || declaresRequests(service) || rule[field].length === 0) continue;
    const message = `${field} need protocol http, http2 or grpc, but ${serviceKey(service)} has ${protocolText(service)}`;
    report([...around, field], message, { key: true });
  }
  rule.paths.forEach((path, index) => checkSlashes(service, path, [...around, "paths", index], report));
}

const deniedPaths =
  "an app may take other paths for these (//, ;, %2F, upper case): allow what is wanted instead, or let the Service read paths as its app does (escapedSlashes, mergeSlashes, pathParameters)";

const example = `kind: Access
name: orders
service: orders
allow:
  - {from: web, methods: [GET], paths: [/v1/*]}
  - {from: batch}`;

export const access = defineKind({
  name: "Access",
  words: "Who may call a service, and with which requests",
  example,
  schema,
  expand,
  crossCheck,
});

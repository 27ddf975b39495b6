/** `AuthorizationPolicy` and `PeerAuthentication`. What would let more in than there is refused; what lets less in is named. */
import { serviceKey, type ServiceName } from "../../model/service.ts";
import { kinds } from "../kinds.ts";
import { metadataOf, type Selections } from "./kubernetes.ts";
import type { Fields, Origin } from "./origin.ts";
import { saying, type Target, type Written } from "./target.ts";

export interface AccessContext {
  readonly selections: Selections;
  readonly trustDomain: string;
  /** Keys of services with a policy that allows: there all others are refused. */
  readonly allowing: Set<string>;
}

/** Those that allow come before those that deny, whatever their order in the files. */
export function allowsFirst(a: Origin, b: Origin): number {
  const denies = ({ source }: Origin): number => {
    const { spec } = (source.value ?? {}) as { spec?: { action?: unknown } };
    return spec?.action === "DENY" ? 1 : 0;
  };
  return denies(a) - denies(b);
}

export function readPeerAuthentication(origin: Origin): void {
  const root = origin.root();
  metadataOf(root).annotations.ignore();
  const spec = root.inner("spec");
  const mode = spec.inner("mtls").text("mode") ?? "UNSET";
  spec.loss("portLevelMtls", "between machines there is mutual TLS and nothing else");
  spec.ignore("selector");
  if (mode === "PERMISSIVE" || mode === "DISABLE")
    origin.loss(
      ["spec", "mtls", "mode"],
      `${mode}: between machines there is mutual TLS and nothing else; who calls around the mesh reaches the app's own port`,
    );
  else origin.note([], "mutual TLS is all there is between machines: nothing need be said");
}

export function readAuthorizationPolicy(origin: Origin, target: Target, context: AccessContext): void {
  const root = origin.root();
  const { name, namespace, annotations } = metadataOf(root);
  annotations.ignore(...annotations.names.filter((each) => each !== "istio.io/dry-run"));
  const dryRun = annotations.text("istio.io/dry-run") === "true";
  const spec = root.inner("spec");
  spec.refuse("targetRefs", "it is for waypoints and gateways");
  spec.refuse("targetRef", "it is for waypoints and gateways");
  const action = spec.text("action") ?? "ALLOW";
  if (action === "CUSTOM")
    return spec.refuse("action", "who may call is decided by heddle itself, or by a policy in TypeScript");
  const services = servicesOf(spec, namespace, context);
  if (services === null) return;
  const written = services.map((service) => {
    const around = {
      ...context,
      namespace,
      denies: action === "DENY",
      port: context.selections.portOf(service),
    };
    return { service, rules: spec.list("rules").flatMap((rule) => rulesOf(rule, around)) };
  });
  if (origin.outcome === "refused") return;
  const isAudit = action === "AUDIT" || dryRun;
  if (action === "AUDIT")
    spec.note("action", "the access log has every denied request; mode: audit refuses nobody");
  if (action === "ALLOW" && !isAudit)
    for (const service of services) context.allowing.add(serviceKey(service));
  const isAlone = (service: ServiceName): boolean => !context.allowing.has(serviceKey(service));
  for (const { service, rules } of written) {
    target.service(service, origin);
    const list = action === "DENY" ? "deny" : "allow";
    const own: Written = {
      service: service.name,
      ...(isAudit ? { mode: "audit" } : {}),
      [list]: rules,
      // Where only denials stand there, all others pass.
      ...(action === "DENY" && isAlone(service) ? { allow: [{ from: "any" }] } : {}),
    };
    const title = services.length === 1 ? name : `${name}-${service.name}`;
    target.add(kinds.Access.name, { name: title, namespace: service.namespace }, own, origin);
  }
  if (action === "DENY" && services.some(isAlone))
    spec.note(
      "action",
      "others pass by a rule allow: [{from: any}]: take it out where another document allows",
    );
}

/** Of the namespace whose policies hold for the whole mesh. */
const rootNamespace = "istio-system";

/** null: it was refused. */
function servicesOf(
  spec: Fields,
  namespace: string,
  { selections }: AccessContext,
): readonly ServiceName[] | null {
  const selector = spec.inner("selector");
  const labels = selector.texts("matchLabels");
  if (Object.keys(labels).length > 0) return selections.find(labels, namespace, selector);
  const all = selections.of(namespace === rootNamespace ? null : namespace);
  if (all.length > 0) {
    const where = namespace === rootNamespace ? "the mesh" : `the namespace ${namespace}`;
    spec.origin.note(
      spec.path,
      `it is for all of ${where}: written for each of the ${all.length} services that these documents have`,
    );
    return all.map(({ name, namespace: own }) => ({ name, namespace: own }));
  }
  spec.origin.refuse(
    spec.path,
    "it is for all services of its namespace, and these documents have no Service of it",
  );
  return null;
}

interface RuleContext extends AccessContext {
  readonly namespace: string;
  readonly denies: boolean;
  /** That the service's instances listen on; null: nobody says. */
  readonly port: number | null;
}

function rulesOf(rule: Fields, context: RuleContext): Written[] {
  const { denies, namespace } = context;
  for (const when of rule.list("when")) {
    const key = when.text("key") ?? "";
    when.ignore("values", "notValues");
    rule.origin.refuse(
      [...when.path, "key"],
      `no rule here asks for ${key}: without it more requests would ${denies ? "be refused" : "pass"}`,
    );
  }
  const from = rule.list("from");
  const sources =
    from.length === 0 ? ["any"] : from.flatMap((each) => callersOf(each.inner("source"), namespace, context));
  const to = rule.list("to");
  const operations =
    to.length === 0 ? [{}] : to.flatMap((each) => operationsOf(each.inner("operation"), context));
  return sources.flatMap((source) => operations.map((operation) => ({ from: source, ...operation })));
}

function callersOf(source: Fields, namespace: string, { trustDomain }: AccessContext): string[] {
  for (const field of source.names)
    if (!["principals", "namespaces", "serviceAccounts"].includes(field))
      source.refuse(field, "no rule here names callers so");
  const own = (domain: string): string => (domain === "cluster.local" ? trustDomain : domain);
  const principals = source.words("principals").flatMap((text) => {
    if (text === "*") return ["any-mesh"];
    const parts = /^([^/*]+)\/ns\/([^/*]+)\/sa\/([^/*]+|\*)$/.exec(text);
    if (parts !== null) return [`spiffe://${own(parts[1] ?? "")}/ns/${parts[2]}/sa/${parts[3]}`];
    const whole = /^([^/*]+)\/\*$/.exec(text) ?? /^([^/*]+)\/ns\/([^/*]+)\/\*$/.exec(text);
    if (whole !== null) {
      const rest = whole[2] === undefined ? "*" : `ns/${whole[2]}/sa/*`;
      return [`spiffe://${own(whole[1] ?? "")}/${rest}`];
    }
    source.refuse("principals", `${text}: an identity here is whole, or ends in /* at a segment`);
    return [];
  });
  const namespaces = source.words("namespaces").flatMap((text) => {
    if (/^[a-z0-9-]+$/.test(text)) return [`spiffe://${trustDomain}/ns/${text}/sa/*`];
    source.refuse("namespaces", `${text}: a namespace is named whole here`);
    return [];
  });
  const accounts = source.words("serviceAccounts").map((text) => {
    const [first = "", second] = text.split("/");
    return `spiffe://${trustDomain}/ns/${second === undefined ? namespace : first}/sa/${second ?? first}`;
  });
  const lists = [principals, namespaces, accounts].filter((each) => each.length > 0);
  if (lists.length > 1)
    source.origin.refuse(source.path, "a caller has to be of both lists there: name those that are");
  return lists[0] ?? ["any"];
}

function operationsOf(operation: Fields, { denies, port }: RuleContext): Written[] {
  for (const field of operation.names)
    if (!["methods", "paths", "ports"].includes(field)) operation.refuse(field, "no rule here asks for this");
  const ports = operation.words("ports");
  if (!denies && port !== null && ports.length > 0 && !ports.includes(String(port))) {
    const message = `a service has one port here, and its instances listen on ${port}: what passes elsewhere is left out`;
    operation.loss("ports", message);
    return [];
  }
  operation.loss("ports", "a service has one port here: the rule holds for it");
  const methods = operation.words("methods");
  const paths = operation.words("paths").flatMap((text) => pathsOf(text, operation, denies));
  return [
    saying({
      methods: methods.length === 0 || methods.includes("*") ? undefined : methods,
      paths: paths.length === 0 || paths.includes("*") ? undefined : paths,
    }) ?? {},
  ];
}

/** `/info*` is any path that begins so; here the last segment is whole. */
function pathsOf(text: string, operation: Fields, denies: boolean): string[] {
  if (text === "*" || text === "/*") return ["*"];
  if (!text.includes("*") && !text.includes("{")) return [text];
  if (/^\/[^*{]*\/\*$/.test(text)) return [text];
  const begun = /^(\/[^*{]*[^*{/])\*$/.exec(text)?.[1];
  if (begun !== undefined && !denies) {
    operation.origin.loss(
      [...operation.path, "paths"],
      `${text}: here ${begun} and all below it pass, and not what goes on within the segment`,
    );
    return [begun, `${begun}/*`];
  }
  operation.refuse("paths", `${text}: paths here are exact, or end in /* at a segment`);
  return [];
}

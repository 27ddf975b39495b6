/** `MeshTrafficPermission`: who may call. */
import { serviceKey, type ServiceName } from "../../model/service.ts";
import { kinds } from "../kinds.ts";
import type { KumaDocument } from "./kuma_document.ts";
import { referenceOf } from "./kuma_reference.ts";
import type { Fields } from "./origin.ts";
import type { Written } from "./target.ts";

/** The service of its own that a permission refuses all callers of, but those that it names; null: it does not. */
export function closedBy({ spec }: Pick<KumaDocument, "spec">): ServiceName | null {
  const about = spec.has("targetRef") ? (referenceOf(spec.inner("targetRef")) ?? null) : null;
  const refusesAll = spec
    .list("from")
    .some(
      (from) =>
        (from.inner("default").text("action") ?? "Deny") === "Deny" &&
        referenceOf(from.inner("targetRef")) === null,
    );
  return refusesAll ? about : null;
}

export function readTrafficPermission(document: KumaDocument): void {
  const { origin, name, spec, target, trustDomain, closed } = document;
  const about = spec.has("targetRef") ? referenceOf(spec.inner("targetRef")) : null;
  if (about === undefined) return;
  if (spec.has("targetRef") && spec.inner("targetRef").has("sectionName"))
    spec
      .inner("targetRef")
      .refuse("sectionName", "a service has one port here, and these callers may call one of several");
  const lists = { deny: [] as Written[], allow: [] as Written[], shadow: [] as Written[] };
  for (const from of spec.list("from")) readFrom(from, lists, trustDomain);
  for (const rule of spec.list("rules")) readRule(rule, lists);
  if (origin.outcome === "refused") return;
  const services: readonly ServiceName[] = about === null ? target.services : [about];
  if (about === null) {
    if (services.length === 0)
      return origin.refuse([], "it is for all services, and these documents have none");
    origin.note(
      [],
      `it is for all services: written for each of the ${services.length} that these documents have`,
    );
  }
  for (const service of services) {
    target.service(service, origin);
    const title = services.length === 1 ? name : `${name}-${service.name}`;
    const isClosed = about === null && spec.has("from") && closed.has(serviceKey(service));
    if (isClosed)
      origin.note(
        [],
        `another document refuses callers of ${serviceKey(service)}: this one lets nobody in there`,
      );
    const own = {
      service: service.name,
      ...(lists.deny.length === 0 ? {} : { deny: lists.deny }),
      allow: isClosed ? [] : lists.allow,
    };
    target.add(kinds.Access.name, { name: title, namespace: service.namespace }, own, origin);
    if (lists.shadow.length === 0) continue;
    const audit = { service: service.name, mode: "audit", deny: lists.shadow };
    target.add(kinds.Access.name, { name: `${title}-audit`, namespace: service.namespace }, audit, origin);
  }
}

interface Lists {
  readonly deny: Written[];
  readonly allow: Written[];
  readonly shadow: Written[];
}

function readFrom(from: Fields, { deny, allow, shadow }: Lists, trustDomain: string): void {
  const caller = referenceOf(from.inner("targetRef"));
  if (caller === undefined) return;
  const action = from.inner("default").text("action") ?? "Deny";
  const rule = {
    from: caller === null ? "any-mesh" : `spiffe://${trustDomain}/ns/${caller.namespace}/sa/${caller.name}`,
  };
  if (action !== "Deny") allow.push(rule);
  // Who is not allowed is refused anyway, and a denial of all would win over those that are.
  else if (caller !== null) deny.push(rule);
  if (action === "AllowWithShadowDeny") shadow.push(rule);
}

/** As of Kuma 2.12: by SPIFFE ID. */
function readRule(rule: Fields, { deny, allow, shadow }: Lists): void {
  const conf = rule.inner("default");
  for (const [field, list] of [
    ["allow", allow],
    ["deny", deny],
    ["allowWithShadowDeny", shadow],
  ] as const)
    for (const each of conf.list(field)) {
      const id = each.inner("spiffeID");
      const type = id.text("type") ?? "Exact";
      const value = id.text("value") ?? "";
      if (type === "Exact") list.push({ from: value });
      else if (value.endsWith("/")) list.push({ from: `${value}*` });
      else id.refuse("value", `${value}: the beginning of an ID ends with a segment here, in /`);
      if (field === "allowWithShadowDeny") allow.push({ from: type === "Exact" ? value : `${value}*` });
    }
}

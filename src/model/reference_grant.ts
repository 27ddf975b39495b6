/** Who may refer to services of a namespace from another one, as `ReferenceGrant` of the Gateway API says it (GEP-709). */
import { perParent, type Parented } from "./route_parents.ts";
import { serviceKey, type ServiceName } from "./service.ts";

export interface ReferenceGrant {
  /** Whose services it is about. */
  readonly namespace: string;
  /** Kinds of documents, each in a namespace. */
  readonly from: readonly { readonly kind: string; readonly namespace: string }[];
  /** By name; null: all of the namespace. */
  readonly to: readonly (string | null)[];
}

export interface Referring extends Parented {
  /** The kind as which a grant must name it, to refer to services of other namespaces. Absent: it may, without. */
  readonly grantedAs?: string;
}

/** What a route is for it may lead to: a service that is its parent needs no grant. */
export function mayRefer(route: Referring, service: ServiceName, grants: readonly ReferenceGrant[]): boolean {
  const { grantedAs, namespace } = route;
  if (grantedAs === undefined || service.namespace === namespace) return true;
  const isParent = (parent: Parented): boolean =>
    parent.gateway === undefined && serviceKey(parent.service) === serviceKey(service);
  if (perParent(route).some(isParent)) return true;
  return grants.some(
    (grant) =>
      grant.namespace === service.namespace &&
      grant.from.some((each) => each.kind === grantedAs && each.namespace === namespace) &&
      grant.to.some((name) => name === null || name === service.name),
  );
}

/** Services of other namespaces that a route may lead to only where a `ReferenceGrant` there says so. */
import * as v from "valibot";
import { protocolsOf } from "../../model/gateway_routes.ts";
import { mayRefer, type Referring } from "../../model/reference_grant.ts";
import { perParent } from "../../model/route_parents.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";
import { said } from "../fields.ts";
import type { Neighbourhood } from "../kind.ts";
import type { Path } from "../yaml_file.ts";

const kindsThere = [...Object.keys(protocolsOf), "GRPCRoute"];

export const grantedAsField = {
  grantedAs: v.optional(
    said(
      v.picklist(kindsThere, kindsThere.join(", ")),
      "It may refer to services of another namespace only where a ReferenceGrant there names this kind; documents of the Gateway API all say so (default: it may anyway)",
    ),
  ),
};

/** A warning: whoever takes a grant away must be able to, whatever routes of others say. `key`: it stands in the key. */
export function checkGranted(
  route: Referring,
  service: ServiceName,
  { path, key = false }: { readonly path: Path; readonly key?: boolean },
  { set, report }: Neighbourhood,
): void {
  // It stands at each parent alone: that one of them is the service lets it refer to that service there alone.
  if (perParent(route).every((each) => mayRefer(each, service, set.options.grants))) return;
  const what = `no ReferenceGrant of the namespace ${service.namespace} lets ${route.grantedAs}s of ${route.namespace} refer to ${serviceKey(service)}`;
  report(path, what, { key, code: "HED0118" });
}

/** Where calls of a service may go on to: by its routes, by policies, and by those of the mesh. */
import { documentKey } from "../../config/load.ts";
import type { HttpRouteDocument, MeshDocument, ServiceDocument } from "../../model/document.ts";
import { serviceKey } from "../../model/service.ts";
import type { ConnectionRoute } from "./compile_routes.ts";
import { servicesNamedIn } from "../../policy/named_services.ts";

interface Called {
  readonly service: ServiceDocument;
  readonly routes: readonly HttpRouteDocument[];
  readonly tlsRoutes: readonly ConnectionRoute[];
  /** By document key: keys of the services that its policies may send requests to. */
  readonly leadsTo: ReadonlyMap<string, readonly string[]>;
  readonly mesh: MeshDocument | null;
}

/** Their keys. */
export function servicesAfter({ service, routes, tlsRoutes, leadsTo, mesh }: Called): string[] {
  const rules = routes.flatMap((route) => route.rules);
  const backends = rules.flatMap((rule) => [...rule.backends, ...(rule.filters?.mirrors ?? [])]);
  const byName = tlsRoutes.flatMap((route) => route.backends);
  const byPolicy = [service, ...routes].flatMap((each) => leadsTo.get(documentKey(each)) ?? []);
  const byMesh = (mesh?.policies ?? []).flatMap((use) => [...servicesNamedIn(use.with, service.namespace)]);
  return [...[...backends, ...byName].map((backend) => serviceKey(backend.service)), ...byPolicy, ...byMesh];
}

/** Keys of the services that policies of the server's side may ask. */
export function namedAtServer(service: ServiceDocument, mesh: MeshDocument | null): string[] {
  return [...(mesh?.policies ?? []), ...service.policies]
    .filter(({ side }) => side === "server")
    .flatMap((use) => [...servicesNamedIn(use.with, service.namespace)]);
}

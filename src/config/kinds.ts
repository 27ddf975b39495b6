/** Every kind of document that there is. What needs to know them asks here; a kind is registered nowhere else. */
import type { AnyDocument } from "../model/document.ts";
import type { Kind } from "./kind.ts";
import { access } from "./kinds/access.ts";
import { external } from "./kinds/external.ts";
import { gateway } from "./kinds/gateway.ts";
import { httpRoute } from "./kinds/http_route.ts";
import { machine } from "./kinds/machine.ts";
import { mesh } from "./kinds/mesh.ts";
import { referenceGrant } from "./kinds/reference_grant.ts";
import { service } from "./kinds/service.ts";
import { traffic } from "./kinds/traffic.ts";
import { tcpRoute } from "./kinds/tcp_route.ts";
import { tlsRoute } from "./kinds/tls_route.ts";

/** In the order in which problems name them. A kind that is missing here is a type error. */
export const kinds: Readonly<Record<AnyDocument["kind"], Kind>> = {
  Service: service,
  External: external,
  Gateway: gateway,
  HTTPRoute: httpRoute,
  TLSRoute: tlsRoute,
  TCPRoute: tcpRoute,
  ReferenceGrant: referenceGrant,
  Traffic: traffic,
  Access: access,
  Mesh: mesh,
  Machine: machine,
};

export const kindNames: readonly string[] = Object.keys(kinds);

/** null: there is no such kind. */
export function kindNamed(name: unknown): Kind | null {
  return typeof name === "string" && Object.hasOwn(kinds, name) ? kinds[name as AnyDocument["kind"]] : null;
}

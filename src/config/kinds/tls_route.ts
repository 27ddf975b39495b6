/** `kind: TLSRoute`: where TLS connections to a service go, by the server name that their client asks for. */
import * as v from "valibot";
import type { TlsRouteDocument } from "../../model/document.ts";
import { protocolsOf } from "../../model/gateway_routes.ts";
import { defaultNamespace } from "../../model/service.ts";
import type { Fit } from "../document_set.ts";
import { common, list, object, said } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { defineKind, type Neighbourhood, type Placed, type ReportOn } from "../kind.ts";
import { backendFields, checkBackendForms, checkBackends, expandBackends } from "../parts/backends.ts";
import { hostname } from "../parts/hostname.ts";
import { grantedAsField } from "../parts/granted.ts";
import { namedOnce } from "../parts/named_once.ts";
import {
  checkParents,
  checkParentsFit,
  expandParents,
  isOfGateway,
  parentFields,
} from "../parts/route_parents.ts";

const schema = object({
  kind: v.literal("TLSRoute"),
  ...common,
  ...parentFields("Service whose connections it directs; its protocol is tls"),
  ...grantedAsField,
  hostnames: said(
    list(hostname, 1024, 1),
    "Server names that clients ask for (SNI): exact, or *.example for all below it",
  ),
  ...backendFields,
});

type Written = v.InferOutput<typeof schema>;

function expand(written: Written): TlsRouteDocument {
  const namespace = written.namespace ?? defaultNamespace;
  return {
    kind: "TLSRoute",
    name: written.name,
    namespace,
    ...expandParents(written, namespace),
    ...(written.grantedAs === undefined ? {} : { grantedAs: written.grantedAs }),
    hostnames: written.hostnames,
    backends: expandBackends(written, namespace),
  };
}

function check(written: Written, report: Report): void {
  checkParents(written, report);
  if (isOfGateway(written) && written.split === undefined && written.backends === undefined)
    report(["gateway"], "a route of a gateway says where its connections go: split or backends", {
      key: true,
    });
  checkBackendForms(written, [], report);
}

const handshakes: Omit<Fit, "what"> = {
  needs: "protocol tls",
  fits: ({ protocol }) => protocol === "tls",
};
const asRoute: Fit = { what: "a TLS route", ...handshakes };
const asBackend: Fit = { what: "a backend of a TLS route", ...handshakes };

function crossCheck(document: TlsRouteDocument, around: Neighbourhood): void {
  checkParentsFit(document, { service: asRoute, protocols: protocolsOf.TLSRoute, beside: true }, around);
  checkBackends(document.backends, [], asBackend, around, document);
}

/** A hostname that two TLS routes of one parent name: only the first by name is ever used. */
function checkHostnames(all: readonly Placed<TlsRouteDocument>[], report: ReportOn): void {
  namedOnce(
    all,
    ({ hostnames }) => hostnames,
    (source, at, before, hostname) => {
      const message = `this never gets a connection: TLSRoute ${before} names ${hostname} too and comes first`;
      return report(source, ["hostnames", at], message, { code: "HED0113" });
    },
  );
}

const example = `kind: TLSRoute
name: db
service: db
hostnames: [db.example, "*.db.example"]
split: {db/primary: 100}`;

export const tlsRoute = defineKind({
  name: "TLSRoute",
  words: "Where TLS connections to a service go, by the server name that their client asks for",
  example,
  schema,
  expand,
  check,
  crossCheck,
  crossCheckAll: checkHostnames,
});

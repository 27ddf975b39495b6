/** `kind: TLSRoute`: where TLS connections to a service go, by the server name that their client asks for. */
import * as v from "valibot";
import type { TlsRouteDocument } from "../../model/document.ts";
import { defaultNamespace, serviceKey } from "../../model/service.ts";
import type { Fit } from "../document_set.ts";
import { common, list, object, said } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { defineKind, type Neighbourhood, type Placed, type ReportOn } from "../kind.ts";
import {
  backendFields,
  checkBackendForms,
  checkBackends,
  checkRouteNamespace,
  expandBackends,
} from "../parts/backends.ts";
import { hostname } from "../parts/hostname.ts";
import { checkGateway, checkParent, expandParent, parentFields } from "../parts/gateway_parent.ts";

const schema = object({
  kind: v.literal("TLSRoute"),
  ...common,
  ...parentFields("Service whose connections it directs; its protocol is tls"),
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
    ...expandParent(written, namespace),
    hostnames: written.hostnames,
    backends: expandBackends(written, namespace),
  };
}

function check(written: Written, report: Report): void {
  checkParent(written, report);
  if (written.gateway !== undefined && written.split === undefined && written.backends === undefined)
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
  if (document.gateway !== undefined) checkGateway(document, ["tls"], around);
  else {
    around.set.findFit(document.service, asRoute, { path: ["service"] }, around.report);
    checkRouteNamespace(document, around.report);
  }
  checkBackends(document.backends, [], asBackend, around);
}

/** A hostname that two TLS routes of one service name: only the first by name is ever used. */
function checkHostnames(all: readonly Placed<TlsRouteDocument>[], report: ReportOn): void {
  const first = new Map<string, string>();
  const routes = all.toSorted((a, b) => (nameOf(a.document) < nameOf(b.document) ? -1 : 1));
  for (const { document, source } of routes) {
    for (const [at, hostname] of document.hostnames.entries()) {
      const key = JSON.stringify([serviceKey(document.service), document.gateway, hostname]);
      const before = first.get(key);
      if (before === undefined) {
        first.set(key, document.name);
        continue;
      }
      const message = `this never gets a connection: TLSRoute ${before} names ${hostname} too and comes first`;
      if (!report(source, ["hostnames", at], message, { code: "HED0113" })) return;
    }
  }
}

function nameOf({ namespace, name }: TlsRouteDocument): string {
  return `${namespace}/${name}`;
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

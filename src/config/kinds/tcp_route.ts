/** `kind: TCPRoute`: where opaque connections to a service, or to a listener of a gateway, go. */
import * as v from "valibot";
import type { TcpRouteDocument } from "../../model/document.ts";
import { protocolsOf } from "../../model/gateway_routes.ts";
import { defaultNamespace, takesConnections } from "../../model/service.ts";
import type { Fit } from "../document_set.ts";
import { common, object } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { defineKind, type Neighbourhood, type Placed, type ReportOn } from "../kind.ts";
import { backendFields, checkBackendForms, checkBackends, expandBackends } from "../parts/backends.ts";
import { grantedAsField } from "../parts/granted.ts";
import { namedOnce } from "../parts/named_once.ts";
import { checkParents, checkParentsFit, expandParents, parentFields } from "../parts/route_parents.ts";

const schema = object({
  kind: v.literal("TCPRoute"),
  ...common,
  ...parentFields("Service whose connections it directs; its protocol is tcp or tls"),
  ...grantedAsField,
  ...backendFields,
});

type Written = v.InferOutput<typeof schema>;

function expand(written: Written): TcpRouteDocument {
  const namespace = written.namespace ?? defaultNamespace;
  return {
    ...{ kind: "TCPRoute", name: written.name, namespace },
    ...expandParents(written, namespace),
    ...(written.grantedAs === undefined ? {} : { grantedAs: written.grantedAs }),
    backends: expandBackends(written, namespace),
  };
}

function check(written: Written, report: Report): void {
  checkParents(written, report);
  if (written.split === undefined && written.backends === undefined)
    report([], "a TCPRoute says where its connections go: split or backends");
  checkBackendForms(written, [], report);
}

const declared = { needs: "protocol tcp or tls" };
const asRoute: Fit = {
  ...{ what: "a TCP route", ...declared },
  fits: ({ protocol }) => protocol === "tcp" || protocol === "tls",
};
const asBackend: Fit = {
  ...{ what: "a backend of a TCP route", ...declared },
  fits: ({ protocol }) => takesConnections(protocol),
};

function crossCheck(document: TcpRouteDocument, around: Neighbourhood): void {
  checkParentsFit(document, { service: asRoute, protocols: protocolsOf.TCPRoute, beside: true }, around);
  checkBackends(document.backends, [], asBackend, around, document);
}

/** Nothing tells connections of one parent apart: only the first of its routes by name is ever used. */
function checkOnlyOne(all: readonly Placed<TcpRouteDocument>[], report: ReportOn): void {
  const every = [""];
  namedOnce(
    all,
    () => every,
    (source, _, before) => {
      const message = `this never gets a connection: TCPRoute ${before} has the same parent and comes first`;
      return report(source, ["name"], message, { code: "HED0113" });
    },
  );
}

const example = `kind: TCPRoute
name: db
service: db
split: {db/primary: 90, db/next: 10}`;

export const tcpRoute = defineKind({
  name: "TCPRoute",
  words: "Where opaque connections to a service, or to a listener of a gateway, go",
  example,
  schema,
  expand,
  check,
  crossCheck,
  crossCheckAll: checkOnlyOne,
});

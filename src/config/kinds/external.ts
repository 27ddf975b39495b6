/** `kind: External`: a service outside of the mesh, called as one of the mesh by a name and by rules. */
import * as v from "valibot";
import type { ExternalDocument } from "../../model/document.ts";
import type { ExternalTls } from "../../model/external.ts";
import { isAddress } from "../../base/cidr.ts";
import { inference, inferenceWords } from "../parts/inference.ts";
import { place, readPlace } from "../parts/place.ts";
import { common, list, object, port, resolveService, said, serviceName } from "../fields.ts";
import { defineKind, type Neighbourhood } from "../kind.ts";
import type { Report } from "../issue_at.ts";
import { expandService } from "./service.ts";

const nameForm = "a host such as api.example";
const hostName = v.pipe(
  v.string(nameForm),
  v.maxLength(253, nameForm),
  v.regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/, nameForm),
);
const pemForm = "certificates in PEM: -----BEGIN CERTIFICATE----- …";
const tls = object({
  serverName: v.optional(
    said(hostName, "Name that its certificate must have (default: the host of the first endpoint)"),
  ),
  ca: v.optional(
    said(
      v.pipe(
        v.string(pemForm),
        v.maxLength(65_536, "at most 65536 characters"),
        v.regex(/-----BEGIN CERTIFICATE-----/, pemForm),
      ),
      "Roots that may have issued it, PEM (default: those that the caller's machine trusts)",
    ),
  ),
});

const schema = object({
  kind: v.literal("External"),
  ...common,
  port: said(port, "Port in the name by which it is called: payments.mesh:80"),
  protocol: said(
    v.picklist(["http", "http2", "grpc", "tcp", "tls"], "http, http2, grpc, tcp or tls"),
    "What callers speak to it; with tls: (below) it gets the same inside of TLS",
  ),
  endpoints: said(
    list(place, 64, 1),
    "Where it is: addresses, or names of DNS, which each machine looks up again by their time to live",
  ),
  host: v.optional(
    said(hostName, "Host that requests ask it for (default: the host of the first endpoint that has a name)"),
  ),
  via: v.optional(
    said(
      serviceName,
      "Gateway whose machines go there: callers reach it by mTLS, and it judges who may call (default: each caller's own machine goes there)",
    ),
  ),
  inference: v.optional(said(inference, inferenceWords)),
  tls: v.optional(said(tls, "TLS 1.3 to it, with its certificate verified (default: none is added)")),
});

type Written = v.InferOutput<typeof schema>;

function nameIn(written: Written): string {
  return written.endpoints.map((each) => readPlace(each)?.host ?? "").find((host) => !isAddress(host)) ?? "";
}

function expand(written: Written): ExternalDocument {
  const { name, namespace, port, protocol, endpoints, inference: model } = written;
  const own = namespace === undefined ? {} : { namespace };
  const models = model === undefined ? {} : { inference: model };
  const service = expandService({ kind: "Service", name, ...own, port, protocol, ...models });
  return {
    ...service,
    kind: "External",
    external: {
      endpoints: endpoints.flatMap((each) => readPlace(each) ?? []),
      host: written.host ?? nameIn(written),
      ...(written.via === undefined ? {} : { via: resolveService(written.via, service.namespace) }),
      ...(written.tls === undefined ? {} : { tls: expandTls(written.tls, nameIn(written)) }),
    },
  };
}

function expandTls({ serverName, ca }: NonNullable<Written["tls"]>, name: string): ExternalTls {
  return { serverName: serverName ?? name, ...(ca === undefined ? {} : { caPem: ca }) };
}

function check(written: Written, report: Report): void {
  const { protocol } = written;
  if (written.inference !== undefined && (protocol === "tcp" || protocol === "tls"))
    report(["inference"], `prompts are requests: declare protocol http, not ${protocol}`, { key: true });
  if (written.tls === undefined) return;
  if (written.protocol === "tls")
    report(
      ["tls"],
      "what callers speak is TLS already: protocol tcp would put it into TLS, or leave tls out",
      { key: true },
    );
  if (written.tls.serverName === undefined && nameIn(written) === "")
    report(["tls"], "no endpoint has a name that its certificate could have: say serverName");
}

function crossCheck({ external }: ExternalDocument, { set, report }: Neighbourhood): void {
  if (external.via !== undefined)
    set.findGateway(external.via, null, (_, message) => report(["via"], message, { code: "HED0102" }));
}

const example = `kind: External
name: payments
port: 80
protocol: http
endpoints: ["api.payments.example:443"]
tls: {}`;

export const external = defineKind({
  name: "External",
  words:
    "A service outside of the mesh, called as one of the mesh: by a name, by routes, and by rules about who may",
  example,
  schema,
  expand,
  check,
  crossCheck,
});

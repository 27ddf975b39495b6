/** `kind: Gateway`: where callers from outside of the mesh come in, on the machines that run it. */
import * as v from "valibot";
import type { GatewayDocument } from "../../model/document.ts";
import type { GatewayListener } from "../../model/gateway.ts";
import { limits } from "../../model/limits.ts";
import { defaultNamespace, serviceKey, takesConnections } from "../../model/service.ts";
import { common, list, name, object, port, resolveService, said, serviceName } from "../fields.ts";
import type { Fit } from "../document_set.ts";
import type { Report } from "../issue_at.ts";
import { defineKind, type Neighbourhood } from "../kind.ts";
import { isPath, pathForm } from "../parts/paths.ts";
import type { Path } from "../yaml_file.ts";

const addressForm = "an IP address such as 0.0.0.0 or ::";
const address = v.pipe(
  v.string(addressForm),
  v.regex(/^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:.]*:[0-9a-f:.]*)$/, addressForm),
);
const fileForm = "an absolute path of a file";
const file = v.pipe(v.string(fileForm), v.regex(/^\/[^\0]{1,1023}$/, fileForm));
const connectionsForm = `a whole number from 1 to ${limits.gatewayConnectionsMax}`;
const certificate = object({
  certificate: said(file, "PEM file with the certificate and those that it was issued by, the leaf first"),
  key: said(file, "PEM file with its private key, which the proxy can read"),
});
const listener = object({
  name: said(name, "Its name, unique in the gateway"),
  port: said(port, "Port that it listens on"),
  address: v.optional(
    said(address, "Address of the machine that it listens on (default: 0.0.0.0, all of IPv4)"),
  ),
  protocol: said(
    v.picklist(["http", "https", "tls", "tcp"], "http, https, tls or tcp"),
    "https is opened here, and routed by requests as http is; tls stays closed, and is routed by server name (TLSRoute); tcp leads to one service",
  ),
  certificates: v.optional(
    said(
      list(certificate, 64, 1),
      "Of https: the one that has the name that a client asks for, else the first; read again when the files change",
    ),
  ),
  redirect: v.optional(
    said(v.literal("https", "https"), "Of http: all requests are sent to the https listener of this gateway"),
  ),
  service: v.optional(said(serviceName, "Of tcp: the service that its connections go to")),
  ready: v.optional(
    said(
      v.pipe(v.string(pathForm), v.check(isPath, pathForm)),
      "Path that a load balancer asks whether this machine takes requests: 200, or 503 while it ends (default: none)",
    ),
  ),
  connections: v.optional(
    said(
      v.pipe(
        v.number(connectionsForm),
        v.integer(connectionsForm),
        v.minValue(1, connectionsForm),
        v.maxValue(limits.gatewayConnectionsMax, connectionsForm),
      ),
      `Connections open at a time on one machine; further ones are reset (default: ${limits.gatewayConnections})`,
    ),
  ),
});

const schema = object({
  kind: v.literal("Gateway"),
  ...common,
  listeners: said(
    list(listener, 32, 1),
    "Where it listens, on each machine whose Machine document names it (gateways)",
  ),
});

type Written = v.InferOutput<typeof schema>;

function expand(written: Written): GatewayDocument {
  const namespace = written.namespace ?? defaultNamespace;
  const https = written.listeners.find(({ protocol }) => protocol === "https");
  return {
    kind: "Gateway",
    name: written.name,
    namespace,
    listeners: written.listeners.map((each): GatewayListener => {
      const { name, port, address = "0.0.0.0", protocol, certificates = [], redirect, service, ready } = each;
      return {
        ...{ name, address, port, protocol, certificates },
        connectionsMax: each.connections ?? limits.gatewayConnections,
        ...(redirect === undefined ? {} : { redirectPort: https?.port ?? 443 }),
        ...(service === undefined ? {} : { service: resolveService(service, namespace) }),
        ...(ready === undefined ? {} : { ready }),
      };
    }),
  };
}

/** Fields that one protocol has, and whether it needs them. */
const own = { certificates: "https", redirect: "http", service: "tcp" } as const;

function check({ listeners }: Written, report: Report): void {
  const names = new Set<string>();
  const places = new Map<string, string>();
  listeners.forEach((each, at) => {
    const path: Path = ["listeners", at];
    const { name, address = "0.0.0.0", port, protocol } = each;
    if (names.has(name)) report([...path, "name"], `"${name}" names two listeners of this gateway`);
    names.add(name);
    const place = `${address} ${port}`;
    const before = places.get(place);
    if (before !== undefined)
      report([...path, "port"], `port ${port} is the one of the listener ${before} already`);
    places.set(place, name);
    for (const field of Object.keys(own) as (keyof typeof own)[])
      if (each[field] !== undefined && protocol !== own[field])
        report([...path, field], `this is for protocol ${own[field]}, not ${protocol}`, { key: true });
    if (protocol === "https" && each.certificates === undefined)
      report([...path, "protocol"], "https needs certificates: [{certificate: FILE, key: FILE}]");
    if (protocol === "tcp" && each.service === undefined)
      report([...path, "protocol"], "tcp needs the service that its connections go to: service");
    if (each.ready !== undefined && protocol !== "http" && protocol !== "https")
      report([...path, "ready"], `this is for protocol http and https, not ${protocol}`, { key: true });
    if (each.redirect !== undefined && !listeners.some((other) => other.protocol === "https"))
      report([...path, "redirect"], "this gateway has no listener with protocol: https");
  });
}

const asTarget: Fit = {
  what: "a listener with protocol tcp",
  needs: "protocol tcp or tls",
  fits: ({ protocol }) => takesConnections(protocol),
};

function crossCheck(document: GatewayDocument, { set, report }: Neighbourhood): void {
  if (set.options.services.has(serviceKey(document)))
    report(
      ["name"],
      `the Service ${serviceKey(document)} has this name: a gateway has an identity of its own`,
    );
  document.listeners.forEach(({ service }, at) => {
    if (service !== undefined) set.findFit(service, asTarget, { path: ["listeners", at, "service"] }, report);
  });
}

const example = `kind: Gateway
name: edge
listeners:
  - {name: web, port: 80, protocol: http, redirect: https}
  - name: secure
    port: 443
    protocol: https
    certificates: [{certificate: /etc/heddle/tls/shop.pem, key: /etc/heddle/tls/shop.key}]
    ready: /-/ready`;

export const gateway = defineKind({
  name: "Gateway",
  words: "Where callers from outside of the mesh come in, on the machines that run it",
  example,
  schema,
  expand,
  check,
  crossCheck,
});

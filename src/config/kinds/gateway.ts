/** `kind: Gateway`: where callers from outside of the mesh come in, on the machines that run it. */
import * as v from "valibot";
import type { GatewayDocument } from "../../model/document.ts";
import type { WrittenListener } from "../../model/gateway_routes.ts";
import { limits } from "../../model/limits.ts";
import { defaultNamespace, serviceKey, takesConnections } from "../../model/service.ts";
import { common, list, name, object, port, resolveService, said, serviceName } from "../fields.ts";
import type { Fit } from "../document_set.ts";
import type { Report } from "../issue_at.ts";
import { hostname } from "../parts/hostname.ts";
import { defineKind, type Neighbourhood } from "../kind.ts";
import {
  checkPassthrough,
  expandPassthrough,
  hostnameOf,
  meshPassthrough,
} from "../parts/mesh_passthrough.ts";
import { isPath, pathForm } from "../parts/paths.ts";
import type { Path } from "../yaml_file.ts";

const addressForm = "an IP address such as 0.0.0.0 or ::";
const address = v.pipe(
  v.string(addressForm),
  v.regex(/^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f:.]*:[0-9a-f:.]*)$/, addressForm),
);
const fileForm = "an absolute path of a file";
const file = v.pipe(v.string(fileForm), v.regex(/^\/[^\0]{1,1023}$/, fileForm));
const minVersionForm = "1.2 or 1.3";
const minVersion = v.pipe(
  v.union([v.number(), v.string()], minVersionForm),
  v.transform(String),
  v.picklist(["1.2", "1.3"], minVersionForm),
);
const connectionsForm = `a whole number from 1 to ${limits.gatewayConnectionsMax}`;
const certificate = object({
  certificate: said(file, "PEM file with the certificate and those that it was issued by, the leaf first"),
  key: said(file, "PEM file with its private key, which the proxy can read"),
});
const listener = object({
  name: said(name, "Its name, unique in the gateway"),
  port: said(port, "Port that it listens on"),
  namespaces: v.optional(
    said(
      v.lazy((input) =>
        Array.isArray(input)
          ? list(name, 64)
          : v.picklist(["same", "all"], "same, all or a list of namespaces"),
      ),
      "Whose routes it takes: same, those of the gateway's namespace; all; or a list of namespaces (default: same)",
    ),
  ),
  address: v.optional(
    said(address, "Address of the machine that it listens on (default: 0.0.0.0, all of IPv4)"),
  ),
  protocol: said(
    v.picklist(["http", "https", "tls", "tcp"], "http, https, tls or tcp"),
    "https is opened here, and routed by requests as http is; tls stays closed, and is routed by server name (TLSRoute); tcp leads to one service",
  ),
  hostname: v.optional(
    said(
      hostname,
      "Of http, https and tls: the host that it is for, exact, or *.example for all below it (default: any); listeners of one port are told apart by it",
    ),
  ),
  minVersion: v.optional(
    said(minVersion, "Of https: the oldest version of TLS that clients may speak, 1.2 or 1.3 (default: 1.3)"),
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
  service: v.optional(
    said(serviceName, "Of tcp: the service that its connections go to (default: as a TCPRoute says)"),
  ),
  ...meshPassthrough,
  ready: v.optional(
    said(
      v.pipe(v.string(pathForm), v.check(isPath, pathForm)),
      "Path that a load balancer asks whether this machine takes requests: 200, or 503 while it ends (default: none)",
    ),
  ),
  proxyProtocol: v.optional(
    said(
      v.boolean("true or false"),
      "Each connection begins with a PROXY header, version 1 or 2, by which a load balancer says whose it is: whoever reaches the port is believed (default: false)",
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
  listeners: v.optional(
    said(
      list(listener, 32),
      "Where it listens, on each machine whose Machine document names it (gateways) (default: nowhere; External documents leave by it)",
    ),
    [],
  ),
});

type Written = v.InferOutput<typeof schema>;

function expand(written: Written): GatewayDocument {
  const namespace = written.namespace ?? defaultNamespace;
  const https = written.listeners.filter(({ protocol }) => protocol === "https");
  return {
    kind: "Gateway",
    name: written.name,
    namespace,
    listeners: written.listeners.map((each): WrittenListener => {
      const { name, port, address = "0.0.0.0", protocol, certificates = [], redirect, service, ready } = each;
      const secure = https.find(({ hostname }) => hostname === each.hostname) ?? https[0];
      const { namespaces = "same" } = each;
      return {
        ...{ name, address, port, protocol, certificates },
        ...(namespaces === "same" ? {} : { namespaces }),
        ...hostOf(each),
        ...expandPassthrough(each),
        ...(each.minVersion === "1.2" ? { minVersion: each.minVersion } : {}),
        connectionsMax: each.connections ?? limits.gatewayConnections,
        ...(redirect === undefined ? {} : { redirectPort: secure?.port ?? 443 }),
        ...(service === undefined ? {} : { service: resolveService(service, namespace) }),
        ...(ready === undefined ? {} : { ready }),
        ...(each.proxyProtocol === true ? { proxyProtocol: true } : {}),
      };
    }),
  };
}

function hostOf(each: Written["listeners"][number]): Pick<WrittenListener, "hostname"> {
  const hostname = hostnameOf(each);
  return hostname === undefined ? {} : { hostname };
}

/** Fields that one protocol has, and whether it needs them. */
const own = { certificates: "https", minVersion: "https", redirect: "http", service: "tcp" } as const;

/** Those that share a port are told apart by the host that is asked for, which TLS and HTTP say in their own places. */
const sharing = { http: "http", https: "TLS", tls: "TLS", tcp: null } as const;

/** Why a listener cannot have the port of one that came before; null: it can. */
function clash(one: Written["listeners"][number], other: Written["listeners"][number]): string | null {
  const whose = `port ${one.port} is the one of the listener ${other.name} already`;
  const [mine, theirs] = [sharing[one.protocol], sharing[other.protocol]];
  if (mine === null || mine !== theirs) return whose;
  if ((one.proxyProtocol ?? false) !== (other.proxyProtocol ?? false))
    return `${whose}, and only one of them has proxyProtocol`;
  const hostname = hostnameOf(one);
  if (hostname !== hostnameOf(other)) return null;
  return hostname === undefined
    ? `${whose}; give each a hostname of its own`
    : `${whose}, for ${hostname} too`;
}

function check({ listeners }: Written, report: Report): void {
  const names = new Set<string>();
  const places = new Map<string, Written["listeners"][number][]>();
  listeners.forEach((each, at) => {
    const path: Path = ["listeners", at];
    const { name, address = "0.0.0.0", port, protocol } = each;
    if (names.has(name)) report([...path, "name"], `"${name}" names two listeners of this gateway`);
    names.add(name);
    const place = `${address} ${port}`;
    const before = places.get(place) ?? [];
    const clashes = before.map((other) => clash(each, other)).filter((why) => why !== null);
    if (clashes[0] !== undefined) report([...path, "port"], clashes[0]);
    places.set(place, [...before, each]);
    if (each.hostname !== undefined && protocol === "tcp")
      report([...path, "hostname"], "connections of tcp say no host", { key: true });
    for (const field of Object.keys(own) as (keyof typeof own)[])
      if (each[field] !== undefined && protocol !== own[field])
        report([...path, field], `this is for protocol ${own[field]}, not ${protocol}`, { key: true });
    checkPassthrough(each, path, report);
    if (protocol === "https" && each.certificates === undefined)
      report([...path, "protocol"], "https needs certificates: [{certificate: FILE, key: FILE}]");
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

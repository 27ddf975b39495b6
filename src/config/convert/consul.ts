/**
 * Config entries of Consul (developer.hashicorp.com/consul/docs/reference/config-entry): as `consul config read` prints them (JSON), in HCL, or
 * as custom resources. A request goes by the router of its service, then by splitters, then by resolvers; all of that is one route here.
 */
import { serviceKey } from "../../model/service.ts";
import type { Dialect } from "./dialect.ts";
import { readIntentions } from "./consul_access.ts";
import { ConsulChains } from "./consul_chains.ts";
import { entryOf, type ConsulEntry } from "./consul_entry.ts";
import { readResolver, readServiceDefaults } from "./consul_traffic.ts";

const without: Readonly<Record<string, string>> = {
  ingressgateway: "a listener with its certificate is written as kind: Gateway here, with paths of files",
  apigateway: "a listener with its certificate is written as kind: Gateway here, with paths of files",
  terminatinggateway: "what lies outside of the mesh is not declared by documents of this kind here",
  exportedservices: "there is one mesh: every service of it can be called where access rules let it",
  samenessgroup: "there are no partitions and peers here",
  jwtprovider: "tokens of end users are not looked at here",
  mesh: "what holds for all services is said by kind: Mesh here, field by field",
  httproute: "it is for a gateway of Consul",
  tcproute: "it is for a gateway of Consul",
  inlinecertificate: "certificates are files of the machine here",
  controlplanerequestlimit: "the control plane has limits of its own",
};

export const readConsul: Dialect = (origins, target, { trustDomain }) => {
  const entries = origins.map(entryOf).filter((each) => each !== null);
  const of = (kind: string): readonly ConsulEntry[] => entries.filter((each) => each.kind === kind);
  let everywhere = "tcp";
  for (const { fields } of of("proxydefaults")) {
    const config = fields.inner("Config");
    everywhere = config.text("protocol") ?? everywhere;
    for (const name of ["MeshGateway", "Expose", "AccessLogs", "TransparentProxy", "Mode", "EnvoyExtensions"])
      fields.loss(name, "it configures another proxy, or is said by kind: Mesh here");
  }
  for (const entry of of("servicedefaults")) readServiceDefaults(entry, target);
  for (const { name, origin } of ["servicerouter", "servicesplitter"].flatMap(of)) {
    const draft = target.service(name, origin);
    draft.protocol ??= everywhere === "tcp" ? "http" : everywhere;
  }
  for (const entry of of("serviceresolver")) {
    const draft = target.service(entry.name, entry.origin);
    const asksForRequests = ["DefaultSubset", "Redirect", "LoadBalancer"].some((field) =>
      entry.fields.has(field),
    );
    if (draft.protocol === null && everywhere === "tcp" && asksForRequests) {
      entry.origin.note(
        [],
        `no document says what ${entry.name.name} speaks: taken as http, which this needs here`,
      );
      draft.protocol = "http";
    }
    readResolver(entry, target);
  }
  new ConsulChains(of("servicerouter"), of("servicesplitter"), of("serviceresolver"), target).read();
  for (const entry of of("serviceintentions")) readIntentions(entry, target, trustDomain);
  for (const name of target.services) {
    const [entry] = entries.filter((each) => serviceKey(each.name) === serviceKey(name));
    if (entry !== undefined) target.service(name, entry.origin).protocol ??= everywhere;
  }
  const known = [
    ...["proxydefaults", "servicedefaults", "servicerouter", "servicesplitter", "serviceresolver"],
    "serviceintentions",
  ];
  for (const { origin, kind, kindField } of entries)
    if (!known.includes(kind))
      origin.refuse([kindField], without[kind] ?? "it is no config entry that is known here");
};

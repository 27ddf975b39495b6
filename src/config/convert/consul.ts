/**
 * Config entries of Consul (developer.hashicorp.com/consul/docs/reference/config-entry): as `consul config read` prints them (JSON), in HCL, or
 * as custom resources. A request goes by the router of its service, then by splitters, then by resolvers; all of that is one route here.
 */
import { serviceKey } from "../../model/service.ts";
import type { Dialect } from "./dialect.ts";
import { readIntentions } from "./consul_access.ts";
import { ConsulChains } from "./consul_chains.ts";
import { entryOf, type ConsulEntry } from "./consul_entry.ts";
import { gatewayEntries, readConsulGateways } from "./consul_gateways.ts";
import { outsideOf } from "./consul_terminating.ts";
import { readResolver, readServiceDefaults } from "./consul_traffic.ts";

const without: Readonly<Record<string, string>> = {
  exportedservices: "there is one mesh: every service of it can be called where access rules let it",
  samenessgroup: "there are no partitions and peers here",
  jwtprovider: "tokens of end users are not looked at here",
  mesh: "what holds for all services is said by kind: Mesh here, field by field",
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
  const outside = outsideOf(of("terminatinggateway"));
  for (const entry of of("servicedefaults")) readServiceDefaults(entry, target, outside);
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
  const chains = new ConsulChains(of("servicerouter"), of("servicesplitter"), of("serviceresolver"), target);
  chains.read();
  readConsulGateways(of, { target, chains });
  for (const entry of of("serviceintentions")) readIntentions(entry, target, trustDomain);
  for (const name of target.services) {
    const [entry] = entries.filter(
      (each) => each.kind.startsWith("service") && serviceKey(each.name) === serviceKey(name),
    );
    if (entry !== undefined) target.service(name, entry.origin).protocol ??= everywhere;
  }
  const known = [
    ...["proxydefaults", "servicedefaults", "servicerouter", "servicesplitter", "serviceresolver"],
    ...["serviceintentions", "terminatinggateway", ...gatewayEntries],
  ];
  for (const { origin, kind, kindField } of entries)
    if (!known.includes(kind))
      origin.refuse([kindField], without[kind] ?? "it is no config entry that is known here");
};

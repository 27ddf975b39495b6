/** `terminating-gateway`: the services outside of the mesh that it passes calls on to, and the TLS of the way there. */
import { serviceKey } from "../../model/service.ts";
import { nameOf, type AnyCase, type ConsulEntry } from "./consul_entry.ts";
import type { Written } from "./target.ts";

/** By service, what an External says of TLS; {} where the way is clear. */
export function outsideOf(gateways: readonly ConsulEntry[]): ReadonlyMap<string, Written> {
  const all = new Map<string, Written>();
  for (const { origin, name: gateway, fields } of gateways) {
    origin.loss(
      [],
      "each caller's own proxy goes to what lies outside: what a firewall lets out are these machines, and not the gateway's",
    );
    for (const service of fields.list("Services")) {
      const name = nameOf(service.text("Name") ?? "", service.text("Namespace") ?? gateway.namespace);
      if (name.name === "*") service.refuse("Name", "kind: External is for one service each: name them");
      service.ignore("DisableAutoHostRewrite");
      all.set(serviceKey(name), tlsOf(service));
    }
  }
  return all;
}

function tlsOf(service: AnyCase): Written {
  if ((service.text("CAFile") ?? "") !== "")
    service.refuse(
      "CAFile",
      "kind: External has the roots themselves: write tls: {ca: PEM}, with what is in this file",
    );
  for (const field of ["CertFile", "KeyFile"])
    if ((service.text(field) ?? "") !== "")
      service.refuse(field, "no certificate of a client is shown to what lies outside of the mesh");
  service.loss(
    "SNI",
    "Consul speaks TLS to what lies outside only with CAFile: the way is clear there, and here; where it is to be TLS, write tls: {} in the External",
  );
  return {};
}

/** `Dataplane`: what runs on a machine, as the Machine document of it. */
import { kinds } from "../kinds.ts";
import { protocolOf } from "./kubernetes.ts";
import { serviceKey } from "../../model/service.ts";
import type { KumaGateways } from "./kuma_gateway.ts";
import type { KumaDocument } from "./kuma_document.ts";
import { serviceNamed } from "./kuma_reference.ts";
import type { Fields } from "./origin.ts";
import { durationText, saying, type Written } from "./target.ts";

export function readDataplane({ origin, name, root, target }: KumaDocument, gateways: KumaGateways): void {
  root.loss("probes", "instances are probed where they run; Kuma 3.0 drops it itself");
  root.loss("metrics", "each proxy has its metrics on loopback");
  const networking = root.inner("networking");
  const gateway = gatewayOf(networking, gateways);
  networking.loss("transparentProxying", "units are intercepted by heddle attach --intercept");
  networking.ignore("admin");
  networking.loss("advertisedAddress", "write it as the address, where other machines reach that");
  const upstreams = networking.list("outbound").map((each) => upstreamOf(each));
  const inbounds = networking.list("inbound");
  if (inbounds.length === 0 && gateway === undefined)
    origin.note([], "nothing runs there: a machine that only calls");
  const services = inbounds.map((inbound, at) => {
    const tags = inbound.texts("tags");
    const service = serviceNamed(tags["kuma.io/service"] ?? inbound.text("name") ?? name);
    const draft = target.service(service, origin);
    const outside = inbound.number("port");
    const port = inbound.number("servicePort") ?? outside;
    draft.port ??= outside ?? null;
    draft.protocol ??= protocolOf(tags["kuma.io/protocol"] ?? "tcp", 0);
    inbound.ignore("address", "name");
    inbound.loss("state", "an instance is ready when its app answers its probe");
    const { "kuma.io/service": _, "kuma.io/protocol": __, ...labels } = tags;
    return saying({
      service: service.name,
      host: inbound.text("serviceAddress"),
      port,
      labels: Object.keys(labels).length === 0 ? undefined : labels,
      health: probeOf(inbound),
      // The first acts as the machine's caller: each of Kuma's outbounds is for all of it.
      upstreams: at > 0 || upstreams.length === 0 ? undefined : upstreams,
    });
  });
  if (inbounds.length > 1 && upstreams.length > 0)
    origin.loss(
      ["networking", "outbound"],
      "explicit ports belong to one service here: they are written for the first",
    );
  for (const each of upstreams) target.service(serviceNamed(String(each["service"])), origin);
  const address = networking.text("address");
  target.add(
    kinds.Machine.name,
    { name, namespace: "default" },
    { ...saying({ address, gateways: gateway }), ...(services.length === 0 && gateway ? {} : { services }) },
    origin,
  );
}

/** The gateways that run there; undefined: none. */
function gatewayOf(networking: Fields, { byService }: KumaGateways): readonly string[] | undefined {
  if (!networking.has("gateway")) return undefined;
  const gateway = networking.inner("gateway");
  if (gateway.text("type") !== "BUILTIN")
    gateway.refuse("type", "a proxy of another kind is a service that calls others: declare it as one");
  const { "kuma.io/service": service = "", ...others } = gateway.texts("tags");
  if (Object.keys(others).length > 0)
    gateway.loss("tags", "a gateway is the same on each of its machines: tags of one are left out");
  const found = byService.get(serviceKey(serviceNamed(service)));
  if (found === undefined)
    gateway.refuse("tags", `no MeshGateway of these documents is for kuma.io/service: ${service}`);
  return found === undefined ? undefined : [found.name];
}

function probeOf(inbound: Fields): Written | undefined {
  if (!inbound.has("serviceProbe")) return undefined;
  const probe = inbound.inner("serviceProbe");
  probe.inner("tcp");
  for (const field of ["timeout", "healthyThreshold", "unhealthyThreshold"])
    probe.loss(field, "a probe counts as it is answered here");
  const every = probe.duration("interval");
  return every === undefined ? undefined : { every: durationText(Math.max(100, every)) };
}

function upstreamOf(outbound: Fields): Written {
  const tags = outbound.texts("tags");
  const reference = outbound.inner("backendRef");
  reference.ignore("kind", "port", "labels");
  const service = tags["kuma.io/service"] ?? reference.text("name") ?? "unnamed";
  const address = outbound.text("address") ?? "127.0.0.1";
  const bind = `${address}:${outbound.number("port") ?? 0}`;
  return { service: serviceNamed(service).name, bind };
}

/** `targetRef` of Kuma: whom a policy is about, or whom its calls go to. */
import { defaultNamespace, type ServiceName } from "../../model/service.ts";
import type { Fields } from "./origin.ts";
import { labelOf } from "./target.ts";

/** null: every service of the mesh; undefined: it was refused. */
export function referenceOf(fields: Fields): ServiceName | null | undefined {
  const kind = fields.text("kind") ?? "Mesh";
  fields.loss("sectionName", "a service has one port here");
  fields.ignore("namespace", "mesh");
  fields.loss("proxyTypes", "it holds for proxies of machines");
  const name = fields.text("name");
  const tags = fields.texts("tags");
  const labels = fields.texts("labels");
  const service = name ?? tags["kuma.io/service"] ?? labels["kuma.io/display-name"] ?? labels["app"];
  const more = Object.keys({ ...tags, ...labels }).filter(
    (each) => !["kuma.io/service", "kuma.io/display-name", "app"].includes(each),
  );
  if (more.length > 0) {
    fields.refuse(
      Object.keys(tags).length > 0 ? "tags" : "labels",
      `documents here are for whole services, not for those with ${more.join(", ")}`,
    );
    return undefined;
  }
  if (service !== undefined) return serviceNamed(service);
  if (kind === "Mesh" || kind === "Dataplane" || kind === "MeshSubset") return null;
  fields.origin.refuse(fields.path, `${kind} without a name is about no service`);
  return undefined;
}

/** `backend_default_svc_80` of Kubernetes too. */
export function serviceNamed(text: string): ServiceName {
  const cluster = /^([a-z0-9-]+)_([a-z0-9-]+)_svc(?:_\d+)?$/.exec(text);
  return cluster === null
    ? { name: labelOf(text), namespace: defaultNamespace }
    : { name: cluster[1] ?? "", namespace: cluster[2] ?? "" };
}

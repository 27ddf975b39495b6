/**
 * `Gateway` of the Gateway API, read as the Gateway that says the same here. A Secret that it names is a folder of the machines that run
 * it, `/etc/heddle/tls/NAMESPACE/NAME` with `tls.crt` and `tls.key`, as it is when a Secret is mounted.
 */
import { kinds } from "../kinds.ts";
import type { Issue } from "../issue.ts";
import type { Path, YamlDocument } from "../yaml_file.ts";
import { FlatDocument } from "./flat_document.ts";
import { fieldsOf, listOf, refuseOthers, type Fields } from "./gateway_fields.ts";

const protocols: Readonly<Record<string, string>> = { HTTP: "http", HTTPS: "https", TLS: "tls", TCP: "tcp" };
const requestKinds = [kinds.HTTPRoute.name, "GRPCRoute"];
const kindsOf: Readonly<Record<string, readonly string[]>> = {
  HTTP: requestKinds,
  HTTPS: requestKinds,
  TLS: [kinds.TLSRoute.name],
  TCP: [kinds.TCPRoute.name],
};
const secretFolder = "/etc/heddle/tls";
/** Every namespace has this label with its name in Kubernetes; others there are none here. */
const nameLabel = "kubernetes.io/metadata.name";

/** null: it was told why it cannot be read. */
export function readGateway(source: YamlDocument, issues: Issue[]): YamlDocument | null {
  const before = issues.filter(({ severity }) => severity === "error").length;
  const flat = new FlatDocument(source, issues);
  const value = source.value as Fields;
  refuseOthers(flat, value, [], ["apiVersion", "kind", "metadata", "spec", "status"]);
  flat.put(["kind"], ["kind"], kinds.Gateway.name);
  const metadata = fieldsOf(flat, value["metadata"], ["metadata"]);
  flat.put(["name"], ["metadata", "name"], metadata["name"]);
  flat.put(["namespace"], ["metadata", "namespace"], metadata["namespace"]);
  const spec = fieldsOf(flat, value["spec"], ["spec"]);
  refuseOthers(flat, spec, ["spec"], [...silent, "gatewayClassName", "listeners"]);
  for (const field of silent)
    if (spec[field] !== undefined)
      flat.unused(
        ["spec", field],
        "this says nothing here: a gateway runs on the machines whose Machine document names it (gateways)",
      );
  if (spec["listeners"] === undefined)
    flat.wrong(["spec"], "listeners: this field is missing, expected a list");
  const own = typeof metadata["namespace"] === "string" ? metadata["namespace"] : "default";
  listOf(flat, spec["listeners"], ["spec", "listeners"]).forEach((each, at) =>
    putListener(flat, each, ["spec", "listeners", at], ["listeners", at], own),
  );
  const errors = issues.filter(({ severity }) => severity === "error").length;
  return errors > before ? null : flat.document;
}

const silent = ["addresses", "infrastructure"];

function putListener(flat: FlatDocument, written: unknown, from: Path, to: Path, own: string): void {
  const listener = fieldsOf(flat, written, from);
  refuseOthers(flat, listener, from, ["name", "hostname", "port", "protocol", "tls", "allowedRoutes"]);
  for (const field of ["name", "hostname", "port"])
    flat.put([...to, field], [...from, field], listener[field]);
  const protocol = String(listener["protocol"]);
  if (!Object.hasOwn(protocols, protocol))
    return flat.wrong(
      [...from, "protocol"],
      `expected ${Object.keys(protocols).join(", ")}, not ${protocol}`,
    );
  flat.put([...to, "protocol"], [...from, "protocol"], protocols[protocol]);
  putTls(flat, listener["tls"], [...from, "tls"], { to, own, protocol });
  putAllowed(flat, listener["allowedRoutes"], [...from, "allowedRoutes"], [...to, "namespaces"], protocol);
}

interface TlsPlace {
  readonly to: Path;
  /** Namespace of the gateway. */
  readonly own: string;
  readonly protocol: string;
}

function putTls(flat: FlatDocument, written: unknown, from: Path, { to, own, protocol }: TlsPlace): void {
  if (written === undefined && protocol !== "TLS") return;
  const tls = fieldsOf(flat, written, from);
  refuseOthers(flat, tls, from, ["mode", "certificateRefs", "options"]);
  const { mode = "Terminate" } = tls;
  if (protocol === "TLS" && mode !== "Passthrough")
    return flat.wrong(
      written === undefined ? from.slice(0, -1) : [...from, "mode"],
      "TLS stays closed here: expected mode: Passthrough, or protocol: HTTPS",
    );
  if (protocol !== "TLS" && mode !== "Terminate")
    return flat.wrong([...from, "mode"], `${protocol} is not passed on unopened: expected protocol: TLS`);
  if (tls["options"] !== undefined) flat.unused([...from, "options"], "this says nothing here");
  listOf(flat, tls["certificateRefs"], [...from, "certificateRefs"]).forEach((each, at) => {
    const path = [...from, "certificateRefs", at];
    const reference = fieldsOf(flat, each, path);
    refuseOthers(flat, reference, path, ["group", "kind", "name", "namespace"]);
    const { group = "", kind = "Secret", name, namespace = own } = reference;
    if (
      group !== "" ||
      kind !== "Secret" ||
      typeof name !== "string" ||
      !/^[a-z0-9][a-z0-9.-]{0,252}$/.test(name)
    )
      return flat.wrong(path, "expected a certificate of kind Secret with a name");
    if (namespace !== own)
      return flat.wrong(
        path,
        `expected a Secret of the gateway's own namespace, ${own}: none of another is read`,
      );
    const folder = `${secretFolder}/${own}/${name}`;
    const files = { certificate: `${folder}/tls.crt`, key: `${folder}/tls.key` };
    flat.put([...to, "certificates", at], path, files);
  });
}

function putAllowed(flat: FlatDocument, written: unknown, from: Path, to: Path, protocol: string): void {
  const allowed = fieldsOf(flat, written, from);
  refuseOthers(flat, allowed, from, ["namespaces", "kinds"]);
  if (!takesKinds(flat, allowed["kinds"], [...from, "kinds"], protocol)) return flat.put(to, from, []);
  const path = [...from, "namespaces"];
  const namespaces = fieldsOf(flat, allowed["namespaces"], path);
  refuseOthers(flat, namespaces, path, ["from", "selector"]);
  const { from: which = "Same" } = namespaces;
  if (which === "Same") return;
  if (which === "All") return flat.put(to, path, "all");
  if (which === "None") return flat.put(to, path, []);
  if (which !== "Selector") return flat.wrong([...path, "from"], "expected All, Same, None or Selector");
  const selector = fieldsOf(flat, namespaces["selector"], [...path, "selector"]);
  const names = selectedNames(selector);
  if (names === null)
    flat.unused(
      [...path, "selector"],
      `namespaces have no labels here but ${nameLabel}: the listener takes no route`,
    );
  flat.put(to, path, names ?? []);
}

/** Whether the listener takes routes at all. Requests are of one kind here, whichever of both was written. */
function takesKinds(flat: FlatDocument, written: unknown, path: Path, protocol: string): boolean {
  const all = kindsOf[protocol] ?? [];
  const wanted = listOf(flat, written, path).map((each, at) => fieldsOf(flat, each, [...path, at])["kind"]);
  if (wanted.length === 0) return true;
  const known = all.filter((kind) => wanted.includes(kind));
  const other = wanted.filter((kind) => !all.includes(String(kind)));
  if (other.length > 0)
    flat.unused(
      path,
      `a listener of ${protocol} takes ${all.join(", ")}, not ${other.map(String).join(", ")}`,
    );
  else if (known.length < all.length)
    flat.unused(path, `${all.join(" and ")} are one kind here: a listener takes both`);
  return known.length > 0;
}

/** null: it goes by something that namespaces do not have here. */
function selectedNames({ matchLabels, matchExpressions, ...more }: Fields): readonly string[] | null {
  const labels = Object.entries((matchLabels ?? {}) as Fields);
  const expressions = (matchExpressions ?? []) as readonly Fields[];
  if (!Array.isArray(expressions)) return null;
  if (Object.keys(more).length > 0 || labels.length + expressions.length !== 1) return null;
  const [label] = labels;
  if (label !== undefined) return label[0] === nameLabel && typeof label[1] === "string" ? [label[1]] : null;
  const { key, operator, values } = expressions[0] ?? {};
  const fits = key === nameLabel && operator === "In" && Array.isArray(values);
  return fits && values.every((each) => typeof each === "string") ? (values as string[]) : null;
}

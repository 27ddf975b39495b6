/** `Gateway` of Istio: its servers as listeners, one for each of their hosts. */
import { serviceKey } from "../../model/service.ts";
import type { GatewayDrafts } from "./gateway_drafts.ts";
import { secretFiles } from "./gateway_drafts.ts";
import { metadataOf } from "./kubernetes.ts";
import type { Fields, Origin } from "./origin.ts";
import { labelOf, saying, type Written } from "./target.ts";

export function readIstioGateway(origin: Origin, gateways: GatewayDrafts): void {
  const root = origin.root();
  const { name, namespace, annotations } = metadataOf(root);
  annotations.ignore(...annotations.names);
  const spec = root.inner("spec");
  // Which machines run it is said by those.
  spec.ignore("selector");
  if (gateways.has({ name, namespace }))
    return origin.refuse([], `another document declares the Gateway ${serviceKey({ name, namespace })}`);
  const names = new Set<string>();
  const listeners = spec
    .list("servers")
    .flatMap((server) => listenersOf(server, namespace))
    .map((listener) => {
      const base = String(listener["name"]);
      let own = base;
      for (let at = 2; names.has(own); at++) own = `${base.slice(0, 58)}-${at}`;
      names.add(own);
      return { ...listener, name: own };
    });
  gateways.declare({ name: labelOf(name), namespace }, listeners, origin);
}

function listenersOf(server: Fields, namespace: string): Written[] {
  const port = server.inner("port");
  const number = port.number("number");
  port.ignore("targetPort");
  server.refuse("defaultEndpoint", "connections of a listener go to services");
  const said = port.text("protocol") ?? "";
  const protocol = protocolOf(server, said.toUpperCase());
  if (protocol === null) return [];
  const tls = server.inner("tls");
  const isOpened = protocol === "https";
  if (protocol === "tls") tls.ignore("mode");
  const bind = server.text("bind");
  const common = (): Written | undefined =>
    saying({
      port: number,
      protocol,
      address: bind,
      certificates: isOpened ? [certificateOf(tls, namespace)] : undefined,
      minVersion: isOpened ? minVersionOf(tls) : undefined,
      redirect: protocol === "http" && tls.flag("httpsRedirect") === true ? "https" : undefined,
    });
  const name = labelOf(server.text("name") ?? port.text("name") ?? `port-${number}`);
  port.ignore("name");
  const hosts = server.words("hosts");
  if (protocol === "tcp") return [{ name, ...common(), namespaces: "all" }];
  return hosts.map((host) => ({ name, ...common(), ...hostOf(host, namespace) }));
}

/** null, and refused: none is like it. */
function protocolOf(server: Fields, said: string): "http" | "https" | "tls" | "tcp" | null {
  const tls = server.inner("tls");
  const mode = tls.text("mode") ?? "SIMPLE";
  if (["HTTP", "HTTP2", "GRPC", "GRPC-WEB"].includes(said)) return "http";
  if (["TCP", "MONGO", "MYSQL", "REDIS"].includes(said) && !server.has("tls")) return "tcp";
  if (["HTTPS", "TLS"].includes(said) && mode === "PASSTHROUGH") return "tls";
  if (said === "HTTPS" && mode === "SIMPLE") return "https";
  const why =
    said === "HTTPS"
      ? `clients are asked for no certificate by a listener here: ${mode} would let in more`
      : `TLS that a gateway opens for connections (${mode}) has no listener here: declare HTTPS, or PASSTHROUGH`;
  server.refuse(server.has("tls") ? "tls" : "port", why);
  return null;
}

function certificateOf(tls: Fields, namespace: string): Written {
  const [certificate, key] = [tls.text("serverCertificate"), tls.text("privateKey")];
  for (const field of [
    "caCertificates",
    "caCrl",
    "subjectAltNames",
    "verifyCertificateSpki",
    "verifyCertificateHash",
  ])
    tls.refuse(field, "clients are asked for no certificate by a listener here");
  tls.loss(
    "cipherSuites",
    "the suites of TLS 1.3, and of 1.2 those with forward secrecy, are not chosen one by one",
  );
  tls.loss("maxProtocolVersion", "the newest version that both speak is used");
  for (const field of ["credentialNames", "tlsCertificates"])
    tls.refuse(field, "name one certificate: certificates has several files for one listener");
  const name = tls.text("credentialName");
  if (name === undefined && certificate !== undefined && key !== undefined) return { certificate, key };
  if (name === undefined || !/^[a-z0-9][a-z0-9.-]{0,252}$/.test(name)) {
    tls.origin.refuse(tls.path, "expected credentialName, or serverCertificate and privateKey");
    return {};
  }
  const files = secretFiles(namespace, name);
  tls.note(
    "credentialName",
    `its certificate is read from ${files.certificate}, and its key from ${files.key}`,
  );
  return { ...files };
}

function minVersionOf(tls: Fields): string | undefined {
  const version = tls.text("minProtocolVersion") ?? "TLS_AUTO";
  if (version === "TLSV1_3") return undefined;
  if (version === "TLSV1_0" || version === "TLSV1_1")
    tls.loss("minProtocolVersion", "1.2 is the oldest here");
  return "1.2";
}

/** `*`, `*.example`, `shop/*.example` (routes of the namespace shop), `./shop.example`. */
function hostOf(host: string, namespace: string): Written {
  const [first = "", second] = host.split("/");
  const own = (second ?? first).toLowerCase();
  const from = second === undefined ? "*" : first;
  const namespaces = from === "*" ? "all" : from === "." || from === namespace ? "same" : [from];
  return { ...(own === "*" ? {} : { hostname: own }), ...(namespaces === "same" ? {} : { namespaces }) };
}

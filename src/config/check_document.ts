/** What one document must not contain although each of its fields is well-formed: names used twice, two forms of one thing. */
import { serviceKey } from "../model/service.ts";
import { resolveService } from "./expand.ts";
import type { Issue } from "./issue.ts";
import { issueAt, type ReadDocument } from "./read_document.ts";
import type { Written } from "./schema.ts";
import type { Path, YamlDocument } from "./yaml_file.ts";

type Report = (path: Path, message: string, options?: Parameters<typeof issueAt>[3]) => void;

export function checkDocument(source: YamlDocument, read: ReadDocument, issues: Issue[]): void {
  const report: Report = (...issue) => void issues.push(issueAt(source, ...issue));
  if (read.kind === "Service") checkService(read.value, report);
  if (read.kind === "HTTPRoute") checkRules(read.value, report);
  if (read.kind === "TLSRoute") checkBackends(read.value, [], report);
  if (read.kind === "Machine") checkMachine(read.value, report);
}

type Backends = Pick<Written<"HTTPRoute">["rules"][number], "split" | "backends">;

function checkRules(route: Written<"HTTPRoute">, report: Report): void {
  const names = new Set<string>();
  route.rules.forEach((rule, at) => {
    const path: Path = ["rules", at];
    const name = rule.name ?? `rule-${at}`;
    if (names.has(name)) report([...path, "name"], `"${name}" names two rules of this route`);
    names.add(name);
    if (rule.match !== undefined && rule.matches !== undefined)
      report([...path, "match"], "match and matches exclude each other", { key: true });
    checkBackends(rule, path, report);
  });
}

function checkBackends(rule: Backends, path: Path, report: Report): void {
  if (rule.split !== undefined && rule.backends !== undefined)
    report([...path, "split"], "split and backends exclude each other", { key: true });
  const weights = weightsOf(rule);
  if (weights.length > 0 && weights.every((weight) => weight === 0)) {
    const field = rule.backends === undefined ? "split" : "backends";
    report([...path, field], "all weights are 0, so nobody would answer", { key: true });
  }
}

/** What the protocol cannot take. */
function checkService(service: Written<"Service">, report: Report): void {
  const { protocol, transport, escapedSlashes, upgrades } = service;
  if (transport === "http/1.1" && protocol !== "http")
    report(["transport"], `transport http/1.1 carries protocol http, not ${protocol ?? "an undeclared one"}`);
  if (transport === "own" && protocol !== "tcp" && protocol !== "tls" && protocol !== undefined)
    report(["transport"], `transport own is for opaque connections (tcp, tls), not for ${protocol}`);
  if (escapedSlashes !== undefined && (protocol === "tcp" || protocol === "tls"))
    report(["escapedSlashes"], `requests have paths: declare protocol http, http2 or grpc, not ${protocol}`, {
      key: true,
    });
  if (upgrades !== undefined && (protocol === "tcp" || protocol === "tls"))
    report(["upgrades"], `requests are upgraded: declare protocol http, http2 or grpc, not ${protocol}`, {
      key: true,
    });
}

function weightsOf(rule: Backends): readonly number[] {
  return rule.backends?.map((each) => each.weight ?? 1) ?? Object.values(rule.split ?? {});
}

function checkMachine(machine: Written<"Machine">, report: Report): void {
  const keys = new Set<string>();
  const binds = new Map<string, string>();
  const claim = (address: string, path: Path, what: string): void => {
    const before = binds.get(address);
    if (before !== undefined) report(path, `${address} is already used by ${before}`);
    else binds.set(address, what);
  };
  (machine.services ?? []).forEach((service, at) => {
    const path: Path = ["services", at];
    const key = serviceKey(resolveService(service.service));
    if (keys.has(key))
      report(
        [...path, "service"],
        `"${service.service}" stands here twice: a machine runs one instance of a service`,
      );
    keys.add(key);
    if (service.httpPort !== undefined)
      claim(`127.0.0.1:${service.httpPort}`, [...path, "httpPort"], `httpPort of ${service.service}`);
    (service.upstreams ?? []).forEach((upstream, index) => {
      if (upstream.bind === undefined) {
        if (upstream.proxyProtocol === true)
          report([...path, "upstreams", index, "proxyProtocol"], "this needs a port of its own: bind", {
            key: true,
          });
        return;
      }
      const place: Path = [...path, "upstreams", index, "bind"];
      claim(upstream.bind, place, `${service.service} for ${upstream.service}`);
      if (!/^(?:127\.|\[::1\]|localhost)/.test(upstream.bind)) {
        const message = `whoever reaches ${upstream.bind} acts as ${service.service}: bind a loopback address`;
        report(place, message, { severity: "warning" });
      }
    });
  });
}

/** One service: its hour, its instances, and all that documents say of it, as it is in force. */
import { sourceText } from "../../model/access_words.ts";
import type { EndpointRow, History, PolicyRow, RouteRow, ServiceView } from "../../api/dashboard_messages.ts";
import { formatDuration } from "../../base/duration.ts";
import type { RuleView } from "../../model/evidence.ts";
import { limits } from "../../model/limits.ts";
import { matchText } from "../../model/route_words.ts";
import { serviceKey } from "../../model/service.ts";
import type { Access, CompiledRoute, Destination, PolicyBinding } from "../../model/snapshot.ts";
import { registryKeyOf } from "../catalog.ts";
import type { CompiledService } from "../compile/snapshot_compiler.ts";
import { serviceRow } from "./mesh_view.ts";
import type { ViewInput } from "./view_input.ts";

/** null: no document declares it, and nobody ever called it. */
export function serviceView(input: ViewInput, key: string): ServiceView | null {
  const { catalog, history, snapshots, nowMs } = input;
  const compiled = snapshots.service(key);
  const edges = history.edges();
  const [callers, callees] = [edges.filter(({ to }) => to === key), edges.filter(({ from }) => from === key)];
  const instances = catalog.instances.filter(({ service }) => serviceKey(service) === key);
  if (compiled === null && callers.length + callees.length + instances.length === 0) return null;
  const address = [...catalog.addresses].find(([, each]) => each.service === key)?.[0] ?? null;
  const spiffeId = compiled?.destination.spiffeId ?? "";
  return {
    nowMs,
    service: serviceRow(input, key),
    spiffeId,
    port: compiled?.port ?? null,
    address,
    history: historyOf(input, key),
    callers,
    callees,
    endpoints: endpointsOf(input, key),
    routes: compiled === null ? [] : routesOf(compiled.destination),
    policies: compiled === null ? [] : compiled.destination.policies.map((each) => policyOf(input, each)),
    rules: compiled === null ? [] : rulesOf(compiled.access),
    otherwise: compiled?.access.otherwise ?? "deny",
    certificates: certificatesOf(input, spiffeId),
    documents: documentsOf(input, compiled),
  };
}

function historyOf({ history }: ViewInput, key: string): History {
  const { series } = history.service(key);
  const read = (figure: Parameters<NonNullable<typeof series>["read"]>[0]): (number | null)[] =>
    series?.read(figure) ?? [];
  return {
    stepMs: limits.trafficSampleMs,
    endMs: history.endMs,
    rate: read("rate"),
    success: read("success"),
    p50: read("p50"),
    p95: read("p95"),
    p99: read("p99"),
    bytesPerSecond: read("bytesPerSecond"),
    tcpOpen: read("tcpOpen"),
  };
}

function endpointsOf({ catalog, publisher }: ViewInput, key: string): EndpointRow[] {
  const ejections = publisher
    .connected()
    .flatMap((machine) => publisher.ejectedBy(machine).map((each) => ({ machine, ...each })));
  return catalog.instances
    .filter(({ service }) => serviceKey(service) === key)
    .map(({ id, node, address, port, labels, ready, zone = "", problem = "", drained = false }) => ({
      ...{ id, machine: node, address: `${address}:${port}`, zone, labels, ready, drained, problem },
      ejectedBy: ejections
        .filter(({ endpoint }) => endpoint === id)
        .map(({ machine, reason, probing, probeInMs }) => ({ machine, reason, probing, probeInMs })),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function routesOf({ routes, tlsRoutes }: Destination): RouteRow[] {
  const byRequest = routes.map((route): RouteRow => ({
    name: route.name,
    match: matchText(route.match),
    backends: backendsOf(route.backends),
    policies: route.policies.map(({ name }) => name),
    settings: settingsOf(route),
  }));
  const byName = tlsRoutes.map(({ name, hostname, backends }): RouteRow => ({
    ...{
      name,
      match: hostname === "*" ? "every connection" : `server name ${hostname}`,
      backends: backendsOf(backends),
    },
    ...{ policies: [], settings: [] },
  }));
  return [...byRequest, ...byName];
}

function backendsOf(backends: CompiledRoute["backends"]): RouteRow["backends"] {
  const total = backends.reduce((sum, { weight }) => sum + weight, 0);
  return backends.map(({ service, subset, weight, invalid }) => ({
    to: subset === null ? serviceKey(service) : `${serviceKey(service)}/${subset}`,
    share: total === 0 ? 0 : weight / total,
    invalid,
  }));
}

function settingsOf({ requestTimeoutMs, perTryMs, retry, idempotent, priority }: CompiledRoute): string[] {
  const codes = retry?.codes ?? [];
  return [
    ...(requestTimeoutMs === null ? [] : [`request ${formatDuration(requestTimeoutMs)}`]),
    ...(perTryMs === undefined ? [] : [`per try ${formatDuration(perTryMs)}`]),
    ...(retry?.attempts === undefined ? [] : [`retries ${retry.attempts}`]),
    ...(codes.length === 0 ? [] : [`retried ${codes.join(" ")}`]),
    ...(idempotent ? ["idempotent"] : []),
    ...(priority === undefined ? [] : [`priority ${priority}`]),
  ];
}

function policyOf({ catalog }: ViewInput, { name, hooks, options }: PolicyBinding): PolicyRow {
  const stored = catalog.policies.get(name);
  return {
    name,
    version: stored?.version ?? "",
    onError: stored?.onError ?? "",
    hooks: hooks ?? [],
    options: JSON.stringify(options),
  };
}

function rulesOf({ deny, allow }: Access): RuleView[] {
  const view =
    (effect: RuleView["effect"]) =>
    ({ id, mode, source, methods, paths }: Access["deny"][number]): RuleView => ({
      ...{ id, effect, mode, methods, paths },
      from: sourceText({ source }),
    });
  return [...deny.map(view("deny")), ...allow.map(view("allow"))];
}

function certificatesOf({ publisher, catalog }: ViewInput, id: string): ServiceView["certificates"] {
  return [...catalog.nodes.keys()].sort().flatMap((machine) =>
    publisher
      .state(machine)
      .certificates.filter((each) => each.id === id)
      .map((each) => ({ ...each, machine })),
  );
}

/** The text of each, as an operator wrote it. */
function documentsOf({ catalog }: ViewInput, compiled: CompiledService | null): ServiceView["documents"] {
  return (compiled?.documents ?? []).map((document) => {
    const { kind, name } = document;
    return { kind, name, text: catalog.texts.get(registryKeyOf(document))?.text ?? "" };
  });
}

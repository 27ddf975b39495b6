/** The whole mesh at a glance: services, who calls whom, how the machines are. */
import type { EdgeRow, MeshView, ServiceRow } from "../../api/dashboard_messages.ts";
import { serviceKey, type Instance } from "../../model/service.ts";
import type { CompiledService } from "../compile/snapshot_compiler.ts";
import type { ServiceHistory } from "./traffic_history.ts";
import type { ViewInput } from "./view_input.ts";

const silence: ServiceHistory = {
  now: { rate: 0, success: null, p50: null, p95: null, p99: null, bytesPerSecond: 0, tcpOpen: 0 },
  trend: [],
  series: null,
};

export function meshView(input: ViewInput): MeshView {
  const { catalog, history, watch, trustDomain, nowMs, registryProblem, machines } = input;
  const { all, behind } = machines();
  const problem = registryProblem ?? catalog.problem;
  const edges = history.edges();
  return {
    trustDomain,
    nowMs,
    revision: catalog.revision,
    registry: { ok: problem === null, detail: problem ?? "connected" },
    windowMs: history.windowMs,
    services: serviceRows(input, edges),
    edges,
    machines: {
      all,
      behind: behind.length,
      connected: input.publisher.connected().length,
      silent: watch.silent(),
    },
    left: history.left,
  };
}

/** Those that are declared, and those that are called or call without that. */
function serviceRows(input: ViewInput, edges: readonly EdgeRow[]): ServiceRow[] {
  const { catalog, history, snapshots } = input;
  const traffic = history.services();
  const instances = Map.groupBy(catalog.instances, ({ service }) => serviceKey(service));
  const ejected = ejectedBy(input);
  const callers = edges.map(({ from }) => from);
  const keys = new Set([...snapshots.serviceKeys(), ...instances.keys(), ...traffic.keys(), ...callers]);
  keys.delete("");
  return [...keys].sort().map((key) =>
    rowOf(key, {
      compiled: snapshots.service(key),
      traffic: traffic.get(key) ?? silence,
      instances: instances.get(key) ?? [],
      ejected,
    }),
  );
}

/** One service as the list of all has it. */
export function serviceRow(input: ViewInput, key: string): ServiceRow {
  return rowOf(key, {
    compiled: input.snapshots.service(key),
    traffic: input.history.service(key),
    instances: input.catalog.instances.filter(({ service }) => serviceKey(service) === key),
    ejected: ejectedBy(input),
  });
}

interface Known {
  readonly compiled: CompiledService | null;
  readonly traffic: ServiceHistory;
  readonly instances: readonly Instance[];
  readonly ejected: ReadonlySet<string>;
}

function rowOf(key: string, { compiled, traffic, instances, ejected }: Known): ServiceRow {
  return {
    key,
    declared: compiled !== null,
    protocol: compiled?.destination.protocol ?? "",
    instances: instances.length,
    ready: instances.filter(({ ready, drained }) => ready && drained !== true).length,
    ejected: instances.filter(({ id }) => ejected.has(id)).length,
    access: accessOf(compiled),
    trend: traffic.trend,
    ...traffic.now,
  };
}

/** Nobody may call what no document declares. */
function accessOf(compiled: CompiledService | null): ServiceRow["access"] {
  if (compiled === null) return "enforced";
  const { otherwise, allow, deny } = compiled.access;
  if (otherwise === "deny") return "enforced";
  return allow.length + deny.length > 0 ? "audit" : "open";
}

/** Ids of instances that some proxy has taken out. */
function ejectedBy({ publisher }: ViewInput): Set<string> {
  const all = publisher.connected().flatMap((machine) => publisher.ejectedBy(machine));
  return new Set(all.map(({ endpoint }) => endpoint));
}

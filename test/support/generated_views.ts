/** What a controller would tell the dashboard of a mesh that nobody runs: of any size, the same for the same seed, with any names. */
import type {
  EdgeRow,
  Golden,
  MachineRow,
  MachinesView,
  MeshView,
  ServiceRow,
  ServiceView,
} from "../../src/api/dashboard_messages.ts";
import { limits } from "../../src/model/limits.ts";
import { seeded } from "./chance.ts";

export interface GeneratedMesh {
  readonly mesh: MeshView;
  readonly machines: MachinesView;
  service(key: string): ServiceView | null;
}

const nowMs = Date.UTC(2026, 10, 30, 12);
const words = ["orders", "search", "ledger", "profile", "stock", "mail", "price", "quote", "token", "audit"];

export interface GeneratedOptions {
  readonly services: number;
  readonly machines: number;
  readonly seed: number;
  /** Stands in every name, path and text that it may stand in. */
  readonly spice?: string;
}

export function generatedMesh({ services, machines, seed, spice = "" }: GeneratedOptions): GeneratedMesh {
  const { unit: chance } = seeded(seed);
  const pick = (count: number): number => Math.floor(chance() * count);
  const keys = Array.from(
    { length: services },
    (_, at) => `${words[at % words.length]}-${at}${spice}.default`,
  );
  const golden = (rate: number): Golden => {
    const isBad = chance() < 0.03;
    const p50 = 0.001 + chance() * 0.02;
    return {
      rate,
      success: rate === 0 ? null : isBad ? 0.9 : chance() < 0.05 ? 0.995 : 1,
      ...{ p50, p95: p50 * 3, p99: p50 * 9, bytesPerSecond: rate * 800, tcpOpen: 0 },
    };
  };
  // Each calls some of those behind it, mostly near by; a few lead back.
  const edges = keys.flatMap((from, at): EdgeRow[] =>
    Array.from({ length: at < services * 0.8 ? 1 + pick(5) : 0 }, () => {
      const to = keys[Math.min(services - 1, at + 1 + pick(Math.ceil(services / 8)))] ?? "";
      const rate = chance() < 0.1 ? 0 : Math.round(10 ** (chance() * 4)) / 10;
      return { from, to, seenBy: "outbound" as const, secure: chance() < 0.8 ? 1 : 0, ...golden(rate) };
    }).filter(({ to }) => to !== from),
  );
  const unique = [...new Map(edges.map((edge) => [`${edge.from}>${edge.to}`, edge])).values()];
  const rows = keys.map((key): ServiceRow => {
    const rate = unique.filter(({ to }) => to === key).reduce((sum, edge) => sum + edge.rate, 0);
    const instances = 1 + pick(4);
    const access = (["open", "audit", "enforced"] as const)[pick(3)] ?? "open";
    const trend = Array.from({ length: 30 }, () => rate * (0.5 + chance()));
    const ready = chance() < 0.04 ? instances - 1 : instances;
    return {
      key,
      declared: true,
      protocol: "http",
      instances,
      ready,
      ejected: 0,
      access,
      trend,
      ...golden(rate),
    };
  });
  const names = Array.from({ length: machines }, (_, at) => `vm-${at}${spice}`);
  const mesh: MeshView = {
    ...{ trustDomain: `mesh.example${spice}`, nowMs, revision: 812, windowMs: 30_000, left: 0 },
    registry: { ok: true, detail: "connected" },
    ...{ services: rows, edges: unique },
    machines: { all: machines, connected: machines - 1, behind: 1, silent: names.slice(1, 3) },
  };
  return {
    mesh,
    machines: {
      nowMs,
      machines: names.map((name, at) => machineRow(name, at, keys.slice(at, at + 3), spice)),
    },
    service: (key) => {
      const service = rows.find((row) => row.key === key);
      return service === undefined ? null : serviceView(service, unique, names, spice);
    },
  };
}

function machineRow(name: string, at: number, services: readonly string[], spice: string): MachineRow {
  const life = { issuedMs: nowMs - 6 * 3_600_000, notAfterMs: nowMs + 18 * 3_600_000 };
  return {
    ...{
      name,
      address: "10.0.0.1",
      zone: `eu-${spice}`,
      joinedMs: nowMs - 86_400_000 * 9,
      connected: at > 0,
      drained: at === 2,
    },
    ...{
      lastSeenMs: nowMs - 60_000,
      version: `0.1.0${spice}`,
      wanted: "0123456789abcdef",
      acknowledged: "0123456789abcdef",
    },
    ...{ error: at === 1 ? `cannot use it: ${spice}` : null, services, instances: 3, ready: 3, ejected: 0 },
    certificates: services.map((key) => ({ id: `spiffe://mesh.example/ns/default/sa/${key}`, ...life })),
    ...{ processors: 0.031, residentBytes: 84_000_000 },
  };
}

function serviceView(
  service: ServiceRow,
  edges: readonly EdgeRow[],
  machines: readonly string[],
  spice: string,
): ServiceView {
  const { key } = service;
  const life = { issuedMs: nowMs - 3_600_000, notAfterMs: nowMs + 23 * 3_600_000 };
  const certificates = machines.slice(0, 2).map((machine) => ({ id: key, machine, ...life }));
  const path = `/v1/${spice}`;
  return {
    ...{
      nowMs,
      service,
      spiffeId: `spiffe://mesh.example/ns/default/sa/${key}`,
      port: 80,
      address: "127.100.1.1",
    },
    history: historyOf(service),
    callers: edges.filter(({ to }) => to === key),
    callees: edges.filter(({ from }) => from === key),
    endpoints: machines.slice(0, 4).map((machine, at) => ({
      ...{ id: `${machine}/${key}/8080`, machine, address: `10.0.0.${at}:7445`, zone: `eu-1${spice}` },
      ...{
        labels: { version: `v1${spice}` },
        ready: at !== 1,
        drained: at === 3,
        problem: at === 1 ? `HTTP 500 ${spice}` : "",
      },
      ejectedBy: at === 2 ? [{ machine: "vm-9", reason: "streak", probing: false, probeInMs: 4_000 }] : [],
    })),
    routes: [
      {
        ...{
          name: `main/all${spice}`,
          match: `exactly ${path}`,
          policies: [`p${spice}`],
          settings: ["request 2s"],
        },
        backends: [{ to: `${key}/v1`, share: 1, invalid: spice === "" ? null : spice }],
      },
    ],
    policies: [
      {
        name: `p${spice}`,
        version: "1.0.0",
        onError: "open",
        hooks: ["onRequest"],
        options: JSON.stringify({ spice }),
      },
    ],
    rules: [
      {
        id: `r${spice}`,
        effect: "allow",
        mode: "enforce",
        from: `web${spice}`,
        methods: ["GET"],
        paths: [path],
      },
    ],
    otherwise: "deny",
    certificates,
    documents: [{ kind: "Service", name: key, text: `kind: Service\nname: ${key}\n${spice}` }],
  };
}

function historyOf({ rate, p50, p95, p99, success }: ServiceRow): ServiceView["history"] {
  const wave = (value: number | null): (number | null)[] =>
    Array.from({ length: limits.trafficSamplesMax }, (_, at) =>
      value === null ? null : value * (1 + 0.3 * Math.sin(at / 25) + 0.1 * Math.sin(at * 1.7)),
    );
  return {
    ...{ stepMs: limits.trafficSampleMs, endMs: nowMs, rate: wave(rate) },
    ...{ p50: wave(p50), p95: wave(p95), p99: wave(p99), bytesPerSecond: wave(rate * 800), tcpOpen: wave(0) },
    success: wave(success).map((value) => (value === null ? null : Math.min(1, value))),
  };
}

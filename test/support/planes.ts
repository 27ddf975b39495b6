/**
 * Data planes for tests: certificates, a snapshot written by hand, apps that the test brings, in one process, over real sockets
 * or over the network in memory. A machine is a data plane; all of them share one authority.
 */
import type { Tracer } from "../../src/proxy/trace/tracer.ts";
import { createRuntime } from "../../runtime/bun/runtime.ts";
import type { Clock, Files, Net, TlsCredential } from "../../runtime/contract.ts";
import type { SharedNumbers } from "../../src/base/shared_numbers.ts";
import { Shard } from "../../src/http/shard.ts";
import { expandService } from "../../src/config/kinds/service.ts";
import type { MachineDocument, Upstream } from "../../src/model/document.ts";
import { serviceId } from "../../src/model/identity.ts";
import { instanceId, serviceKey, type ServiceName } from "../../src/model/service.ts";
import { calleeTraits, callerTraits, type ServiceTraits } from "../../src/model/service_traits.ts";
import type {
  Access,
  CompiledRoute,
  Destination,
  Endpoint,
  LocalService,
  Snapshot,
} from "../../src/model/snapshot.ts";
import type { PolicyChain } from "../../src/policy/chain.ts";
import { DataPlane, type DataPlaneOptions } from "../../src/proxy/data_plane.ts";
import type { CallerOf } from "../../src/proxy/listen/caller_gate.ts";
import type { ExchangeRecord, Recorder } from "../../src/telemetry/record.ts";
import { makeTestAuthority, type IssueOptions, type TestAuthority } from "./certificates.ts";
import type { MemoryNet } from "./memory_net.ts";
import { waitFor } from "./processes.ts";

export const runtime = createRuntime();
export const trustDomain = "mesh.test";

/** `orders` or `orders.shop`. */
export function named(text: string): ServiceName {
  const [name = "", namespace = "default"] = text.split(".");
  return { name, namespace };
}

export function idOf(service: string): string {
  return serviceId(trustDomain, named(service));
}

export const openAccess: Access = { otherwise: "allow", deny: [], allow: [] };

/** Keeps every record, in the order in which they finish. */
export class Records implements Recorder {
  readonly all: ExchangeRecord[] = [];
  readonly limits: string[] = [];
  readonly attempts: string[] = [];

  /** Those that are not finished. */
  readonly open = new Set<ExchangeRecord>();

  began(record: ExchangeRecord): void {
    if (this.open.has(record)) throw new Error("A record began twice");
    this.open.add(record);
  }

  constructor(readonly tracer: Tracer | null = null) {}

  finish(record: ExchangeRecord, endedMs: number): void {
    if (!this.open.delete(record)) throw new Error("A record finished that had not begun, or twice");
    this.all.push(record);
    this.tracer?.finish(record, endedMs);
  }

  /** Opaque connections that are not finished. */
  get openTcp(): number {
    return [...this.open].filter(({ kind }) => kind === "tcp").length;
  }

  limitTripped(limit: string): void {
    this.limits.push(limit);
  }

  attempt(service: string, cause: string, result: string): void {
    this.attempts.push(`${service} ${cause} ${result}`);
  }

  readonly zones: string[] = [];

  wentTo(_service: string, zone: string): void {
    this.zones.push(zone);
  }

  readonly ejections: string[] = [];

  ejected(service: string, reason: string): void {
    this.ejections.push(`${service} ${reason}`);
  }

  readonly outsides: string[] = [];

  outside(source: string, address: string, verdict: string): void {
    this.outsides.push(`${source} ${address} ${verdict}`);
  }

  readonly detections: string[] = [];

  detected(service: string, protocol: string, by: string): void {
    this.detections.push(`${service} ${protocol} ${by}`);
  }

  of(direction: ExchangeRecord["direction"]): ExchangeRecord[] {
    return this.all.filter((record) => record.direction === direction);
  }

  /** The records, once there are so many. */
  async until(count: number): Promise<ExchangeRecord[]> {
    return await waitFor(`${count} records`, async () => (this.all.length >= count ? this.all : null));
  }
}

export interface MachinePlan {
  readonly name: string;
  /** Service to the port of its app; its upstreams. */
  readonly services: Readonly<
    Record<
      string,
      {
        readonly app: number;
        /** Ports of further instances. */
        readonly more?: readonly number[];
        readonly upstreams?: readonly string[];
        /** Of them, those whose port expects a PROXY header first. */
        readonly proxied?: readonly string[];
        /** What its app expects before each opaque connection. */
        readonly proxyProtocol?: 1 | 2;
      }
    >
  >;
  readonly tracer?: Tracer;
  readonly zone?: string;
  readonly region?: string;
  readonly network?: string;
  readonly policies?: PolicyChain;
  /** Hears of every record, instead of `records`. */
  readonly recorder?: Recorder;
  readonly net?: Net;
  readonly clock?: Clock;
  /** The machine asks the controller for what it wants. */
  readonly ask?: (plane: DataPlane) => void;
  readonly confirmed?: (key: string) => void;
  readonly askBudgets?: NonNullable<DataPlaneOptions["askBudgets"]>;
  /** Units of its services whose traffic is redirected to this port. */
  readonly redirected?: number;
  readonly strict?: { readonly strict: true };
  /** Services of the mesh with their virtual addresses, a line each. */
  readonly names?: readonly string[];
  /** Who calls at its listeners; default: whose each is. */
  readonly callerOf?: CallerOf;
  /** That run on it, each one of its services too. */
  readonly gateways?: readonly ServiceName[];
  readonly files?: Pick<Files, "readSync">;
  /** What may wait in it for peers that do not take it. */
  readonly bufferedBytesMax?: number;
  /** What it goes by together with other event loops. */
  readonly numbers?: SharedNumbers;
}

export interface TestMachine {
  readonly plan: MachinePlan;
  readonly plane: DataPlane;
  readonly records: Records;
  readonly logs: string[];
  /** Replace an entry and call `plane.credentialsChanged()`. */
  readonly credentials: Map<string, TlsCredential>;
  /** Address of a listener of a local service: by name, or to one upstream. */
  port(service: string, upstream?: string): number;
}

export interface DestinationPlan extends Partial<ServiceTraits> {
  readonly routes?: readonly CompiledRoute[];
  readonly policies?: Destination["policies"];
  /** Of the server's side. */
  readonly serverPolicies?: Destination["policies"];
  readonly access?: Access;
  readonly serverFirst?: boolean;
  readonly traffic?: Destination["traffic"];
  readonly tlsRoutes?: Destination["tlsRoutes"];
  readonly sessionKey?: string;
  /** Labels of its instance on a machine, by the machine's name. */
  readonly labels?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Weight of its instances on a machine, by the machine's name. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Names of machines whose instance is not ready. */
  readonly unready?: readonly string[];
}

const noPolicies: PolicyChain = {
  evaluate: (_bindings, _call, done) =>
    done({ do: "next", edits: { remove: [], set: [], add: [] }, target: null, records: [] }),
};

/** A mesh of data planes. Close it at the end. */
export class Planes {
  readonly machines: TestMachine[] = [];
  roots: string[];
  deniedIds: string[] = [];
  deniedSerials: string[] = [];
  #version = 0;

  private constructor(
    readonly authority: TestAuthority,
    readonly validity: Pick<IssueOptions, "notBefore" | "notAfter"> = {},
  ) {
    this.roots = [authority.rootPem];
  }

  static async start(...plans: readonly MachinePlan[]): Promise<Planes> {
    const planes = new Planes(await makeTestAuthority());
    for (const plan of plans) await planes.#add(plan);
    return planes;
  }

  /** All of them on one network in memory, whose clock the test moves. */
  static async inMemory(net: MemoryNet, ...plans: readonly MachinePlan[]): Promise<Planes> {
    const validity = {
      notBefore: new Date(net.clock.wallMs() - 3_600_000),
      notAfter: new Date(net.clock.wallMs() + 30 * 86_400_000),
    };
    const planes = new Planes(await makeTestAuthority(validity), validity);
    for (const plan of plans) await planes.#add({ net, clock: net.clock, ...plan });
    return planes;
  }

  async #add(plan: MachinePlan): Promise<void> {
    const credentials = new Map<string, TlsCredential>();
    for (const service of Object.keys(plan.services))
      credentials.set(serviceKey(named(service)), await this.issue(service));
    const records = new Records(plan.tracer ?? null);
    const logs: string[] = [];
    const plane = new DataPlane({
      net: plan.net ?? runtime.net,
      listening: plan.net ?? runtime.net,
      shard: new Shard(plan.clock ?? runtime.clock, plan.bufferedBytesMax, plan.numbers),
      random: runtime.random,
      recorder: plan.recorder ?? records,
      ...optional(plan),
      credentials: {
        of: (key) => credentials.get(key) ?? null,
        trust: () => ({
          trustDomain,
          rootsPem: this.roots,
          denied: new Set([...this.deniedIds, ...this.deniedSerials]),
        }),
      },
      policies: plan.policies ?? noPolicies,
      node: plan.name,
      machine: machineOf(plan),
      inbound: { host: "127.0.0.1", port: 0 },
      ...{ loopback: "127.0.0.1", outboundFirstPort: 0 },
      ...(plan.redirected === undefined
        ? {}
        : { redirected: { hosts: ["127.0.0.1"], ports: [plan.redirected] } }),
      ask: () => plan.ask?.(plane),
      confirmed: plan.confirmed ?? (() => {}),
      log: (text) => logs.push(text),
    });
    plane.open();
    const port = (service: string, upstream?: string): number => {
      const key = serviceKey(named(service));
      const to = upstream === undefined ? null : serviceKey(named(upstream));
      const found = plane.addresses.find((each) => each.service === key && each.upstream === to);
      if (found === undefined) throw new Error(`no listener of ${service} to ${upstream}`);
      return found.port;
    };
    this.machines.push({ plan, plane, records, logs, credentials, port });
  }

  /** A credential of a service, from the authority of all. */
  async issue(service: string): Promise<TlsCredential> {
    return await this.authority.issue({ uri: idOf(service), ...this.validity });
  }

  machine(name: string): TestMachine {
    const found = this.machines.find((each) => each.plan.name === name);
    if (found === undefined) throw new Error(`no machine ${name}`);
    return found;
  }

  /** Puts the same destinations in force everywhere. */
  apply(destinations: Readonly<Record<string, DestinationPlan>>): void {
    this.#version++;
    for (const machine of this.machines) machine.plane.apply(this.snapshot(machine, destinations));
  }

  snapshot(machine: TestMachine, destinations: Readonly<Record<string, DestinationPlan>>): Snapshot {
    return {
      format: 1,
      version: `v${this.#version}`,
      node: machine.plan.name,
      trustDomain,
      bundle: { trustDomain, sequence: 1, rootsPem: this.roots },
      deniedIds: this.deniedIds,
      deniedSerials: this.deniedSerials,
      locals: Object.keys(machine.plan.services).map((service) => localOf(service, destinations[service])),
      destinations: Object.entries(destinations).map(([service, plan]) => this.#destinationOf(service, plan)),
      policies: [],
      ...(machine.plan.names === undefined ? {} : { names: machine.plan.names }),
    };
  }

  #destinationOf(service: string, plan: DestinationPlan): Destination {
    const endpoints = this.machines.flatMap((machine): Endpoint[] => {
      const here = machine.plan.services[service];
      if (here === undefined) return [];
      const { name: node, zone, region, network } = machine.plan;
      const { app, more = [] } = here;
      return [app, ...more].map((port) => ({
        id: instanceId(node, { service: named(service), port }),
        node,
        address: "127.0.0.1",
        port: machine.plane.inboundPort,
        labels: plan.labels?.[node] ?? {},
        ready: plan.unready?.includes(node) !== true,
        ...(zone === undefined ? {} : { zone }),
        ...(region === undefined ? {} : { region }),
        ...(network === undefined ? {} : { network }),
        ...(plan.weights?.[node] === undefined ? {} : { weight: plan.weights[node] }),
        ...(more.length > 0 ? { apart: true } : {}),
      }));
    });
    return {
      service: named(service),
      spiffeId: idOf(service),
      ...callerTraits({ ...usualTraits, ...plan }),
      serverFirst: plan.serverFirst ?? false,
      ...(plan.traffic === undefined ? {} : { traffic: plan.traffic }),
      ...(plan.sessionKey === undefined ? {} : { sessionKey: plan.sessionKey }),
      tlsRoutes: plan.tlsRoutes ?? [],
      endpoints,
      routes: plan.routes ?? [],
      policies: plan.policies ?? [],
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.machines.map((machine) => machine.plane.close(0)));
  }
}

/** What a plan may leave out. */
function optional({ tracer, callerOf, files, askBudgets }: MachinePlan) {
  const all = Object.entries({ tracer, callerOf, files, askBudgets });
  type Given = Pick<DataPlaneOptions, "tracer" | "callerOf" | "files" | "askBudgets">;
  return Object.fromEntries(all.filter(([, value]) => value !== undefined)) as Given;
}

/** As of a service whose document says no more than it must. */
const usualTraits: ServiceTraits = expandService({
  ...{ kind: "Service", name: "usual", port: 80 },
  ...{ protocol: "http", balance: "round-robin" },
});

function localOf(service: string, plan: DestinationPlan | undefined): LocalService {
  return {
    service: named(service),
    spiffeId: idOf(service),
    ...calleeTraits({ ...usualTraits, ...plan }),
    ...(plan?.traffic === undefined ? {} : { traffic: plan.traffic }),
    access: plan?.access ?? openAccess,
    ...(plan?.serverPolicies === undefined ? {} : { policies: plan.serverPolicies }),
  };
}

function machineOf(plan: MachinePlan): MachineDocument {
  return {
    kind: "Machine",
    name: plan.name,
    address: null,
    zone: plan.zone ?? "",
    region: plan.region ?? "",
    ...(plan.network === undefined ? {} : { network: plan.network }),
    gateways: plan.gateways ?? [],
    services: Object.entries(plan.services).flatMap(
      ([service, { app, more = [], upstreams = [], proxied = [], proxyProtocol }]) =>
        [app, ...more].map((port) => ({
          service: named(service),
          host: "127.0.0.1",
          port,
          health: null,
          labels: {},
          upstreams: (port === app ? upstreams : []).map((each): Upstream => ({
            service: named(each),
            host: "127.0.0.1",
            port: 0,
            proxyProtocol: proxied.includes(each),
          })),
          httpPort: null,
          weight: 1,
          proxyProtocol: proxyProtocol ?? null,
          ...(plan.redirected === undefined
            ? {}
            : { intercept: { ...plan.strict, outbound: "all", inbound: "audit" } as const }),
        })),
    ),
  };
}

/**
 * The data plane of a proxy of several event loops, as the rest of the proxy sees it. What is read of its state is read here, from a
 * plane that opens no listener, whose breakers, budgets and rates are those of all; what passes, passes in the shards.
 */
import type { BoundPort, ListenOptions } from "../../../runtime/contract.ts";
import { Shard } from "../../http/shard.ts";
import type { MachineDocument, MachineService } from "../../model/document.ts";
import type { PriorityLevel } from "../../model/priority.ts";
import { limits } from "../../model/limits.ts";
import { isSharedCounter } from "../../model/shared_counter.ts";
import type { RateSlice, SliceAsk } from "../../model/rate_slice.ts";
import { serviceKey } from "../../model/service.ts";
import type { PolicyBinding, Snapshot } from "../../model/snapshot.ts";
import { addReadings, type TrialReading } from "../../model/trial.ts";
import type { PolicyHost } from "../../policy/policy_host.ts";
import { DataPlane, type DataPlaneOptions } from "../../proxy/data_plane.ts";
import { BoundPorts } from "../../shards/bound_ports.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { ProxyPlane } from "../proxy_plane.ts";
import type { Settings } from "../settings.ts";
import type { FromShard, NumberedSnapshot, Report, ShardCredentials } from "./messages.ts";
import { PolicyCalls } from "./policy_calls.ts";
import { ShardAsks } from "./shard_asks.ts";
import type { ShardProcess } from "./shard_process.ts";
import { VirtualPlaces } from "./virtual_places.ts";
import { Shards, type ShardsOptions } from "./shards.ts";

export interface ShardedPlaneOptions {
  readonly runtime: ShardsOptions["runtime"];
  readonly count: number;
  readonly memoryBytesMax: number;
  readonly settings: Settings;
  readonly logSampleRatio: number | null;
  readonly metrics: Metrics;
  readonly bind: (options: ListenOptions) => BoundPort;
  /** As they are now. */
  readonly credentialsNow: () => ShardCredentials;
  readonly policyHost: Pick<PolicyHost, "evaluate" | "trip">;
  readonly firstSlices: () => Readonly<Record<string, number>>;
  /** Lines for standard output (1) or standard error (2). */
  readonly lines: (to: 1 | 2, text: string) => void;
  /** Traces that other machines are to keep, by machine. */
  readonly kept: (traces: Readonly<Record<string, readonly string[]>>) => void;
  readonly plane: Omit<DataPlaneOptions, "listening" | "shard" | "drained">;
}

export class ShardedPlane implements ProxyPlane {
  readonly virtual: VirtualPlaces;
  readonly #plane: DataPlane;
  readonly #shards: Shards;
  readonly #ports: BoundPorts;
  readonly #asks: ShardAsks;
  readonly #policies: PolicyCalls;
  #machine: MachineDocument;
  #inForce: NumberedSnapshot | null = null;
  #numbers = 0;

  constructor(readonly options: ShardedPlaneOptions) {
    const { runtime, count, metrics, memoryBytesMax, bind, plane, policyHost } = options;
    this.#machine = plane.machine;
    this.#ports = new BoundPorts({
      bind,
      opened: (port) => this.#shards.all.forEach((shard) => shard.hand(port)),
      closed: (port) => this.#shards.leave(port),
      left: ({ host, port }) => this.#shards.tell({ kind: "shut", host, port, number: 0, last: false }),
    });
    this.#asks = new ShardAsks(() => this.#shards.all);
    this.#policies = new PolicyCalls(policyHost, () =>
      this.#shards.all.flatMap(({ report }) => report?.held ?? []),
    );
    this.#shards = new Shards({
      ...{ runtime, count, metrics, memoryBytesMax, log: plane.log },
      begin: (shard) => this.#begin(shard),
      message: (shard, message) => this.#heard(shard, message),
      ended: (shard) => this.#asks.ended(shard),
    });
    this.#plane = new DataPlane({
      ...plane,
      listening: this.#ports,
      shard: new Shard(runtime.clock, undefined, this.#shards.region),
      drained: this.#shards,
    });
    this.virtual = new VirtualPlaces(this.#plane.virtual, runtime.clock, (places) =>
      this.#shards.tell({ kind: "virtual", places }),
    );
  }

  get answerers(): ShardAsks["answerers"] {
    return this.#asks.answerers;
  }

  get state(): DataPlane["state"] {
    return this.#plane.state;
  }

  get addresses(): DataPlane["addresses"] {
    return this.#plane.addresses;
  }

  get accepts(): boolean {
    return this.#shards.ready.length > 0;
  }

  readonly gather = (): Promise<void> => this.#shards.gather();

  /** What all of them serve. */
  readonly shedding = {
    admits: (level: PriorityLevel): boolean =>
      this.#shards.all.every(({ report }) => report === null || level <= report.lowest),
  };

  readonly rates = {
    asks: (): Record<string, SliceAsk> => {
      const reports = this.#shards.all.flatMap(({ report }) => report ?? []);
      const wantedOf = (key: string): number =>
        reports.reduce((sum, { asks }) => sum + (asks[key]?.wantedPerSecond ?? 0), 0);
      const asks = Object.entries(this.#plane.rates.asks());
      const rates = asks.map(([key, ask]) => [key, { ...ask, wantedPerSecond: wantedOf(key) }]);
      return { ...sharedAsks(reports), ...(Object.fromEntries(rates) as Record<string, SliceAsk>) };
    },
    given: (slices: Readonly<Record<string, RateSlice>>, askedMs: number): void => {
      this.#plane.rates.given(slices, askedMs);
      const reports = this.#shards.all.flatMap(({ report }) => report ?? []);
      for (const shard of this.#shards.all)
        shard.send({ kind: "slices", slices: slicesOf(shard.report, reports, slices), askedMs });
    },
  };

  /** Resolves when the shards carry traffic. Throws when a port is taken. */
  async open(): Promise<void> {
    this.#plane.open();
    await this.#shards.start();
  }

  async apply(snapshot: Snapshot): Promise<void> {
    const numbered = { number: ++this.#numbers, snapshot };
    const { number } = numbered;
    const own = this.#plane.prepare(snapshot);
    const problem = await this.#shards.prepare({ kind: "prepare", ...numbered });
    if (problem !== null) {
      own.forget();
      this.#shards.tell({ kind: "forget", number });
      throw new Error(problem);
    }
    this.#policies.know(numbered);
    this.#inForce = numbered;
    own.enforce();
    const credentials = this.options.credentialsNow();
    for (const shard of this.#shards.all) {
      shard.send({ kind: "credentials", credentials, changed: false });
      shard.send({ kind: "enforce", number });
    }
  }

  changeMachine(machine: MachineDocument): void {
    this.#plane.changeMachine(machine);
    this.#machine = machine;
    this.credentialsChanged();
    this.#shards.tell({ kind: "machine", machine: this.#machineNow() });
  }

  credentialsChanged(): void {
    this.#plane.credentialsChanged();
    this.#shards.tell({ kind: "credentials", credentials: this.options.credentialsNow(), changed: true });
  }

  wanted(): readonly string[] {
    return [...new Set(this.#shards.all.flatMap((shard) => shard.wanted))];
  }

  missing(keys: readonly string[]): void {
    this.#shards.tell({ kind: "missing", keys });
  }

  keep(traces: readonly string[]): void {
    this.#shards.tell({ kind: "keep", traces });
  }

  /** Bindings that streams under way will ask again. */
  heldBindings(): PolicyBinding[] {
    return this.#policies.heldBindings();
  }

  /** How versions of policies do that are tried, in all event loops together. */
  trials(): readonly TrialReading[] {
    return addReadings(this.#shards.all.flatMap(({ report }) => report?.trials ?? []));
  }

  /** The keeper serves nobody that would notice. */
  loopDelayed(): void {}

  async close(deadlineMs: number, mayLeave?: () => Promise<void>): Promise<void> {
    await this.#plane.close(deadlineMs, mayLeave);
    await this.#shards.end();
  }

  async cede(deadlineMs: number): Promise<void> {
    await this.#plane.cede(deadlineMs);
    await this.#shards.end();
  }

  #begin(shard: ShardProcess): void {
    const { settings, count, credentialsNow, firstSlices, logSampleRatio, plane } = this.options;
    for (const port of this.#ports.all) shard.hand(port);
    shard.send({
      kind: "begin",
      settings,
      machine: this.#machineNow(),
      inbound: { host: plane.inbound.host, port: this.#plane.inboundPort },
      credentials: credentialsNow(),
      inForce: this.#inForce,
      virtual: this.virtual.all,
      firstSlices: firstSlices(),
      logSampleRatio,
      shards: count,
      own: shard.own,
    });
    this.#asks.came(shard);
  }

  #heard(shard: ShardProcess, message: FromShard): void {
    const { plane, lines } = this.options;
    switch (message.kind) {
      case "lines":
        return lines(message.to, message.text);
      case "ask":
        return plane.ask();
      case "confirmed":
        return plane.confirmed(message.key);
      case "kept":
        return this.#kept(shard, message.traces);
      case "policy-call":
        return this.#policies.take(shard, message);
      case "ask-budgets":
        return void this.#askBudgets(shard, message);
      case "policy-trip":
        return this.#policies.trip(message);
      case "line":
      case "lost":
      case "answered":
        return this.#asks.heard(shard, message);
    }
  }

  /** Each event loop has what it holds for itself. */
  async #askBudgets(
    shard: ShardProcess,
    { number, asks }: Extract<FromShard, { kind: "ask-budgets" }>,
  ): Promise<void> {
    const grants = await this.options.plane.askBudgets?.(asks, shard.own).catch(() => null);
    shard.send({ kind: "budgets", number, grants: grants ?? null });
  }

  /** The other shards may have parts of what one of them keeps. */
  #kept(from: ShardProcess, traces: Readonly<Record<string, readonly string[]>>): void {
    const { kept, settings } = this.options;
    const { [settings.node]: here = [], ...elsewhere } = traces;
    for (const shard of this.#shards.all) if (shard !== from) shard.send({ kind: "keep", traces: here });
    if (Object.keys(elsewhere).length > 0) kept(elsewhere);
  }

  /** With the ports that took effect: a shard has no say in them. */
  #machineNow(): MachineDocument {
    return { ...this.#machine, services: withPorts(this.#machine.services, this.#plane.addresses) };
  }
}

/** `addresses` are in the order of the services, the HTTP listener of each before its upstreams. */
function withPorts(services: readonly MachineService[], addresses: DataPlane["addresses"]): MachineService[] {
  const left = [...addresses];
  return services.map((service) => {
    const key = serviceKey(service.service);
    const [first] = left;
    const own =
      first !== undefined && first.service === key && first.upstream === null ? left.shift() : undefined;
    const upstreams = service.upstreams.map((each) =>
      each.port === null ? each : { ...each, port: left.shift()?.port ?? each.port },
    );
    return { ...service, httpPort: own?.port ?? service.httpPort, upstreams };
  });
}

/** Of counters that policies share a shard gets its part, most of it by what it wants; rates of services all shards share as they are. */
function slicesOf(
  own: Pick<Report, "asks"> | null,
  reports: readonly Pick<Report, "asks">[],
  slices: Readonly<Record<string, RateSlice>>,
): Record<string, RateSlice> {
  const count = Math.max(1, reports.length);
  const even = limits.rateSliceEvenRatio / count;
  const parts = Object.entries(slices).map(([name, slice]): [string, RateSlice] => {
    if (!isSharedCounter(name)) return [name, slice];
    const wantedOf = (report: Pick<Report, "asks"> | null): number =>
      report?.asks[name]?.wantedPerSecond ?? 0;
    const all = reports.reduce((sum, report) => sum + wantedOf(report), 0);
    const share = all === 0 ? 1 / count : even + (1 - limits.rateSliceEvenRatio) * (wantedOf(own) / all);
    return [
      name,
      { ...slice, perSecond: slice.perSecond * share, evenPerSecond: slice.evenPerSecond / count },
    ];
  });
  return Object.fromEntries(parts);
}

/** What all shards together want of counters that policies share, and hold. */
function sharedAsks(reports: readonly Pick<Report, "asks">[]): Record<string, SliceAsk> {
  const all: Record<string, SliceAsk> = {};
  for (const { asks } of reports)
    for (const [name, ask] of Object.entries(asks)) {
      if (!isSharedCounter(name)) continue;
      const { wantedPerSecond = 0, heldPerSecond = 0, sequence = 0 } = all[name] ?? {};
      all[name] = {
        wantedPerSecond: wantedPerSecond + ask.wantedPerSecond,
        heldPerSecond: heldPerSecond + ask.heldPerSecond,
        sequence: Math.max(sequence, ask.sequence),
      };
    }
  return all;
}

/**
 * `heddle proxy`: the data plane of this machine and what keeps it current. Starts from disk and serves before it has
 * spoken to anyone; controller and registry are followed from then on, for ever, whether they are there or not.
 */
import { socketAddress } from "../base/socket_address.ts";
import type { Clock, Runtime } from "../../runtime/contract.ts";
import { adminHandler } from "../admin/admin_pages.ts";
import type { ControlClient } from "../api/control.ts";
import { Shard } from "../http/shard.ts";
import { CredentialStore } from "../identity/credential_store.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { DataPlane } from "../proxy/data_plane.ts";
import type { Counter, Metrics } from "../telemetry/metrics.ts";
import { AddressedSnapshots } from "./addressed_snapshots.ts";
import { Answers } from "./answers.ts";
import { startChores } from "./chores.ts";
import { ControlPlaces } from "./control_places.ts";
import { controllerAsNode } from "./controller_link.ts";
import { examplesOf } from "./examples.ts";
import { exposeClearCallers } from "./clear_callers.ts";
import { LiveMachine } from "./live_machine.ts";
import { LiveTrust } from "./live_trust.ts";
import { UnitCallers } from "./unit_callers.ts";
import { MeshNames } from "./mesh_names.ts";
import { InstanceKeeper } from "./instance_keeper.ts";
import { MachineRenewal } from "./machine_renewal.ts";
import { servePlain } from "./plain_server.ts";
import { proxyAnswers, shardAnswers } from "./proxy_answers.ts";
import { ProxyObservation } from "./proxy_observation.ts";
import { GatewayWatch } from "./gateway_watch.ts";
import { pagesOf } from "./proxy_pages.ts";
import { standing } from "./proxy_standing.ts";
import { withShared } from "./shared_slices.ts";
import { startPolicies, type Policies } from "./policies.ts";
import { tellTrials } from "./trial_report.ts";
import { tellEjections } from "./tell_ejections.ts";
import { surviveFaults } from "./faults.ts";
import { modeMetrics } from "./process_metrics.ts";
import { exposeProxy, exposeTraffic } from "./proxy_metrics.ts";
import type { ProxyPlane } from "./proxy_plane.ts";
import { credentialsNow } from "./shards/credentials_now.ts";
import { shardsSize } from "./shards/shards_size.ts";
import { ShardedPlane, type ShardedPlaneOptions } from "./shards/sharded_plane.ts";
import type { ProxyTracing } from "./tracing.ts";
import type { Running } from "./running.ts";
import { adminPort, bindHost, redirectedTo, type Settings } from "./settings.ts";
import { SnapshotFollower } from "./snapshot_follower.ts";
import type { StateFolder } from "./state_folder.ts";
import { Succession } from "./succession.ts";
import { cedesBeside } from "./upgrade/cedes_beside.ts";
import type { StoredSocket } from "../systemd/socket_store.ts";
import { hostsName } from "../systemd/hosts.ts";
import { families } from "../telemetry/families.ts";

export interface ProxyModeOptions {
  /** Share of unremarkable exchanges in the access log; absent: as the mesh says. */
  readonly logSampleRatio?: number;
  readonly admin?: boolean;
  /** Event loops that carry traffic, from 2 on each in a process of its own; default: as the settings say, else one. */
  readonly shards?: number | "auto";
  /** Bytes that those may take together; default: half of what the machine has, or the control group of the proxy. */
  readonly shardsMemoryMax?: number;
  /** Sockets of the proxy that this one takes over from, which serves until this one does. */
  readonly given?: readonly StoredSocket[] | undefined;
}

export interface RunningProxy extends Running {
  /** Command lines that work on this machine. */
  readonly examples: readonly string[];
}

export async function startProxy(
  runtime: Runtime,
  folder: StateFolder,
  settings: Settings,
  options: ProxyModeOptions,
): Promise<RunningProxy> {
  const live = await LiveMachine.read(runtime, folder, settings);
  const store = new CredentialStore(runtime.files, folder.credentials);
  await store.load(live.services);
  return await new ProxyMode({ runtime, folder, settings, live, store, ...options }).start();
}

interface ProxyHost extends ProxyModeOptions {
  readonly runtime: Runtime;
  readonly folder: StateFolder;
  readonly settings: Settings;
  readonly live: LiveMachine;
  readonly store: CredentialStore;
}

/** Its parts. Those that need one another find it when they are called, and none is called before all are there. */
class ProxyMode {
  readonly #observation: ProxyObservation;
  readonly #trust: LiveTrust;
  readonly #shard: Shard;
  readonly #policies: Policies;
  readonly #succession: Succession;
  readonly #places: ControlPlaces;
  readonly #asNode: ControlClient;
  readonly #tracing: ProxyTracing;
  readonly #callers: UnitCallers;
  readonly #plane: ProxyPlane;
  /** null: all traffic is carried by this process. */
  readonly #sharded: ShardedPlane | null;
  readonly #meshNames: MeshNames;
  readonly #gateways: GatewayWatch;
  readonly #follower: SnapshotFollower;
  readonly #snapshots: AddressedSnapshots;
  readonly #answers: Answers;
  readonly #renewal: MachineRenewal;
  #ends = false;

  constructor(readonly host: ProxyHost) {
    const { runtime, folder, settings, live, store } = host;
    const { clock } = runtime;
    this.#observation = new ProxyObservation(runtime, settings, host.logSampleRatio ?? null);
    const { metrics, recorder } = this.#observation;
    surviveFaults(runtime, metrics, this.#log);
    this.#trust = new LiveTrust(store, settings.trustDomain, clock);
    this.#shard = new Shard(clock);
    this.#policies = startPolicies(
      runtime,
      folder,
      metrics,
      this.#log,
      settings.node,
      () => this.#sharded?.heldBindings() ?? [],
    );
    const { trials } = this.#policies.chain;
    recorder.watch((record) => trials.finished(record));
    this.#succession = new Succession(runtime, folder);
    this.#places = new ControlPlaces(runtime.files, folder, settings, this.#log);
    this.#asNode = controllerAsNode(runtime, this.#places, store);
    exposeClearCallers(metrics, runtime.files, () => live.now);
    this.#tracing = this.#observation.trace(this.#asNode, () => this.#plane.state?.zone ?? "");
    this.#callers = new UnitCallers({ runtime, machine: () => live.now, recorder });
    this.#plane = (this.#sharded = this.#makeSharded()) ?? this.#makePlane();
    this.#meshNames = this.#makeNames();
    this.#gateways = new GatewayWatch(runtime, () => this.#follower.report());
    this.#follower = this.#makeFollower();
    this.#snapshots = new AddressedSnapshots({
      ...{ names: runtime.names, clock, log: this.#log },
      apply: (snapshot) => this.#plane.apply(snapshot),
    });
    const plane = this.#plane;
    const traffic =
      this.#sharded?.answerers ?? shardAnswers({ recorder, plane, clock, policies: this.#policies.chain });
    this.#answers = new Answers(this.#asNode, proxyAnswers({ metrics, plane, runtime, folder, traffic }));
    this.#renewal = this.#makeRenewal();
  }

  get #log(): (text: string) => void {
    return this.#observation.logs.log;
  }

  #makePlane(): DataPlane {
    const plane = new DataPlane({
      ...this.#planeOptions(),
      shard: this.#shard,
      listening: this.#succession.net,
    });
    exposeTraffic(this.#observation.metrics, plane);
    return plane;
  }

  #makeSharded(): ShardedPlane | null {
    const { runtime, settings, store, logSampleRatio = null } = this.host;
    const { metrics, logs } = this.#observation;
    const size = shardsSize({ ...settings, ...this.host }, runtime.files);
    if (size.count === 1) return null;
    return new ShardedPlane({
      ...{ runtime, settings, metrics, logSampleRatio, ...size },
      bind: (options) => this.#succession.bind(options),
      credentialsNow: () => credentialsNow(store, this.#trust.denied),
      policyHost: this.#policies.host,
      firstSlices: () => Object.fromEntries(this.#follower.rates.even),
      lines: (to, text) => logs.pass(to, text),
      kept: (traces) => this.#tracing.pass(traces),
      plane: this.#planeOptions(),
    });
  }

  #planeOptions(): ShardedPlaneOptions["plane"] {
    const { runtime, settings, live } = this.host;
    const { net, random, files } = runtime;
    return {
      ...{ node: settings.node, files, net, random },
      recorder: this.#observation.recorder,
      tracer: this.#tracing.tracer,
      credentials: this.#trust,
      policies: this.#policies.chain,
      machine: live.now,
      ...listeningAt(settings),
      callerOf: this.#callers.of,
      ask: () => this.#follower.wanted.ask(),
      confirmed: (key) => this.#follower.wanted.confirm(key),
      firstSlice: (key) => this.#follower.rates.even.get(key) ?? null,
      askBudgets: (asks, part = 0) => this.#follower.askBudgets({ part, asks }),
      log: this.#log,
    };
  }

  #makeNames(): MeshNames {
    const { runtime, settings, folder, live } = this.host;
    const { metrics, recorder } = this.#observation;
    // systemd makes it, for the unit of the machine alone.
    const { RUNTIME_DIRECTORY: own } = runtime.process.env;
    return new MeshNames({
      ...{ runtime, settings, folder, metrics, machine: () => live.now, log: this.#log },
      hostsPath: own === undefined ? null : `${own}/${hostsName}`,
      listening: this.#succession.net,
      listeners: this.#plane.virtual,
      unitAt: (port) => this.#callers.unitAt(port),
      broken: (error) => this.#log(`a bug of heddle was met: ${String(error)}`),
      limitTripped: (limit, listener) => recorder.limitTripped(limit, listener),
    });
  }

  #makeFollower(): SnapshotFollower {
    const { runtime, folder, store, live } = this.host;
    return new SnapshotFollower({
      ...{ runtime, folder, store, machine: () => live.now, log: this.#log },
      control: controllerAsNode(runtime, this.#places, store),
      places: this.#places,
      policies: this.#policies,
      problems: () => this.#gateways.problems(),
      apply: (snapshot) => this.#apply(snapshot),
      rates: withShared(this.#plane.rates, this.#policies.chain.shared),
      unconfirmed: () => this.#plane.wanted(),
      missing: (keys) => this.#plane.missing(keys),
      asked: (line) => this.#answers.take(line),
      keep: (traceIds) => (this.#sharded ?? this.#tracing).keep(traceIds),
      disconnected: () => this.#answers.cancelAll(),
      refused: async () => {
        if (await store.reload(live.services)) this.#plane.credentialsChanged();
      },
    });
  }

  #makeRenewal(): MachineRenewal {
    const { runtime, folder, store, live } = this.host;
    return new MachineRenewal({
      ...{ runtime, folder, store, machine: () => live.now, log: this.#log },
      places: this.#places,
      renewals: renewalsCounted(this.#observation.metrics),
      renewed: () => {
        this.#plane.credentialsChanged();
        this.#follower.report();
      },
    });
  }

  async #apply(snapshot: Snapshot): Promise<void> {
    const { live, settings } = this.host;
    this.#trust.denied = new Set([...snapshot.deniedIds, ...snapshot.deniedSerials]);
    await this.#snapshots.apply(snapshot);
    this.#meshNames.apply(snapshot);
    this.#renewal.follow(snapshot.bundle);
    this.#observation.apply(snapshot);
    this.#gateways.apply(snapshot, live.now);
    for (const key of live.services.map(serviceKey))
      if (this.#plane.state?.locals.has(key)) this.#renewal.want(key);
      else this.#log(notAllowed(key, settings.node));
  }

  async start(): Promise<RunningProxy> {
    const { runtime, settings, store, live } = this.host;
    const { metrics, logs } = this.#observation;
    const [plane, follower, renewal, meshNames] = [
      this.#plane,
      this.#follower,
      this.#renewal,
      this.#meshNames,
    ];
    // The one that ends waits for this one from here on.
    await this.#succession
      .follow()
      .catch((error: Error) => this.#log(`cannot follow the one that ends: ${error.message}`));
    if (this.host.given !== undefined) this.#succession.takeOver(this.host.given);
    await follower.start();
    await plane.open();
    await meshNames.start();
    const instances = this.#makeInstances();
    const chores = startChores(runtime, this.#shard, logs);
    modeMetrics(runtime, metrics, "proxy", (ms) => plane.loopDelayed(ms));
    const telling = tellEjections(this.#asNode, runtime.clock, plane);
    const { trials } = this.#policies.chain;
    const trying = tellTrials(
      this.#asNode,
      runtime.clock,
      () => this.#sharded?.trials() ?? trials.readings(),
    );
    exposeProxy(metrics, { clock: runtime.clock, plane, store, follower });
    const admin = this.host.admin === false ? null : this.#serveAdmin(instances);
    await this.#succession
      .stand()
      .catch((error: Error) => this.#log(`cannot tell the one that ends: ${error.message}`));
    return {
      summary: summaryOf(settings, plane),
      examples: examplesOf(plane.addresses, live.now, settings),
      ...standing(settings, store, plane, runtime.clock),
      reload: () => live.reload({ plane, instances, renewal, meshNames, follower, store }),
      ceding: cedesBeside({
        ...{ plane, follower, renewal, instances, admin, telling: [meshNames, telling] },
        ...{ succession: this.#succession, answers: this.#answers, observation: this.#observation },
        ends: () => void (this.#ends = true),
      }),
      close: async (deadlineMs) => {
        await this.#drain(instances, deadlineMs);
        // What came for the sockets that close now while the loop was busy is read first: the kernel drops it else.
        await after(runtime.clock, 1);
        const own = [this.#callers, this.#asNode, this.#gateways];
        for (const each of [meshNames, telling, trying, chores, ...own]) each.close();
        this.#policies.close();
        await admin?.close(0);
        await this.#succession.end();
      },
    };
  }

  #makeInstances(): InstanceKeeper {
    const { runtime, settings, store, live } = this.host;
    return new InstanceKeeper({
      ...{ runtime, settings, store, machine: live.now, places: this.#places, log: this.#log },
      health: (key) => this.#plane.state?.locals.get(key)?.local.health ?? null,
    });
  }

  #serveAdmin(instances: InstanceKeeper) {
    const { runtime, settings, store, live } = this.host;
    const { clock } = runtime;
    const shown = {
      ...{ clock, store, instances, machine: () => live.now, metrics: this.#observation.metrics },
      places: this.#places,
      ...{ follower: this.#follower, plane: this.#plane },
      policies: this.#policies,
      ...{ meshNames: this.#meshNames, gateways: this.#gateways },
      ends: () => this.#ends,
      accepts: () => this.#sharded?.accepts ?? true,
      ...(this.#sharded === null ? {} : { gather: this.#sharded.gather }),
    };
    const listen = { host: settings.loopback, port: adminPort(settings, "proxy") };
    const pages = adminHandler(pagesOf(shown));
    return servePlain({ net: this.#succession.net, clock }, listen, pages);
  }

  /** Lets what is under way finish, also what apps that end now still call. */
  async #drain(instances: InstanceKeeper, deadlineMs: number): Promise<void> {
    const { clock } = this.host.runtime;
    this.#ends = true;
    this.#renewal.close();
    await this.#succession
      .begin()
      .catch((error: Error) => this.#log(`no successor may start yet: ${error.message}`));
    // Nobody waits for a registry that is away.
    const beganMs = clock.now();
    const stopped = instances.unitsStopped(deadlineMs);
    await Promise.race([instances.close(), after(clock, limits.controlDrainMs)]);
    await stopped;
    const leftMs = Math.max(0, deadlineMs - (clock.now() - beganMs));
    await this.#plane.close(leftMs, () => this.#succession.followed());
    this.#snapshots.close();
    // Until now it heard of what was revoked.
    this.#follower.close();
    this.#answers.cancelAll();
    await this.#observation.close();
  }
}

function summaryOf(settings: Settings, { state }: Pick<DataPlane, "state">): string {
  const inbound = socketAddress(bindHost(settings), settings.ports.inbound);
  const waits = state === null ? ", waiting for the first snapshot" : "";
  return `proxy: ${settings.node} of ${settings.trustDomain}, inbound ${inbound}${waits}`;
}

function listeningAt(settings: Settings) {
  const { inbound: port, outboundFirst: outboundFirstPort } = settings.ports;
  const inbound = { host: bindHost(settings), port };
  const redirected = redirectedTo(settings);
  return { inbound, loopback: settings.loopback, outboundFirstPort, redirected };
}

function renewalsCounted(metrics: Metrics): { readonly ok: Counter; readonly failed: Counter } {
  const renewals = metrics.counter(families.identityRenewals);
  return { ok: renewals("ok"), failed: renewals("failed") };
}

function notAllowed(key: string, node: string): string {
  return `${key} is not allowed on this machine; on the controller's: heddle node allow ${node} --service ${key}`;
}

function after(clock: Clock, ms: number): Promise<void> {
  return new Promise((done) => void clock.after(ms, done, true));
}

/**
 * `heddle proxy`: the data plane of this machine and what keeps it current. Starts from disk and serves before it has
 * spoken to anyone; controller and registry are followed from then on, for ever, whether they are there or not.
 */
import { humanDuration } from "../base/duration.ts";
import { socketAddress } from "../base/socket_address.ts";
import type { Clock, Runtime } from "../../runtime/contract.ts";
import { adminHandler, type AdminPages } from "../admin/admin_pages.ts";
import type { ControlClient } from "../api/control.ts";
import { Shard } from "../http/shard.ts";
import { CredentialStore } from "../identity/credential_store.ts";
import type { Trust } from "../identity/verify_peer.ts";
import type { MachineDocument } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { serviceKey } from "../model/service.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { DataPlane } from "../proxy/data_plane.ts";
import type { Credentials } from "../proxy/state/credentials.ts";
import type { Counter, Metrics } from "../telemetry/metrics.ts";
import type { ProxyTelemetry } from "../telemetry/proxy_telemetry.ts";
import { Answers } from "./answers.ts";
import { every, startChores } from "./chores.ts";
import { ControlPlaces } from "./control_places.ts";
import { controllerAsNode } from "./controller_link.ts";
import { examplesOf } from "./examples.ts";
import { LiveMachine } from "./live_machine.ts";
import { UnitCallers } from "./unit_callers.ts";
import { MeshNames, type MeshNamesOptions } from "./mesh_names.ts";
import { InstanceKeeper } from "./instance_keeper.ts";
import { MachineRenewal } from "./machine_renewal.ts";
import { servePlain } from "./plain_server.ts";
import { proxyAnswers } from "./proxy_answers.ts";
import { ProxyObservation } from "./proxy_observation.ts";
import { startPolicies, type Policies } from "./policies.ts";
import { ejectionsOf } from "./endpoint_states.ts";
import { EjectionReport } from "./ejection_report.ts";
import { surviveFaults } from "./faults.ts";
import { processMetrics } from "./process_metrics.ts";
import { exposeProxy } from "./proxy_metrics.ts";
import type { Running } from "./running.ts";
import { adminPort, bindHost, type Settings } from "./settings.ts";
import { SnapshotFollower } from "./snapshot_follower.ts";
import type { StateFolder } from "./state_folder.ts";
import { Succession } from "./succession.ts";
import { hostsName } from "../systemd/hosts.ts";
import { families } from "../telemetry/families.ts";

export interface ProxyModeOptions {
  /** Share of unremarkable exchanges in the access log; absent: as the mesh says. */
  readonly logSampleRatio?: number;
  readonly admin?: boolean;
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
  const { files, clock } = runtime;
  const live = await LiveMachine.read(runtime, folder, settings);
  const machine = (): MachineDocument => live.now;
  const store = new CredentialStore(files, folder.credentials);
  await store.load(live.services);
  const observation = new ProxyObservation(runtime, settings, options.logSampleRatio ?? null);
  const { metrics, recorder, logs } = observation;
  const { log } = logs;
  surviveFaults(runtime, metrics, log);
  const trust = new LiveTrust(store, settings.trustDomain, clock);
  const shard = new Shard(clock);
  const policies = startPolicies(runtime, folder, shard, metrics, log);
  const succession = new Succession(runtime, folder);
  const places = new ControlPlaces(files, folder, settings, log);
  const asNode = controllerAsNode(runtime, places, store);
  const tracing = observation.trace(asNode, () => plane.state?.zone ?? "");
  const callers = new UnitCallers({ runtime, machine, recorder });
  let ends = false;
  const plane = new DataPlane({
    node: settings.node,
    net: runtime.net,
    listening: succession.net,
    shard,
    random: runtime.random,
    recorder,
    tracer: tracing.tracer,
    credentials: trust,
    policies: policies.chain,
    machine: live.now,
    ...listeningAt(settings),
    callerOf: callers.of,
    ask: () => follower.wanted.ask(),
    confirmed: (key) => follower.wanted.confirm(key),
    firstSlice: (key) => follower.rates.even.get(key) ?? null,
    log,
  });
  const parts = { machine, folder, metrics, recorder, log, plane, succession, callers };
  const meshNames = namesOfMesh(runtime, settings, parts);
  const apply = (snapshot: Snapshot): void => {
    trust.denied = new Set([...snapshot.deniedIds, ...snapshot.deniedSerials]);
    plane.apply(snapshot);
    meshNames.apply(snapshot);
    renewal.follow(snapshot.bundle);
    observation.apply(snapshot);
    for (const key of live.services.map(serviceKey))
      if (plane.state?.locals.has(key)) renewal.want(key);
      else log(notAllowed(key, settings.node));
  };
  const follower = new SnapshotFollower({
    runtime,
    folder,
    places,
    store,
    machine,
    policies,
    apply,
    rates: plane.rates,
    unconfirmed: () => plane.wanted(),
    missing: (keys) => plane.missing(keys),
    asked: (line) => answers.take(line),
    keep: (traceIds) => tracing.keep(traceIds),
    disconnected: () => answers.cancelAll(),
    refused: async () => {
      if (await store.reload(live.services)) plane.credentialsChanged();
    },
    log,
  });
  const answers = new Answers(asNode, proxyAnswers({ metrics, recorder, plane, clock }));
  const renewal = new MachineRenewal({
    runtime,
    places,
    store,
    machine,
    folder,
    log,
    renewals: renewalsCounted(metrics),
    renewed: () => {
      plane.credentialsChanged();
      follower.report();
    },
  });
  await follower.start();
  await succession.follow().catch((error: Error) => log(`cannot follow the one that ends: ${error.message}`));
  plane.open();
  await meshNames.start();
  const instances = new InstanceKeeper({
    runtime,
    settings,
    places,
    store,
    machine: live.now,
    log,
    health: (key) => plane.state?.locals.get(key)?.local.health ?? null,
  });
  const chores = startChores(runtime, shard, logs);
  processMetrics(runtime, metrics, "proxy", (ms) => plane.loopDelayed(ms));
  const telling = tellEjections(asNode, clock, plane);
  exposeProxy(metrics, { clock, plane, store, follower });
  const shown = { places, machine, store, follower, plane, policies, instances, meshNames, metrics, clock };
  const admin =
    options.admin === false
      ? null
      : serveAdmin(
          { net: succession.net, clock },
          settings,
          pagesOf(shown, () => ends),
        );
  return {
    summary: `proxy: ${settings.node} of ${settings.trustDomain}, inbound ${socketAddress(bindHost(settings), settings.ports.inbound)}${plane.state === null ? ", waiting for the first snapshot" : ""}`,
    examples: examplesOf(plane.addresses, live.now, settings),
    ...standing(settings, store, plane, clock),
    reload: () => live.reload({ plane, instances, renewal, meshNames, follower, store }),
    close: async (deadlineMs) => {
      ends = true;
      renewal.close();
      await succession.begin().catch((error: Error) => log(`no successor may start yet: ${error.message}`));
      // Nobody waits for a registry that is away.
      const beganMs = clock.now();
      const stopped = instances.unitsStopped(deadlineMs);
      await Promise.race([instances.close(), after(clock, limits.controlDrainMs)]);
      await stopped;
      await plane.close(Math.max(0, deadlineMs - (clock.now() - beganMs)));
      // Until now it heard of what was revoked.
      follower.close();
      answers.cancelAll();
      await observation.close();
      for (const each of [callers, meshNames, telling, asNode, chores]) each.close();
      policies.close();
      await admin?.close(0);
      await succession.end();
    },
  };
}

function listeningAt(settings: Settings) {
  const { inbound: port, outboundFirst: outboundFirstPort } = settings.ports;
  return { inbound: { host: bindHost(settings), port }, loopback: settings.loopback, outboundFirstPort };
}

function tellEjections(control: ControlClient, clock: Clock, plane: DataPlane): { close(): void } {
  const report = new EjectionReport(control, clock, () => ejectionsOf(plane.state, clock.now()));
  return every(clock, limits.ejectionsLookMs, () => report.look());
}

function renewalsCounted(metrics: Metrics): { readonly ok: Counter; readonly failed: Counter } {
  const renewals = metrics.counter(families.identityRenewals);
  return { ok: renewals("ok"), failed: renewals("failed") };
}

function notAllowed(key: string, node: string): string {
  return `${key} is not allowed on this machine; on the controller's: heddle node allow ${node} --service ${key}`;
}

interface NamesParts extends Pick<MeshNamesOptions, "machine" | "folder" | "metrics" | "log"> {
  readonly callers: UnitCallers;
  readonly recorder: ProxyTelemetry;
  readonly plane: DataPlane;
  readonly succession: Succession;
}

function namesOfMesh(runtime: Runtime, settings: Settings, parts: NamesParts): MeshNames {
  const { recorder, plane, succession, callers, ...rest } = parts;
  // systemd makes it, for the unit of the machine alone.
  const { RUNTIME_DIRECTORY: folder } = runtime.process.env;
  return new MeshNames({
    ...{ runtime, settings, ...rest },
    hostsPath: folder === undefined ? null : `${folder}/${hostsName}`,
    listening: succession.net,
    listeners: plane.virtual,
    unitAt: (port) => callers.unitAt(port),
    broken: (error) => rest.log(`a bug of heddle was met: ${String(error)}`),
    limitTripped: (limit, listener) => recorder.limitTripped(limit, listener),
  });
}

/** As a service manager hears of it. The listeners stand by now. */
function standing(
  { node }: Settings,
  store: Pick<CredentialStore, "node">,
  plane: Pick<DataPlane, "state">,
  clock: Clock,
): Pick<Running, "waitsFor" | "status"> {
  return {
    waitsFor: () => [
      ...(store.node === null ? ["this machine's certificate"] : []),
      ...(plane.state === null ? ["the first configuration from the controller"] : []),
    ],
    status: () => {
      const version = plane.state?.snapshot.version.slice(0, 8) ?? "none";
      const leftMs = (store.node?.notAfterMs ?? 0) - clock.wallMs();
      const identity = leftMs > 0 ? `${humanDuration(leftMs)} left` : "ended";
      const count = plane.state?.locals.size ?? 0;
      const services = count === 1 ? "1 service" : `${count} services`;
      return `serving ${services} of ${node}, config ${version}, identity ${identity}`;
    },
  };
}

/** What any user of the machine may see of it. */
function withoutKeys(snapshot: Snapshot): Snapshot {
  const destinations = snapshot.destinations.map(({ sessionKey: _, sessionKeyBefore: __, ...rest }) => rest);
  return { ...snapshot, destinations };
}

interface Shown {
  readonly places: ControlPlaces;
  readonly machine: () => MachineDocument;
  readonly store: CredentialStore;
  readonly follower: SnapshotFollower;
  readonly plane: DataPlane;
  readonly policies: Policies;
  readonly instances: InstanceKeeper;
  readonly meshNames: MeshNames;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

function pagesOf(
  { places, machine, store, follower, plane, policies, instances, meshNames, metrics, clock }: Shown,
  ends: () => boolean,
): AdminPages {
  return {
    metrics,
    ready: () => ({
      identity: store.node !== null,
      member: follower.member,
      snapshot: plane.state !== null,
      listeners: !ends(),
      policies: policies.ready(),
    }),
    config: () => ({
      settings: places.inForce,
      machine: machine(),
      ending: ends(),
      snapshot: plane.state === null ? null : withoutKeys(plane.state.snapshot),
      policies: policies.status(),
      apps: instances.status(),
      names: meshNames.status(),
      ejected: ejectionsOf(plane.state, clock.now()),
    }),
  };
}

function serveAdmin(host: Pick<Runtime, "net" | "clock">, settings: Settings, pages: AdminPages) {
  const listen = { host: settings.loopback, port: adminPort(settings, "proxy") };
  return servePlain(host, listen, adminHandler(pages));
}

/** Identity as the data plane sees it: what is on disk, unless it has ended. */
class LiveTrust implements Credentials {
  denied: ReadonlySet<string> = new Set();
  #trust: Trust | null = null;

  constructor(
    readonly store: CredentialStore,
    readonly trustDomain: string,
    readonly clock: Clock,
  ) {}

  of(key: string) {
    const credential = this.store.service(key);
    return credential === null || credential.notAfterMs < this.clock.wallMs() ? null : credential.tls;
  }

  trust(): Trust {
    const rootsPem = this.store.bundle?.rootsPem ?? [];
    const { denied, trustDomain } = this;
    if (this.#trust === null || this.#trust.rootsPem !== rootsPem || this.#trust.denied !== denied)
      this.#trust = { trustDomain, rootsPem, denied };
    return this.#trust;
  }
}

function after(clock: Clock, ms: number): Promise<void> {
  return new Promise((done) => void clock.after(ms, done, true));
}

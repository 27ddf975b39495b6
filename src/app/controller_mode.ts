/** `heddle controller`: authority, registry client and controller on one port, and the renewal of its machine's credentials. */
import { socketAddress, type Address } from "../base/socket_address.ts";
import type { Files, Runtime } from "../../runtime/contract.ts";
import { adminHandler } from "../admin/admin_pages.ts";
import { RegistryClient } from "../api/registry_client.ts";
import { UserError } from "../base/user_error.ts";
import type { OwnPlace, PlaceKeeper } from "../controller/control_place.ts";
import { Controller } from "../controller/controller.ts";
import { reachMachine } from "../controller/issue/reach.ts";
import { createPolicyBundler } from "../controller/policies.ts";
import { createControlClient } from "../api/control_client.ts";
import { BodyRoom } from "../api/body_room.ts";
import type { ControlClient, ControlHandler, ControlIdentity } from "../api/control.ts";
import { serveControl, type ControlServer } from "../api/control_server.ts";
import { Shard } from "../http/shard.ts";
import { KeptListeners } from "./kept_listeners.ts";
import { strangerBounds, Strangers } from "../http/strangers.ts";
import { Renewal } from "../identity/renewal.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import { controllerId } from "../model/identity.ts";
import { limits } from "../model/limits.ts";
import { limitTrips } from "../telemetry/limit_trips.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { issueModeCredentials, readAuthority } from "./authority_file.ts";
import { exposeController, pushHistogram } from "./controller_metrics.ts";
import { Dashboard } from "./dashboard.ts";
import { exposeCredential, ModeCredentialFile } from "./mode_credential.ts";
import { ModeTelemetry } from "./mode_telemetry.ts";
import { servePlain } from "./plain_server.ts";
import { scrapePages } from "./scrape_pages.ts";
import type { Running } from "./running.ts";
import { adminPort, bindHost, settingsIn, writeSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";
import { endsBefore } from "./upgrade/ends_before.ts";
import type { StoredSocket } from "../systemd/socket_store.ts";

export interface RunningController extends Running {
  readonly controller: Controller;
}

export async function startController(
  runtime: Runtime,
  folder: StateFolder,
  settings: Settings,
  options: { readonly admin?: boolean; readonly given?: readonly StoredSocket[] | undefined } = {},
): Promise<RunningController> {
  const { clock, files, random } = runtime;
  const kept = new KeptListeners(runtime, options.given);
  const { net } = kept;
  const authority = await readAuthority(files, clock, folder);
  if (authority === null) {
    throw new UserError(
      `Cannot start the controller: there is no authority in ${folder.authority}`,
      "heddle init makes one; if this machine had one, restore its state folder",
    );
  }
  const { trustDomain, leafMs } = settings;
  const telemetry = new ModeTelemetry(runtime, settings, "controller");
  const { metrics, log } = telemetry;
  const credential = new ModeCredentialFile(files, folder.controllerCredential);
  const renewOwn = async (): Promise<void> => {
    await issueModeCredentials(files, folder, authority, settings, clock.wallMs());
    await credential.load();
  };
  // The authority is right here: after a long absence the modes of this machine simply get new credentials.
  if (((await credential.load())?.notAfterMs ?? 0) - clock.wallMs() < leafMs / 2) await renewOwn();
  const renewal = new Renewal({
    clock,
    random,
    life: () => credential.current,
    renew: renewOwn,
    attempted: (problem) => {
      if (problem !== null) log(`cannot renew its own credential: ${problem}`);
    },
  });
  const shard = new Shard(clock);
  const ownIdentity = () => ({ ...credential.identity(), rootsPem: authority.bundle.rootsPem });
  let registries: readonly Address[] = settings.registries;
  const control = createControlClient({
    ...{ net, clock, shard, servers: () => registries, serverName: "registry.heddle" },
    identity: () => credential.identity(),
    expect: (id) => principalOf(id, trustDomain)?.kind === "registry",
  });
  telemetry.apply({});
  const handler: ControlHandler = (request, env) => controller.app.fetch(request, env);
  const dashboard = new Dashboard(runtime, settings, { handler, log });
  const controller: Controller = new Controller({
    clock,
    pushed: pushHistogram(metrics),
    telemetry: telemetry.apply,
    authority,
    registryClient: new RegistryClient(control, clock, random),
    bundler: createPolicyBundler(runtime),
    leafMs,
    place: ownPlace(files, folder, settings, (place) => {
      registries = place.registries;
    }),
    rootsChanged: renewOwn,
    admit: (caller) => dashboard.admit(caller),
    ownNode: settings.node,
    registryStore: settings.store ?? null,
    connectPeer: (machine, servers) =>
      peerLink({ net, clock, shard }, servers, ownIdentity, controllerId(trustDomain, machine)),
    reach: (address, port) => reachMachine(net, address, port),
    log,
  });
  const trips = limitTrips(metrics);
  const server = serveControl({
    net,
    clock,
    shard,
    listen: { host: bindHost(settings), port: settings.controllers[0].port },
    identity: ownIdentity,
    peer: "optional",
    strangers: new Strangers({
      clock,
      bounds: strangerBounds.control,
      onLimit: (limit) => trips(limit, "control"),
    }),
    bodies: new BodyRoom((limit) => trips(limit, "control")),
    handler,
  });
  dashboard.begin();
  exposeCredential(metrics, clock, credential);
  exposeController(metrics, controller.publisher);
  const admin = options.admin === false ? null : serveAdmin({ net, clock }, settings, metrics, controller);
  const end = async (deadlineMs: number): Promise<void> => {
    renewal.close();
    controller.close();
    const drainMs = Math.min(deadlineMs, limits.controlDrainMs);
    await Promise.all([server.close(drainMs), admin?.close(0), dashboard.close(), telemetry.close()]);
    control.close();
  };
  return {
    controller,
    summary: `controller: serving ${trustDomain} on ${socketAddress(bindHost(settings), server.port)}`,
    ...standing(controller, trustDomain),
    ...endsBefore(kept, end),
  };
}

function peerLink(
  host: Pick<Runtime, "net" | "clock"> & { readonly shard: Shard },
  servers: readonly Address[],
  identity: () => ControlIdentity,
  meant: string,
): ControlClient {
  const expect = (id: string): boolean => id === meant;
  return createControlClient({ ...host, servers, identity, expect, serverName: "controller.heddle" });
}

/** As its settings have it, where it is kept. */
function ownPlace(
  files: Files,
  folder: StateFolder,
  settings: Settings,
  changed: (place: OwnPlace) => void,
): PlaceKeeper {
  let now: OwnPlace = settings;
  return {
    now: () => now,
    change: async ({ controllers, registries }) => {
      const bytes = await files.read(folder.settings);
      const written = bytes === null ? settings : settingsIn(bytes, folder.settings);
      await writeSettings(files, folder, { ...written, controllers, registries });
      now = { controllers, registries };
      changed(now);
    },
  };
}

function serveAdmin(
  runtime: Pick<Runtime, "net" | "clock">,
  settings: Settings,
  metrics: Metrics,
  controller: Controller,
): ControlServer {
  const pages = {
    metrics,
    ready: () => ({ registry: controller.ready, listener: true }),
    config: () => ({ settings }),
    more: scrapePages(controller.scrape, settings),
  };
  const listen = { host: settings.loopback, port: adminPort(settings, "controller") };
  return servePlain(runtime, listen, adminHandler(pages));
}

/** As a service manager hears of it. */
function standing(
  controller: Pick<Controller, "ready" | "catalog">,
  trustDomain: string,
): Pick<Running, "waitsFor" | "status"> {
  return {
    waitsFor: () => (controller.ready ? [] : ["the registry"]),
    status: () => `serving ${trustDomain}, machines: ${controller.catalog.nodes.size}`,
  };
}

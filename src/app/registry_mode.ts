/** `heddle registry`: the store behind its API, on mTLS. */
import { socketAddress } from "../base/socket_address.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { adminHandler } from "../admin/admin_pages.ts";
import { UserError } from "../base/user_error.ts";
import { BodyRoom } from "../api/body_room.ts";
import { serveControl, type ControlServer } from "../api/control_server.ts";
import { Shard } from "../http/shard.ts";
import { KeptListeners } from "./kept_listeners.ts";
import { strangerBounds, Strangers } from "../http/strangers.ts";
import { limits } from "../model/limits.ts";
import { createRegistry, type Registry } from "../registry/server.ts";
import type { Store } from "../registry/store.ts";
import { limitTrips } from "../telemetry/limit_trips.ts";
import { followMeshTelemetry } from "./mesh_telemetry.ts";
import { exposeCredential, ModeCredentialFile } from "./mode_credential.ts";
import { ModeTelemetry } from "./mode_telemetry.ts";
import { servePlain } from "./plain_server.ts";
import { openStore } from "./registry_store.ts";
import type { Running } from "./running.ts";
import { adminPort, bindHost, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { endsBefore } from "./upgrade/ends_before.ts";
import type { StoredSocket } from "../systemd/socket_store.ts";
import { families } from "../telemetry/families.ts";

export interface RegistryModeOptions {
  /** Another store than the one on disk. */
  readonly store?: Store;
  /** false: some other mode of this process serves the admin pages. */
  readonly admin?: boolean;
  /** Sockets of the process that this one takes over from. */
  readonly given?: readonly StoredSocket[] | undefined;
}

export async function startRegistry(
  runtime: Runtime,
  folder: StateFolder,
  settings: Settings,
  options: RegistryModeOptions = {},
): Promise<Running> {
  const { clock, files } = runtime;
  const kept = new KeptListeners(runtime, options.given);
  const { net } = kept;
  const credential = new ModeCredentialFile(files, folder.registryCredential);
  if ((await credential.load()) === null) {
    throw new UserError(
      `Cannot start the registry: ${folder.registryCredential} is missing`,
      "It is written by heddle init and renewed by the controller",
    );
  }
  const renewed = credential.follow(clock, limits.credentialFileLookMs);
  const { trustDomain } = settings;
  const telemetry = new ModeTelemetry(runtime, settings, "registry");
  const { metrics, log } = telemetry;
  const changed = (problem: string | null): void => {
    log(problem ?? "etcd answers again");
    // Whoever watches here shall watch elsewhere.
    if (problem !== null) registry.drain();
  };
  const store =
    options.store ??
    (await openStore(runtime, folder, settings, {
      changed,
      waiting: (problem) => log(`waits for etcd: ${problem}`),
    }));
  const registry: Registry = createRegistry({ store, clock, random: runtime.random, trustDomain });
  const following = followMeshTelemetry(store, telemetry.apply);
  const trips = limitTrips(metrics);
  const server = serveControl({
    net,
    clock,
    shard: new Shard(clock),
    listen: { host: bindHost(settings), port: settings.registries[0].port },
    identity: () => credential.identity(),
    peer: "required",
    strangers: new Strangers({
      clock,
      bounds: strangerBounds.control,
      onLimit: (limit) => trips(limit, "registry"),
    }),
    bodies: new BodyRoom((limit) => trips(limit, "registry")),
    handler: (request, env) => registry.app.fetch(request, env),
  });
  exposeCredential(metrics, clock, credential);
  const revision = metrics.gauge(families.registryRevision);
  metrics.collect(() => revision().set(store.revision()));
  const admin = options.admin === false ? null : serveAdmin({ net, clock }, settings, metrics, store);
  const end = async (deadlineMs: number): Promise<void> => {
    renewed.close();
    following();
    registry.drain();
    const drained = server.close(Math.min(deadlineMs, limits.controlDrainMs));
    await Promise.all([drained, admin?.close(0), telemetry.close()]);
    store.close();
  };
  return {
    summary: `registry: serving ${settings.trustDomain} on ${socketAddress(bindHost(settings), server.port)}, revision ${store.revision()}`,
    waitsFor: () => (store.problem() === null ? [] : ["etcd"]),
    status: () => `serving ${settings.trustDomain}, revision ${store.revision()}`,
    ...endsBefore(kept, end),
  };
}

function serveAdmin(
  runtime: Pick<Runtime, "net" | "clock">,
  settings: Settings,
  metrics: Metrics,
  store: Store,
): ControlServer {
  const pages = {
    metrics,
    ready: () => ({ store: store.problem() === null, listener: true }),
    config: () => ({ settings, revision: store.revision() }),
  };
  const listen = { host: settings.loopback, port: adminPort(settings, "registry") };
  return servePlain(runtime, listen, adminHandler(pages));
}

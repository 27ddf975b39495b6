/** The local services in the registry: each one's app is probed, and its instance registered with what the probe says. */
import type { Runtime } from "../../runtime/contract.ts";
import { RegistryClient } from "../api/registry_client.ts";
import { createControlClient } from "../api/control_client.ts";
import { Shard } from "../http/shard.ts";
import type { CredentialStore } from "../identity/credential_store.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import type { MachineDocument, MachineService } from "../model/document.ts";
import type { HealthCheck } from "../model/service_traits.ts";
import { limits } from "../model/limits.ts";
import { instanceId, serviceKey, type ServiceName } from "../model/service.ts";
import { Probe } from "../proxy/upstream/probe.ts";
import { UnitWatch, type UnitState } from "../systemd/unit_watch.ts";
import { execLook } from "./exec_look.ts";
import { unitsStopped } from "./unit_ends.ts";
import type { ControlPlaces } from "./control_places.ts";
import { Registration } from "./registration.ts";
import type { Settings } from "./settings.ts";

export interface InstanceKeeperOptions {
  readonly runtime: Runtime;
  readonly settings: Settings;
  readonly places: Pick<ControlPlaces, "registries">;
  readonly store: CredentialStore;
  /** What runs here when it starts; `change` has another. */
  readonly machine: MachineDocument;
  /** The check of the Service document, when the machine's says nothing. */
  readonly health: (key: string) => HealthCheck | null;
  readonly log: (text: string) => void;
}

/** Without one, the probe alone tells how an app is. */
const noUnit = { close() {} };

interface Kept {
  readonly as: string;
  readonly service: MachineService;
  readonly probe: Probe;
  /** Why it is not ready; null while it is, and before the first look. */
  problem(): string | null;
  /** `stays`: its registration, which somebody else renews. */
  close(stays?: boolean): Promise<void>;
}

interface Registered extends Pick<MachineService, "port" | "labels"> {
  readonly weight?: number;
  readonly apart?: true;
}

export class InstanceKeeper {
  /** By key of the service. */
  readonly #clients = new Map<string, RegistryClient>();
  readonly #units: UnitWatch;
  #machine: MachineDocument;
  #kept: readonly Kept[];
  /** Gateways that run here, by what they are registered as: callers of external services go by them. */
  readonly #gateways = new Map<string, Registration>();

  constructor(readonly options: InstanceKeeperOptions) {
    const { net, clock, random, process } = options.runtime;
    this.#units = new UnitWatch({ net, clock, random, process, log: options.log });
    this.#machine = options.machine;
    this.#kept = this.#machine.services.map((service) => this.#keep(service));
    this.#keepGateways();
  }

  /** Other apps run here from now on. Those that are the same as before go on; those that went leave at once. */
  async change(machine: MachineDocument): Promise<void> {
    const before = this.#kept;
    this.#machine = machine;
    const stays = (service: MachineService): Kept | undefined =>
      before.find((each) => each.as === this.#registeredAs(service));
    const kept = machine.services.flatMap((service) => stays(service) ?? []);
    this.#kept = kept;
    await Promise.all(before.filter((each) => !kept.includes(each)).map((each) => each.close()));
    this.#kept = machine.services.map((service) => stays(service) ?? this.#keep(service));
    await this.#dropGateways((as) => this.#gatewaysAs().has(as));
    this.#keepGateways();
  }

  #gatewaysAs(): Map<string, ServiceName> {
    const { zone, region, network, gateways = [] } = this.#machine;
    return new Map(gateways.map((service) => [JSON.stringify([service, zone, region, network]), service]));
  }

  /** A gateway is ready as long as its proxy is. */
  #keepGateways(): void {
    for (const [as, service] of this.#gatewaysAs()) {
      if (this.#gateways.has(as)) continue;
      const registration = this.#register(service, { port: this.options.settings.ports.inbound, labels: {} });
      registration.tell(true, "");
      this.#gateways.set(as, registration);
    }
  }

  async #dropGateways(stays: (as: string) => boolean, registered = false): Promise<void> {
    const gone = [...this.#gateways].filter(([as]) => !stays(as));
    for (const [as] of gone) this.#gateways.delete(as);
    await Promise.all(gone.map(([, registration]) => registration.close(registered)));
  }

  /** How each app is, for people. */
  status(): readonly {
    readonly service: string;
    readonly port: number;
    readonly ready: boolean;
    readonly problem: string | null;
  }[] {
    return this.#kept.map(({ service: { service, port }, probe, problem }) => ({
      service: serviceKey(service),
      port,
      ready: probe.ready && problem() === null,
      problem: problem(),
    }));
  }

  /** Those of its units that end now have ended, or it is so late: an app that finishes what it has still calls others. */
  async unitsStopped(deadlineMs: number): Promise<void> {
    const units = new Set(this.#machine.services.flatMap(({ unit }) => unit ?? []));
    const { clock } = this.options.runtime;
    await unitsStopped({ watch: this.#units, clock, units: [...units] }, deadlineMs);
    this.#units.close();
  }

  /** Another process of this machine keeps them from now on. */
  async leave(): Promise<void> {
    this.#units.close();
    await this.#end(true);
  }

  /** All instances leave. */
  async close(): Promise<void> {
    await this.#end(false);
  }

  async #end(stays: boolean): Promise<void> {
    const gateways = this.#dropGateways(() => false, stays);
    await Promise.all([gateways, ...this.#kept.map((each) => each.close(stays))]);
    for (const client of this.#clients.values()) client.control.close();
  }

  /** All that its registration and its probe go by. */
  #registeredAs(service: MachineService): string {
    const { zone, region, network } = this.#machine;
    return JSON.stringify([service, zone, region, network, this.#apart(service)]);
  }

  /** Whether other instances of the service run here, too. */
  #apart(service: MachineService): boolean {
    const key = serviceKey(service.service);
    return this.#machine.services.some((each) => each !== service && serviceKey(each.service) === key);
  }

  /** What runs here of a service, not ready before somebody says so. */
  #register(service: ServiceName, { port, labels, weight = 1, apart }: Registered): Registration {
    const { runtime, settings, log } = this.options;
    const { zone, region, network } = this.#machine;
    const key = serviceKey(service);
    const name = apart === true ? `${key}:${port}` : key;
    return new Registration({
      clock: runtime.clock,
      random: runtime.random,
      registrar: this.#client(key),
      instance: {
        id: instanceId(settings.node, { service, port }),
        service,
        node: settings.node,
        address: settings.address,
        port: settings.ports.inbound,
        labels,
        ready: false,
        ...(zone === "" ? {} : { zone }),
        ...(region === "" ? {} : { region }),
        ...(network === undefined ? {} : { network }),
        ...(weight === 1 ? {} : { weight }),
        ...(apart === true ? { apart } : {}),
      },
      changed: (problem) => log(`${name} ${this.#standing(key, problem)}`),
    });
  }

  #keep(service: MachineService): Kept {
    const { runtime, log } = this.options;
    const key = serviceKey(service.service);
    const apart = this.#apart(service);
    const name = apart ? `${key}:${service.port}` : key;
    const registration = this.#register(service.service, { ...service, ...(apart ? { apart } : {}) });
    let probed: readonly [boolean, string] = [false, ""];
    let stopped: string | null = null;
    // A unit that stops takes nothing new, also where its app still answers.
    const tell = (): void => registration.tell(probed[0] && stopped === null, stopped ?? probed[1]);
    const health = service.health ?? this.options.health(key);
    const probe = new Probe({
      net: runtime.net,
      clock: runtime.clock,
      host: service.host,
      port: service.port,
      path: health?.http ?? null,
      grpc: health?.grpc === undefined ? null : { service: health.grpc, shard: new Shard(runtime.clock) },
      look: health?.exec === undefined ? null : execLook(runtime.process, health.exec),
      everyMs: health?.everyMs ?? limits.probeEveryMs,
      changed: (ready, detail) => {
        log(`${name} is ${ready ? "ready" : "not ready"}: ${detail}`);
        probed = [ready, detail];
        tell();
      },
    });
    const { unit } = service;
    const followed =
      unit === undefined
        ? noUnit
        : this.#units.follow(unit, (state) => {
            const before = stopped;
            stopped = isUp(state) ? null : `${unit} is ${state}`;
            if (stopped === before) return;
            log(`${name}: ${unit} is ${state ?? "not known of"}`);
            tell();
          });
    return {
      as: this.#registeredAs(service),
      service,
      probe,
      problem: () => stopped ?? probe.problem,
      close: async (stays) => {
        followed.close();
        probe.close();
        await registration.close(stays);
      },
    };
  }

  #standing(key: string, problem: string | null): string {
    if (problem === null) return "is registered";
    // Who shows none hears of the handshake alone.
    if (this.options.store.service(key) === null) return "cannot be registered before it has a certificate";
    return `cannot be registered now: ${problem}`;
  }

  /** As the service itself: nobody else may register it. One for all of its instances. */
  #client(key: string): RegistryClient {
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const made = this.#newClient(key);
    this.#clients.set(key, made);
    return made;
  }

  #newClient(key: string): RegistryClient {
    const { runtime, settings, store } = this.options;
    const { net, clock, random } = runtime;
    const control = createControlClient({
      net,
      clock,
      shard: new Shard(clock),
      servers: this.options.places.registries,
      identity: () => ({
        credential: store.service(key)?.tls ?? null,
        rootsPem: store.bundle?.rootsPem ?? [],
      }),
      expect: (id) => principalOf(id, settings.trustDomain)?.kind === "registry",
      serverName: "registry.heddle",
    });
    return new RegistryClient(control, clock, random);
  }
}

/** Where nobody tells, the probe alone does. */
function isUp(state: UnitState): boolean {
  return state === null || state === "active" || state === "reloading";
}

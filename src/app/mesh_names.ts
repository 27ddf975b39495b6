/**
 * Names of the mesh on this machine: DNS for `*.mesh`, and a listener at the virtual address of each service. Both follow the
 * snapshot and what other programs of the machine have, and neither keeps the proxy from serving when it cannot be had.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { someOf } from "../base/some_of.ts";
import { socketAddress } from "../base/socket_address.ts";
import { Answerer } from "../dns/answerer.ts";
import { DnsServer } from "../dns/dns_server.ts";
import { Zone, type ZoneService } from "../dns/zone.ts";
import type { MachineDocument } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { readMeshName, type MeshName } from "../model/mesh_name.ts";
import { ports } from "../model/ports.ts";
import { defaultNamespace, serviceKey, type ServiceName } from "../model/service.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { VirtualListeners } from "../proxy/listen/virtual_listeners.ts";
import { hostsText } from "../systemd/hosts.ts";
import { families } from "../telemetry/families.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { every } from "./chores.ts";
import { HeldPorts } from "./held_ports.ts";
import { ListeningSockets } from "../systemd/listening_sockets.ts";
import type { Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";
import { attachedIn, defaultCaller } from "./unit_callers.ts";
import { UnitPorts } from "./unit_ports.ts";
import { isEverywhere, VirtualPorts, type MachinePorts, type PortProblem } from "./virtual_ports.ts";

export interface MeshNamesOptions {
  readonly runtime: Pick<Runtime, "files" | "clock" | "net" | "native">;
  /** Opens the sockets of DNS. */
  readonly listening: Pick<Runtime["net"], "listen" | "udp">;
  readonly settings: Settings;
  /** What runs here now. */
  readonly machine: () => MachineDocument;
  readonly folder: StateFolder;
  readonly listeners: Pick<VirtualListeners, "size" | "stands" | "open" | "keep">;
  readonly metrics: Metrics;
  readonly broken: (error: unknown) => void;
  /** The unit that listens at a port on all addresses; null: nobody can tell. */
  readonly unitAt: (port: number) => Promise<string | null>;
  readonly limitTripped: (limit: string, listener: string) => void;
  readonly log: (text: string) => void;
  /** Where the names are written for who keeps /etc/hosts; null: nowhere. */
  readonly hostsPath: string | null;
}

/** How names stand, for people and programs. */
export interface NamesStatus {
  /** Where DNS answers; null: it is off. */
  readonly dns: string | null;
  /** Why it does not; null while it does. */
  readonly problem: string | null;
  readonly names: number;
  readonly listeners: number;
  /** Services without an address here. */
  readonly without: readonly (PortProblem & { readonly services: readonly string[] })[];
}

export class MeshNames {
  readonly #answerer: Answerer;
  readonly #server: DnsServer | null;
  readonly #held: HeldPorts;
  readonly #ports: VirtualPorts;
  readonly #units: UnitPorts;
  readonly #sockets: ListeningSockets;
  #names: readonly MeshName[] | null = null;
  #lines: readonly string[] = [];
  #told = new Set<string>();
  #served = "";
  #looking = false;
  /** What came while it looked. */
  #again = false;
  readonly #chores: { close(): void }[] = [];

  constructor(readonly options: MeshNamesOptions) {
    const { runtime, settings, folder, listeners, metrics, log } = options;
    const queries = metrics.counter(families.dnsQueries);
    this.#answerer = new Answerer({
      counted: (type, result) => queries(type, result).add(1),
      broken: options.broken,
    });
    const port = dnsPort(settings);
    this.#server =
      port === null
        ? null
        : new DnsServer({
            net: options.listening,
            clock: runtime.clock,
            host: settings.loopback,
            port,
            answer: (query, transport) => this.#answerer.answer(query, transport),
            onLimit: (limit) => options.limitTripped(limit, "dns"),
            log,
          });
    this.#held = new HeldPorts({ files: runtime.files, clock: runtime.clock, path: folder.heldPorts, log });
    this.#units = new UnitPorts(runtime.files);
    this.#sockets = new ListeningSockets(runtime);
    const keptFree = (port: number): boolean => options.machine().keepFree?.includes(port) ?? false;
    this.#ports = new VirtualPorts({ listeners, held: this.#held, clock: runtime.clock, keptFree });
  }

  get #unusable(): PortProblem | null {
    return unusable(this.options.settings, this.options.machine());
  }

  /** Other apps run here from now on. */
  machineChanged(): void {
    void this.#look();
  }

  /** A snapshot is in force. One of an older controller has no names. */
  apply({ names = [] }: Snapshot): void {
    if (
      this.#names !== null &&
      names.length === this.#lines.length &&
      names.every((line, at) => line === this.#lines[at])
    )
      return;
    this.#lines = names;
    this.#names = names.flatMap((line) => readMeshName(line) ?? []);
    void this.#look();
  }

  /** Once the other listeners stand. */
  async start(): Promise<void> {
    await this.#held.load();
    await this.#look();
    const look = (): void => void this.#look();
    this.#chores.push(every(this.options.runtime.clock, limits.virtualLookMs, look));
    this.#chores.push(await this.#units.watch(look));
    await this.#server?.start();
  }

  close(): void {
    for (const each of this.#chores) each.close();
    this.#server?.close();
    this.#sockets.close();
  }

  status(): NamesStatus {
    const { settings, listeners } = this.options;
    const port = dnsPort(settings);
    return {
      dns: port === null ? null : socketAddress(settings.loopback, this.#server?.port || port),
      problem: this.#server?.problem ?? null,
      names: this.#names?.length ?? 0,
      listeners: listeners.size,
      without: this.#without(),
    };
  }

  /** Takes what can be had now, gives up what others want. */
  async #look(): Promise<void> {
    this.#again = this.#looking;
    if (this.#looking || this.#names === null) return;
    this.#looking = true;
    try {
      const usable = this.#unusable === null ? this.#names : [];
      this.#ports.look(usable, usable.length === 0 ? nothing : await this.#machinePorts());
      this.#tell();
      this.#serve();
    } finally {
      this.#looking = false;
    }
    if (this.#again) await this.#look();
  }

  async #machinePorts(): Promise<MachinePorts> {
    const { machine } = this.options;
    const apps = machine().services.map(
      ({ service, port }) => [port, `the app of ${serviceKey(service)}`] as const,
    );
    const declared = new Map([...(await this.#units.look()), ...apps]);
    const sockets = await this.#sockets.read();
    return { sockets, declared, holders: await this.#holders(sockets) };
  }

  /** Of the ports that names want. */
  async #holders(sockets: MachinePorts["sockets"]): Promise<MachinePorts["holders"]> {
    const wanted = new Set((this.#names ?? []).map(({ port }) => port));
    const held = new Set(
      sockets
        .filter(isEverywhere)
        .map(({ port }) => port)
        .filter((port) => wanted.has(port)),
    );
    const holders = new Map<number, string>();
    for (const port of held) {
      const unit = await this.options.unitAt(port);
      if (unit !== null) holders.set(port, unit);
    }
    return holders;
  }

  #problemOf(service: ServiceName): PortProblem | null {
    return this.#unusable ?? this.#ports.problems.get(serviceKey(service)) ?? null;
  }

  /** DNS goes by what stands: an address at which somebody else would answer is never told. */
  #serve(): void {
    const services = (this.#names ?? []).map((name): ZoneService => {
      const problem = this.#problemOf(name.service);
      return { ...name, address: problem === null ? name.address : null, problem: problem?.reason ?? "" };
    });
    const served = JSON.stringify([this.#namespace(), this.#lines, services.map(({ problem }) => problem)]);
    if (served === this.#served) return;
    this.#served = served;
    this.#answerer.serve(new Zone(services, this.#namespace()));
    void this.#writeHosts(services);
  }

  async #writeHosts(services: readonly ZoneService[]): Promise<void> {
    const { hostsPath, runtime, log } = this.options;
    if (hostsPath === null) return;
    const own = this.#namespace();
    const hosts = services.flatMap(({ service: { name, namespace }, address }) =>
      address === null
        ? []
        : [{ address, names: [...(namespace === own ? [`${name}.mesh`] : []), `${name}.${namespace}.mesh`] }],
    );
    await runtime.files
      .writeAtomic(hostsPath, hostsText(hosts), 0o644)
      .catch((error: Error) => log(`cannot write the names for /etc/hosts: ${error.message}`));
  }

  /** A name that says none means what it means to the proxy: the caller's own. */
  #namespace(): string {
    return defaultCaller(this.options.machine())?.namespace ?? defaultNamespace;
  }

  #without(): NamesStatus["without"] {
    const byReason = Map.groupBy(
      (this.#names ?? []).filter(({ service }) => this.#problemOf(service) !== null),
      ({ service }) => this.#problemOf(service)?.reason ?? "",
    );
    return [...byReason.values()].map((names) => ({
      ...(this.#problemOf((names[0] as MeshName).service) as PortProblem),
      services: names.map(({ service }) => serviceKey(service)),
    }));
  }

  /** Each reason once, and again when it comes back. */
  #tell(): void {
    const told = new Set<string>();
    for (const { reason, cure, services } of this.#without()) {
      const subject = reason.replaceAll(/ until .* ago| \(pid \d+\)/g, "");
      told.add(subject);
      if (!this.#told.has(subject))
        this.options.log(`no virtual address for ${someOf(services, shownMax)}: ${reason}. ${cure}`);
    }
    this.#told = told;
  }
}

const nothing: MachinePorts = { sockets: [], declared: new Map(), holders: new Map() };

/** null: off. */
function dnsPort({ ports: { dns = ports.dns } }: Settings): number | null {
  return dns === 0 ? null : dns;
}

/** Why no service at all has an address here; null: they may. */
function unusable(settings: Settings, machine: MachineDocument): PortProblem | null {
  if (dnsPort(settings) === null)
    return { reason: "names are off on this machine", cure: "heddle join --dns-port 7453" };
  if (settings.loopback !== "127.0.0.1")
    return {
      reason: `this machine shares its loopback with others: its own address of it is ${settings.loopback}`,
      cure: "Call through the outbound listener (http_proxy), or by an upstream with a port of its own",
    };
  // Each unit that is attached calls as its own service.
  if (defaultCaller(machine) !== null || attachedIn(machine).units.size > 0) return null;
  return machine.services.length === 0
    ? {
        reason: "no service runs on this machine, so nobody here has an identity to call with",
        cure: "heddle join --service NAME --port PORT, or a Machine document (heddle explain Machine)",
      }
    : {
        reason: "several services run on this machine, and nothing says which of them calls",
        cure: "Say it in its Machine document: caller: NAME",
      };
}

const shownMax = 3;

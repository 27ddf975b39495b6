/**
 * Who calls at a listener of local apps, where units of this machine are attached: the unit that made the connection's socket acts as its own
 * service, whichever listener it uses. What is no attached unit gets the identity of one from nobody but the Machine document
 * (`caller`), root's login, or a listener of a service that runs outside of units. What cannot be told is refused.
 */
import type { Clock, Files, Native, ProcessHost } from "../../runtime/contract.ts";
import type { MachineDocument } from "../model/document.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, servicesOf, type ServiceName } from "../model/service.ts";
import { outcomes } from "../proxy/failure/outcomes.ts";
import type { CallerOf, Connecting, Told } from "../proxy/listen/caller_gate.ts";
import type { Recorder } from "../telemetry/record.ts";
import { SocketOwners, type SocketOwner } from "../systemd/socket_owner.ts";
import { cgroupRoot, isLoginCgroup, UnitCgroups, unitOfCgroup } from "../systemd/unit_cgroups.ts";

export interface UnitCallersOptions {
  readonly runtime: {
    readonly files: Pick<Files, "list" | "stat" | "readSync">;
    readonly clock: Clock;
    readonly native: Pick<Native, "available" | "library">;
    readonly process: Pick<ProcessHost, "user">;
  };
  readonly machine: () => MachineDocument;
  readonly recorder: Pick<Recorder, "limitTripped">;
}

/** What a Machine document says of units. */
export interface Attached {
  /** Services by unit. */
  readonly units: ReadonlyMap<string, readonly ServiceName[]>;
  /** Keys of services of which every instance is a unit's. */
  readonly guarded: ReadonlySet<string>;
}

/** What is known of who made a connection. */
export interface Maker {
  /** Of its cgroup; null: not found. */
  readonly path: string | null;
  readonly unit: string | null;
  /** Root, or the user whose proxy this is, at a login: who may read every key of the machine's services anyway. */
  readonly keeper: boolean;
}

export class UnitCallers {
  readonly #owners: SocketOwners;
  readonly #cgroups: Promise<UnitCgroups>;
  /** Once its root is known. */
  #known: UnitCgroups | null = null;
  /** Whose manager's units these are; null: the machine's. */
  readonly #user: number | null;
  #attached: Attached = { units: new Map(), guarded: new Set() };
  #read: MachineDocument | null = null;
  #waiting = 0;

  constructor(readonly options: UnitCallersOptions) {
    const { files, clock, native } = options.runtime;
    this.#owners = new SocketOwners(native);
    this.#user = managerUser(files);
    this.#cgroups = cgroupRoot(files).then((root) => (this.#known = new UnitCgroups({ files, clock, root })));
  }

  readonly of: CallerOf = (connecting, told) => {
    const machine = this.options.machine();
    const attached = this.#attachedIn(machine);
    const { owner, host, called } = connecting;
    const decide = (maker: Maker | null): void => told(decideCaller({ machine, attached, owner, maker }));
    // Beyond loopback an operator let everybody in.
    if (attached.units.size === 0 || (called === undefined && !isLoopback(host)))
      return told(usualCaller(machine, owner));
    const made = this.#ownerOf(connecting);
    if (made === null) return decide(null);
    const path = this.#known?.known(made.cgroup);
    if (path !== undefined) return decide(this.#makerOf(made, path));
    if (this.#waiting >= limits.callersWaitingMax) {
      this.options.recorder.limitTripped("callersWaitingMax", "outbound");
      return decide(null);
    }
    this.#waiting++;
    void this.#find(made).then((maker) => {
      this.#waiting--;
      decide(maker);
    });
  };

  /** The unit that listens at this port on all addresses; null: nobody can tell, or none does. */
  async unitAt(port: number): Promise<string | null> {
    const made = this.#owners.listening(port);
    return made === null ? null : ((await this.#find(made))?.unit ?? null);
  }

  close(): void {
    this.#owners.close();
  }

  async #find(made: SocketOwner): Promise<Maker | null> {
    try {
      return this.#makerOf(made, await (await this.#cgroups).find(made.cgroup));
    } catch {
      return null;
    }
  }

  #ownerOf({ socket, host, called }: Connecting): SocketOwner | null {
    const { remoteAddress, remotePort, localPort } = socket;
    return this.#owners.of({
      localAddress: remoteAddress,
      localPort: remotePort,
      remoteAddress: called?.host ?? host,
      remotePort: called?.port ?? localPort,
    });
  }

  #makerOf({ user }: SocketOwner, path: string | null): Maker {
    if (path === null) return { path, unit: null, keeper: false };
    const keeper = isLoginCgroup(path) && (user === 0 || user === this.options.runtime.process.user);
    return { path, unit: unitOfCgroup(path, this.#user), keeper };
  }

  #attachedIn(machine: MachineDocument): Attached {
    if (machine !== this.#read) {
      this.#read = machine;
      this.#attached = attachedIn(machine);
    }
    return this.#attached;
  }
}

export function attachedIn({ services, callers = [] }: MachineDocument): Attached {
  const named = [...services, ...callers].flatMap(({ unit, service }) =>
    unit === undefined ? [] : [{ unit, service }],
  );
  const units = Map.groupBy(named, ({ unit }) => unit);
  const free = new Set(
    services.filter(({ unit }) => unit === undefined).map(({ service }) => serviceKey(service)),
  );
  return {
    units: new Map([...units].map(([unit, all]) => [unit, servicesOf(all)])),
    guarded: new Set(named.map(({ service }) => serviceKey(service)).filter((key) => !free.has(key))),
  };
}

export interface Deciding {
  readonly machine: MachineDocument;
  readonly attached: Attached;
  /** The service whose listener it is; null: a virtual address. */
  readonly owner: ServiceName | null;
  /** null: nobody can tell. */
  readonly maker: Maker | null;
}

/** @visibleForTesting */
export function decideCaller({ machine, attached, owner, maker }: Deciding): Told {
  const { caller } = machine;
  const own = maker?.unit == null ? undefined : attached.units.get(maker.unit);
  if (own !== undefined) {
    const [only, second] = own;
    if (only !== undefined && second === undefined) return as(only);
    const meant = [owner, caller].find((each) => each != null && own.some((one) => isSame(one, each)));
    if (meant != null) return as(meant);
    const several = own.map((service) => serviceKey(service)).join(", ");
    return refused(
      `${maker?.unit} is ${several}, and nothing says which of them calls: caller in its Machine document does`,
    );
  }
  if (owner !== null && !attached.guarded.has(serviceKey(owner))) return as(owner);
  const keeper = maker?.keeper === true;
  const meant = caller ?? (keeper ? onlyService(machine) : undefined);
  if (owner !== null && (keeper || (meant !== undefined && isSame(meant, owner)))) return as(owner);
  if (owner === null && meant !== undefined) return as(meant);
  return refused(whyRefused(maker));
}

function whyRefused(maker: Maker | null): string {
  if (maker?.keeper === true)
    return "several services run on this machine, and nothing says which of them calls: caller in its Machine document does";
  const other = "or caller in the Machine document says as whom the rest of this machine calls";
  if (maker === null || maker.path === null)
    return `which unit calls cannot be told, so it has no identity; ${other}`;
  const { unit } = maker;
  if (unit !== null && unit.endsWith(".service") && !unit.startsWith("user@"))
    return `${unit} is not attached, so it has no identity: heddle attach ${unit}; ${other}`;
  return `who calls is no unit that is attached (${unit ?? maker.path}), so it has no identity: root's login has; ${other}`;
}

/** Where no unit is attached: the listener is the identity. */
function usualCaller(machine: MachineDocument, owner: ServiceName | null): Told {
  const service = owner ?? defaultCaller(machine);
  return service === null
    ? refused("several services run on this machine, and nothing says which of them calls")
    : as(service);
}

/** The service that whoever connects to a virtual address acts as where no unit is attached; null: it cannot be told. */
export function defaultCaller(machine: MachineDocument): ServiceName | null {
  return machine.caller ?? onlyService(machine) ?? null;
}

function onlyService({ services, callers = [] }: MachineDocument): ServiceName | undefined {
  const [only, second] = servicesOf(services.length === 0 ? callers : services);
  return second === undefined ? only : undefined;
}

function as(service: ServiceName): Told {
  return { service, refusal: null };
}

function refused(why: string): Told {
  return { service: null, refusal: outcomes.refusedCaller(why) };
}

function isSame(a: ServiceName, b: ServiceName): boolean {
  return serviceKey(a) === serviceKey(b);
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

/** By the unit that this process runs in itself. */
function managerUser(files: Pick<Files, "readSync">): number | null {
  const own = new TextDecoder().decode(files.readSync("/proc/self/cgroup") ?? new Uint8Array());
  const found = /\/user@(\d+)\.service\//.exec(own)?.[1];
  return found === undefined ? null : Number(found);
}

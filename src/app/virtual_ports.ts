/**
 * Opens the listeners at virtual addresses, and says of each service that has none why, and what to do. An app always has its port:
 * a listener of ours at 127.100.3.4:80 would keep an app from binding 0.0.0.0:80, so a port is left alone that somebody holds on all
 * addresses, that somebody held there lately, or that an app of this machine declares and is not seen to bind elsewhere.
 */
import type { Clock, ListenError } from "../../runtime/contract.ts";
import { humanDuration } from "../base/duration.ts";
import { limits } from "../model/limits.ts";
import type { MeshName } from "../model/mesh_name.ts";
import { serviceKey } from "../model/service.ts";
import type { VirtualListeners, VirtualPlace } from "../proxy/listen/virtual_listeners.ts";
import type { HeldPorts } from "./held_ports.ts";
import type { ListeningSocket } from "../systemd/listening_sockets.ts";

/** Why a service has no address here. */
export interface PortProblem {
  readonly reason: string;
  readonly cure: string;
}

export interface VirtualPortsOptions {
  readonly listeners: Pick<VirtualListeners, "stands" | "open" | "keep">;
  readonly held: Pick<HeldPorts, "of" | "seen">;
  readonly clock: Pick<Clock, "now" | "wallMs">;
  /** Ports that nobody is to take, whoever has them. */
  readonly keptFree: (port: number) => boolean;
}

/** What this machine has. */
export interface MachinePorts {
  /** What listens now. */
  readonly sockets: readonly ListeningSocket[];
  /** Ports that apps and units say are theirs, running or not, with whose each is. */
  readonly declared: ReadonlyMap<number, string>;
  /** By port: units that hold it on all addresses, where that can be told. */
  readonly holders: ReadonlyMap<number, string>;
}

interface Failure {
  readonly problem: PortProblem;
  readonly atMs: number;
}

export class VirtualPorts {
  /** By service key. */
  readonly problems = new Map<string, PortProblem>();
  readonly #failures = new Map<string, Failure>();

  constructor(readonly options: VirtualPortsOptions) {}

  look(names: readonly MeshName[], machine: MachinePorts): void {
    const { listeners } = this.options;
    const { sockets, holders } = machine;
    this.problems.clear();
    const wanted: VirtualPlace[] = [];
    for (const [at, name] of names.entries()) {
      const place = { service: name.service, host: name.address, port: name.port };
      const problem = at < limits.virtualListenersMax ? this.#leftAlone(place, machine) : tooMany;
      if (problem === null) wanted.push(place);
      else this.problems.set(serviceKey(name.service), problem);
    }
    listeners.keep(wanted);
    for (const place of wanted) {
      const problem = this.#open(place, sockets, holders.get(place.port) ?? null);
      if (problem !== null) this.problems.set(serviceKey(place.service), problem);
    }
  }

  /** Whose port it is, if it is not to be taken. */
  #leftAlone(place: VirtualPlace, { sockets, declared }: MachinePorts): PortProblem | null {
    const { port } = place;
    const { held, keptFree } = this.options;
    if (keptFree(port)) return keptFreeProblem(port);
    const app = declared.get(port);
    const bound = sockets.filter((each) => each.port === port);
    const everywhere = bound.some(isEverywhere);
    if (everywhere && !this.options.listeners.stands(place)) return this.#heldNow(port);
    const elsewhere = bound.some((each) => !isEverywhere(each) && !each.address.startsWith(virtualNetwork));
    if (app !== undefined && !elsewhere)
      return {
        reason: `port ${port} is the one of ${app} on this machine, which does not listen there now`,
        cure: "It has an address as soon as that app listens on 127.0.0.1, and not on all addresses",
      };
    const before = held.of(port);
    return before === null || elsewhere ? null : this.#heldBefore(port, before.holder, before.seenMs);
  }

  #heldNow(port: number): PortProblem | null {
    const before = this.options.held.of(port);
    // Who it is costs a look at all processes: only while that is not known.
    if (before === null) return null;
    this.options.held.seen(port, before.holder);
    return everywhereProblem(port, before.holder);
  }

  #heldBefore(port: number, holder: string | null, seenMs: number): PortProblem {
    const ago = humanDuration(Math.max(0, this.options.clock.wallMs() - seenMs));
    const days = Math.round(limits.heldPortRestMs / 86_400_000);
    return {
      reason: `port ${port} was held on all addresses by ${holder ?? "another process"} until ${ago} ago, and is kept free for it`,
      cure: `Let it bind 127.0.0.1; once it has not been seen for ${days} days, the port is taken`,
    };
  }

  /** `unit`: whose the port is, where the host cannot name the process. */
  #open(place: VirtualPlace, sockets: readonly ListeningSocket[], unit: string | null): PortProblem | null {
    const { listeners, clock, held } = this.options;
    const key = `${place.host}:${place.port}`;
    if (listeners.stands(place)) return null;
    const failure = this.#failures.get(key);
    if (failure !== undefined && clock.now() - failure.atMs < limits.virtualRetryMs) return failure.problem;
    try {
      listeners.open(place);
      this.#failures.delete(key);
      return null;
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "ListenError") throw error;
      const { socketError, holder: process } = error as ListenError;
      const holder = process ?? unit;
      const everywhere = sockets.some((each) => each.port === place.port && isEverywhere(each));
      if (socketError.kind === "in-use" && everywhere) {
        held.seen(place.port, holder);
        return everywhereProblem(place.port, holder);
      }
      const problem = problemOf(place, socketError.kind, holder, socketError.message);
      this.#failures.set(key, { problem, atMs: clock.now() });
      return problem;
    }
  }
}

const virtualNetwork = "127.100.";

const tooMany: PortProblem = {
  reason: `the mesh has more than ${limits.virtualListenersMax} services`,
  cure: "Call it by an upstream with a port of its own, or through the outbound listener (http_proxy)",
};

function keptFreeProblem(port: number): PortProblem {
  return {
    reason: `port ${port} is kept free`,
    cure: "Take it out of keepFree in the Machine document",
  };
}

function everywhereProblem(port: number, holder: string | null): PortProblem {
  return {
    reason: `port ${port} is held on all addresses by ${holder ?? "another process"}`,
    cure: "Let it bind 127.0.0.1 or an address of the machine; or call through the outbound listener (http_proxy)",
  };
}

function problemOf(
  { host, port }: VirtualPlace,
  kind: ListenError["socketError"]["kind"],
  holder: string | null,
  message: string,
): PortProblem {
  if (kind === "denied")
    return {
      reason: `port ${port} is one of root's`,
      cure: "Run the proxy as root or with CAP_NET_BIND_SERVICE; or give the service a port from 1024 on",
    };
  return {
    reason: `${host}:${port} cannot be had: ${kind === "in-use" ? `${holder ?? "another process"} has it` : message}`,
    cure: "Stop what has it; virtual addresses are for one proxy of a machine",
  };
}

export function isEverywhere({ address }: ListeningSocket): boolean {
  return address === "0.0.0.0" || address === "::";
}

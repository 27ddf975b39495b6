/**
 * Connections of intercepted units: each leads to the service whose virtual address it was going to, or out of the mesh as it is. While no
 * unit of the machine is intercepted, nothing listens for them.
 */
import type { Net, OriginalDestination, Socket, SocketHandler } from "../../runtime/contract.ts";
import { isIntercepting, strictServices, type MachineDocument } from "../model/document.ts";
import type { ServiceName } from "../model/service.ts";
import { outcomes } from "./failure/outcomes.ts";
import { isVirtual, NamedPlaces } from "./find/named_places.ts";
import type { Accept, CallerOf, Told } from "./listen/caller_gate.ts";
import { listenRedirected } from "./listen/redirected_listener.ts";
import { refuseOutboundTcp } from "./outbound_tcp.ts";
import { passThrough, type PassingRules } from "./pass_through.ts";
import { OutboundSource } from "./state/outbound_source.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";
import { DownstreamSocket } from "./tunnel/downstream.ts";

/** Where rules of the machine redirect connections to. */
export interface RedirectedTo {
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
}

export interface RedirectedOptions {
  readonly parts: ProxyParts;
  readonly callerOf: CallerOf;
  /** How to accept what that service, or nobody, calls of another. */
  readonly outbound: (who: Told, service: ServiceName) => Accept;
}

export class Redirected {
  readonly #places = new NamedPlaces();
  #strict: ReadonlySet<string> = new Set();
  readonly #passing: PassingRules = {
    open: new Map(),
    // Who called nobody can tell may be one of them.
    isStrict: (service) => this.#strict.has(service) || (service === "" && this.#strict.size > 0),
  };

  constructor(readonly options: RedirectedOptions) {}

  /** Throws the `ListenError` of a port that is taken. */
  listen({ listen }: Pick<Net, "listen">, machine: MachineDocument, to: RedirectedTo): void {
    this.#strict = strictServices(machine);
    if (!isIntercepting(machine)) return;
    const { parts, callerOf } = this.options;
    listenRedirected({
      ...to,
      net: { listen, originalDestination: (socket) => parts.net.originalDestination(socket) },
      callerOf,
      accept: (who, called) => this.#wayTo(who, called),
      log: parts.log,
    });
  }

  /** Which service stands there is decided for each connection: it is what the mesh says then. */
  #wayTo(who: Told, called: OriginalDestination): Accept {
    const { parts, outbound } = this.options;
    const { host, port } = called;
    const everywhere = new OutboundSource(parts, who, null);
    let known: { readonly service: ServiceName; readonly accept: Accept } | null = null;
    return (socket: Socket): SocketHandler => {
      const { state } = parts;
      const service = state === null ? null : this.#places.serviceAt(state.snapshot, host, port);
      if (service !== null) {
        if (known?.service !== service) known = { service, accept: outbound(who, service) };
        return known.accept(socket);
      }
      if (!isVirtual(host)) return passThrough(socket, called, everywhere, this.#passing);
      const nobody = new DownstreamSocket(socket, "");
      refuseOutboundTcp(nobody, everywhere, "", outcomes.nothingAt(host, port));
      return nobody;
    };
  }
}

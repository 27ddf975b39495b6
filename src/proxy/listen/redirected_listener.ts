/**
 * What stands before the listener to which rules of this machine redirect connections of units that are intercepted: where each was going
 * and who made it is told, then it is accepted as that. One that nobody redirected leads nowhere.
 */
import type { Net, OriginalDestination, Socket, SocketHandler } from "../../../runtime/contract.ts";
import { socketAddress } from "../../base/socket_address.ts";
import { limits } from "../../model/limits.ts";
import { CallerGate, type Accept, type CallerOf, type Told } from "./caller_gate.ts";

export interface RedirectedListenerOptions {
  readonly net: Pick<Net, "listen" | "originalDestination">;
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  readonly callerOf: CallerOf;
  /** How to accept what that service calls there, or what nobody may. */
  readonly accept: (who: Told, called: OriginalDestination) => Accept;
  readonly log: (text: string) => void;
}

/** Throws the `ListenError` of a port that is taken. Of two families of addresses, the second may be missing. */
export function listenRedirected(options: RedirectedListenerOptions): void {
  const { net, hosts, ports, log } = options;
  const gates = new RedirectedGates(options);
  hosts.forEach((host, at) => {
    try {
      for (const port of ports) net.listen({ host, port }, (socket) => gates.accept(socket));
    } catch (error) {
      if (at === 0 || !(error instanceof Error) || error.name !== "ListenError") throw error;
      log(`connections over ${host} are not intercepted: ${error.message}`);
    }
  });
}

/** By where connections were going: the same few places mostly. */
class RedirectedGates {
  readonly #gates = new Map<string, CallerGate>();

  constructor(readonly options: RedirectedListenerOptions) {}

  accept(socket: Socket): SocketHandler {
    const { net, hosts, ports } = this.options;
    const called = net.originalDestination(socket);
    // Who dials the listener itself was not redirected, and would be sent round and round.
    if (called === null || (ports.includes(called.port) && hosts.includes(called.host)))
      return refused(socket);
    return this.#gate(called).accept(socket);
  }

  #gate(called: OriginalDestination): CallerGate {
    const key = socketAddress(called.host, called.port);
    const known = this.#gates.get(key);
    if (known !== undefined) return known;
    const { callerOf, accept } = this.options;
    const { host } = called;
    const gate = new CallerGate({
      host,
      owner: null,
      called,
      callerOf,
      accept: (who) => accept(who, called),
    });
    if (this.#gates.size >= limits.redirectedPlacesMax) this.#gates.clear();
    this.#gates.set(key, gate);
    return gate;
  }
}

function refused(socket: Socket): SocketHandler {
  socket.reset();
  return { data() {}, drain() {}, end() {}, close() {} };
}

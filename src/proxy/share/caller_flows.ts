/**
 * Who calls over connections between proxies: all connections of one calling service from one address are one client, and its
 * clients are told apart by the names that the other proxy gives them, on whichever of the connections they come.
 */
import { Flow } from "./flow.ts";

interface Calling {
  readonly flow: Flow;
  connections: number;
}

export class CallerFlows {
  readonly #calling = new Map<string, Calling>();

  /** For a connection. Pair with `closed`. */
  opened(address: string, caller: string): Flow {
    const key = `${address} ${caller}`;
    const known = this.#calling.get(key);
    const calling = known ?? { flow: new Flow(caller, "", key), connections: 0 };
    calling.connections++;
    if (known === undefined) this.#calling.set(key, calling);
    return calling.flow;
  }

  closed(address: string, caller: string): void {
    const key = `${address} ${caller}`;
    const calling = this.#calling.get(key);
    if (calling !== undefined && --calling.connections === 0) this.#calling.delete(key);
  }
}

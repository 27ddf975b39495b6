/**
 * Names of DNS that stand for endpoints of external services: a proxy gets its snapshot with addresses in their place, and another one when
 * those change. They are looked up again by their time to live; where a look-up fails, the addresses that are known stay.
 */
import type { Clock, Names, Timer } from "../../runtime/contract.ts";
import { isAddress } from "../base/cidr.ts";
import { socketAddress } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import type { Destination, Endpoint, Snapshot } from "../model/snapshot.ts";

export interface ExternalNamesOptions {
  readonly names: Names;
  readonly clock: Clock;
  readonly log: (text: string) => void;
  /** What `withAddresses` gives is another one now. */
  readonly changed: () => void;
}

interface Known {
  /** Sorted. */
  addresses: readonly string[];
  timer: Timer | null;
  told: boolean;
}

export class ExternalNames {
  readonly #known = new Map<string, Known>();

  constructor(readonly options: ExternalNamesOptions) {}

  /** With the addresses that are known by now; the names in it are followed from now on, and no others. */
  withAddresses(snapshot: Snapshot): Snapshot {
    const { exits = [] } = snapshot;
    const leaving = exits.map(({ destination }) => destination);
    const wanted = new Set([...snapshot.destinations, ...leaving].flatMap(namesIn));
    for (const [name, { timer }] of this.#known) {
      if (wanted.has(name)) continue;
      timer?.cancel();
      this.#known.delete(name);
    }
    for (const name of wanted) if (!this.#known.has(name)) this.#begin(name);
    if (wanted.size === 0) return snapshot;
    const addressed = (each: Destination): Destination =>
      each.external === undefined ? each : { ...each, endpoints: this.#endpointsOf(each) };
    const found = exits.map((exit) => ({ ...exit, destination: addressed(exit.destination) }));
    return {
      ...snapshot,
      destinations: snapshot.destinations.map(addressed),
      ...(exits.length === 0 ? {} : { exits: found }),
    };
  }

  close(): void {
    for (const { timer } of this.#known.values()) timer?.cancel();
    this.#known.clear();
  }

  #endpointsOf({ endpoints }: Destination): Endpoint[] {
    const all = endpoints.flatMap((endpoint) => {
      const { address, port } = endpoint;
      if (isAddress(address)) return [endpoint];
      const { addresses = [] } = this.#known.get(address) ?? {};
      return addresses.map((each) => ({ ...endpoint, id: socketAddress(each, port), address: each }));
    });
    return [...new Map(all.map((each) => [each.id, each])).values()];
  }

  #begin(name: string): void {
    const known: Known = { addresses: [], timer: null, told: false };
    this.#known.set(name, known);
    void this.#look(name, known);
  }

  async #look(name: string, known: Known): Promise<void> {
    const { names, clock, log } = this.options;
    let againMs: number = limits.externalRetryMs;
    try {
      const found = (await names.resolve(name)).slice(0, limits.externalAddressesMax);
      if (found.length === 0) throw new Error("it has no address");
      const ttlMs = Math.min(...found.map((each) => each.ttlMs));
      againMs = Math.min(Math.max(ttlMs, limits.externalTtlMinMs), limits.externalTtlMaxMs);
      if (known.told) log(`external: ${name} was found again`);
      known.told = false;
      this.#found(name, known, found.map(({ address }) => address).sort());
    } catch (error) {
      if (!known.told) log(`external: cannot look up ${name}: ${(error as Error).message}`);
      known.told = true;
    }
    if (this.#known.get(name) === known)
      known.timer = clock.after(againMs, () => void this.#look(name, known), true);
  }

  #found(name: string, known: Known, addresses: readonly string[]): void {
    if (addresses.join() === known.addresses.join()) return;
    known.addresses = addresses;
    if (this.#known.get(name) === known) this.options.changed();
  }
}

function namesIn({ external, endpoints }: Destination): string[] {
  if (external === undefined) return [];
  return endpoints.map(({ address }) => address).filter((address) => !isAddress(address));
}

/**
 * Listeners at the virtual addresses of services: whoever connects there calls that service. Each stands or falls for itself: a port
 * that cannot be had takes nothing from the others. Which local service calls is told for each connection, by who made it.
 */
import type { Listener, Net } from "../../../runtime/contract.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";
import { CallerGate, type CallerGateOptions } from "./caller_gate.ts";

export interface VirtualPlace {
  readonly service: ServiceName;
  readonly host: string;
  readonly port: number;
}

export interface VirtualListenersOptions {
  readonly net: Pick<Net, "listen">;
  /** What stands before the listener of a service. */
  readonly gate: (service: ServiceName) => Pick<CallerGateOptions, "accept" | "callerOf">;
}

interface Standing {
  readonly place: VirtualPlace;
  /** null while all of them are closed. */
  listener: Listener | null;
}

export class VirtualListeners {
  readonly #standing = new Map<string, Standing>();
  #closed = false;

  constructor(readonly options: VirtualListenersOptions) {}

  get size(): number {
    return this.#standing.size;
  }

  stands(place: VirtualPlace): boolean {
    return this.#standing.has(keyOf(place));
  }

  /** Throws the `ListenError` of a port that cannot be had. Nothing where it stands, or all of them are closed. */
  open(place: VirtualPlace): void {
    if (this.#closed || this.stands(place)) return;
    this.#standing.set(keyOf(place), { place, listener: this.#listen(place) });
  }

  /** Closes the others. What they accepted goes on. */
  keep(places: readonly VirtualPlace[]): void {
    const wanted = new Set(places.map(keyOf));
    for (const [key, { listener }] of this.#standing) {
      if (wanted.has(key)) continue;
      listener?.close();
      this.#standing.delete(key);
    }
  }

  close(): void {
    this.#closed = true;
    for (const each of this.#standing.values()) {
      each.listener?.close();
      each.listener = null;
    }
  }

  /** Those that stood before. A port that somebody else has taken meanwhile is his. */
  reopen(): void {
    this.#closed = false;
    for (const [key, each] of this.#standing) {
      try {
        each.listener ??= this.#listen(each.place);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== "ListenError") throw error;
        this.#standing.delete(key);
      }
    }
  }

  #listen({ service, host, port }: VirtualPlace): Listener {
    const { net, gate } = this.options;
    const before = new CallerGate({ ...gate(service), host, owner: null });
    return net.listen({ host, port }, (socket) => before.accept(socket));
  }
}

function keyOf({ service, host, port }: VirtualPlace): string {
  return `${host}:${port} ${serviceKey(service)}`;
}

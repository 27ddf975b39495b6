/** Listeners at virtual addresses of a proxy of several event loops: bound here, and told to the shards, which accept. */
import type { Clock } from "../../../runtime/contract.ts";
import { serviceKey } from "../../model/service.ts";
import type { VirtualListeners, VirtualPlace } from "../../proxy/listen/virtual_listeners.ts";
import type { ProxyPlane } from "../proxy_plane.ts";

export class VirtualPlaces implements Pick<VirtualListeners, "size" | "stands" | "open" | "keep"> {
  readonly #standing = new Map<string, VirtualPlace>();
  #tells = false;

  constructor(
    readonly listeners: ProxyPlane["virtual"],
    readonly clock: Pick<Clock, "microtask">,
    readonly tell: (places: readonly VirtualPlace[]) => void,
  ) {}

  get all(): readonly VirtualPlace[] {
    return [...this.#standing.values()];
  }

  get size(): number {
    return this.listeners.size;
  }

  stands(place: VirtualPlace): boolean {
    return this.listeners.stands(place);
  }

  open(place: VirtualPlace): void {
    this.listeners.open(place);
    this.#standing.set(keyOf(place), place);
    this.#tell();
  }

  keep(places: readonly VirtualPlace[]): void {
    this.listeners.keep(places);
    const kept = new Set(places.map(keyOf));
    const before = this.#standing.size;
    for (const key of [...this.#standing.keys()]) if (!kept.has(key)) this.#standing.delete(key);
    if (this.#standing.size !== before) this.#tell();
  }

  /** Once for all that changed in this turn. */
  #tell(): void {
    if (this.#tells) return;
    this.#tells = true;
    this.clock.microtask(() => {
      this.#tells = false;
      this.tell(this.all);
    });
  }
}

function keyOf({ service, host, port }: VirtualPlace): string {
  return `${host}:${port} ${serviceKey(service)}`;
}

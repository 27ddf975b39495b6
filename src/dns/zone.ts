/**
 * The zone `mesh`: which names there are, and what stands at each. `orders.prod.mesh` is the service orders of the namespace
 * prod, `orders.mesh` the one of the namespace that stands where none is said, and `_http._tcp.` before either is what clients
 * of SRV ask for. Pure.
 */
import { type Protocol, serviceKey, type ServiceName } from "../model/service.ts";

/** A service as DNS tells of it. */
export interface ZoneService {
  readonly service: ServiceName;
  readonly port: number;
  readonly protocol: Protocol;
  /** Its virtual address; null: it has none here. */
  readonly address: string | null;
  /** Why it has no address here, for people; "" where it has one, or nothing is to be said. */
  readonly problem: string;
}

export type Found =
  | { readonly kind: "service"; readonly service: ZoneService }
  /** The service as clients ask for it who want to be told its port. */
  | { readonly kind: "location"; readonly service: ZoneService; readonly target: string }
  | { readonly kind: "apex" }
  /** Nothing but names below it. */
  | { readonly kind: "empty" }
  | { readonly kind: "absent" }
  /** Not of this zone. */
  | { readonly kind: "foreign" };

export const zoneName = "mesh";

const [absent, empty, foreign, apex]: readonly Found[] = [
  { kind: "absent" },
  { kind: "empty" },
  { kind: "foreign" },
  { kind: "apex" },
] as const;

/** What a service that declares no protocol may be asked for as. */
const protocolNames: ReadonlySet<string> = new Set(["http", "http2", "grpc", "tcp", "tls"]);

export class Zone {
  readonly #byKey: ReadonlyMap<string, ZoneService>;
  readonly #namespaces: ReadonlySet<string>;

  constructor(
    readonly services: readonly ZoneService[],
    /** The namespace of names that say none. */
    readonly namespace: string,
  ) {
    this.#byKey = new Map(services.map((each) => [serviceKey(each.service), each]));
    this.#namespaces = new Set(services.map((each) => each.service.namespace));
  }

  /** By name as `readDnsQuery` writes it. */
  find(name: string): Found {
    if (name === zoneName) return apex as Found;
    if (!name.endsWith(`.${zoneName}`)) return foreign as Found;
    const labels = name.slice(0, -zoneName.length - 1).split(".");
    let below = 0;
    while (below < labels.length && labels[below]?.startsWith("_") === true) below++;
    return below === 0 ? this.#named(labels) : this.#below(labels.slice(0, below), labels.slice(below));
  }

  #named(labels: readonly string[]): Found {
    const [name = "", namespace = this.namespace] = labels;
    const service = labels.length > 2 ? undefined : this.#byKey.get(serviceKey({ name, namespace }));
    if (service !== undefined) return { kind: "service", service };
    return (labels.length === 1 && this.#namespaces.has(name) ? empty : absent) as Found;
  }

  /** `_tcp` alone holds the names below it, `_http._tcp` where the service speaks that. */
  #below(words: readonly string[], labels: readonly string[]): Found {
    const found = this.#named(labels);
    if (found.kind !== "service" || words.at(-1) !== "_tcp" || words.length > 2) return absent as Found;
    if (words.length === 1) return empty as Found;
    const { service } = found;
    const asked = (words[0] ?? "").slice(1);
    const speaks = service.protocol === "detect" ? protocolNames.has(asked) : service.protocol === asked;
    return speaks
      ? { kind: "location", service, target: [...labels, zoneName].join(".") }
      : (absent as Found);
  }
}

/**
 * Gateways of another mesh while their routes come together. The proxies of other meshes take the host first: requests of a host that has
 * routes of its own never go by those of `*`. Here they would, where no rule of their own fits; so such a route ends with a 404.
 */
import type { CertificateFiles } from "../../model/gateway.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";
import { kinds } from "../kinds.ts";
import type { Origin } from "./origin.ts";
import type { Attached, RouteOwner, RuleDraft, Target, Written } from "./target.ts";
import { everything } from "./words.ts";

interface RouteOfGateway {
  readonly name: string;
  readonly owner: RouteOwner & { readonly attached: Attached };
  readonly rules: readonly RuleDraft[];
  /** Of rules that fit: the first, or the most specific. */
  readonly counts: "first" | "specific";
}

export class GatewayDrafts {
  readonly #listeners = new Map<string, readonly Written[]>();
  readonly #routes: RouteOfGateway[] = [];

  constructor(readonly target: Target) {}

  /** Nothing is declared without a listener. */
  declare({ name, namespace }: ServiceName, listeners: readonly Written[], origin: Origin): void {
    this.#listeners.set(serviceKey({ name, namespace }), listeners);
    if (listeners.length === 0) return;
    this.target.add(kinds.Gateway.name, { name, namespace }, { listeners }, origin);
    origin.note(
      [],
      `it runs on the machines whose Machine document has gateways: [${name}], with the identity ${name} of ${namespace}: access rules that let it in name it so`,
    );
  }

  has(gateway: ServiceName): boolean {
    return this.#listeners.has(serviceKey(gateway));
  }

  /** Of routes in `namespace`, for requests of these hosts; [] is any. null: no document declares the gateway. */
  ownerOf(
    gateway: ServiceName,
    hostnames: readonly string[],
    namespace: string,
    listener?: string,
  ): RouteOfGateway["owner"] | null {
    if (!this.has(gateway)) return null;
    const { name } = gateway;
    const attached: Attached = {
      gateway: gateway.namespace === namespace ? name : serviceKey(gateway),
      ...(listener === undefined ? {} : { listener }),
      ...(hostnames.length === 0 ? {} : { hostnames }),
    };
    return { name, namespace, attached };
  }

  route(
    name: string,
    owner: RouteOfGateway["owner"],
    rules: readonly RuleDraft[],
    counts: RouteOfGateway["counts"] = "first",
  ): void {
    this.#routes.push({ name, owner, rules, counts });
  }

  finish(): void {
    for (const { name, owner, rules, counts } of this.#routes) {
      const [first] = rules;
      if (first === undefined) continue;
      const ends = this.#fallsThrough(owner) ? [{ ...first, matches: [everything], action: notFound }] : [];
      const all = [...rules, ...ends];
      if (counts === "first") this.target.orderedRoute(name, owner, all);
      else this.target.route(name, owner, all);
    }
  }

  /** Whether requests of its hosts that fit none of its rules would go by a route of more hosts. */
  #fallsThrough(owner: RouteOfGateway["owner"]): boolean {
    const { hostnames = [] } = owner.attached;
    const others = this.#routes.filter(({ owner: other }) => isSameGateway(owner, other));
    const isEnded = others.some(
      ({ owner: other, rules }) =>
        JSON.stringify(other.attached) === JSON.stringify(owner.attached) && rules.some(isForAll),
    );
    return (
      !isEnded &&
      others.some(({ owner: { attached } }) => {
        const wider = attached.hostnames ?? ["*"];
        return hostnames.some((host) => wider.some((each) => each !== host && isWithin(host, each)));
      })
    );
  }
}

const notFound = { respond: { status: 404 } };

function isSameGateway(one: RouteOfGateway["owner"], other: RouteOfGateway["owner"]): boolean {
  const keyOf = ({ namespace, attached: { gateway } }: RouteOfGateway["owner"]): string =>
    gateway.includes(".") ? gateway : serviceKey({ name: gateway, namespace });
  return keyOf(one) === keyOf(other);
}

function isForAll({ matches }: RuleDraft): boolean {
  return matches.some((match) => JSON.stringify(match) === JSON.stringify(everything));
}

/** `a.example` and `*.a.example` are within `*.example`, and all are within `*`. */
function isWithin(host: string, pattern: string): boolean {
  return pattern === "*" || (pattern.startsWith("*.") && host.endsWith(pattern.slice(1)));
}

/** Where a certificate that the other mesh keeps itself is looked for, as that of a Gateway of the Gateway API is. */
export function secretFiles(namespace: string, name: string): CertificateFiles {
  const folder = `/etc/heddle/tls/${namespace}/${name}`;
  return { certificate: `${folder}/tls.crt`, key: `${folder}/tls.key` };
}

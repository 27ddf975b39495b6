/** What differs between two snapshots of one machine, in words that operators know: `calls to orders.default: routes, instances`. */
import { serviceKey, type ServiceName } from "../../model/service.ts";
import type { CompiledRoute, Destination, LocalService, Snapshot } from "../../model/snapshot.ts";

const words: Readonly<Record<string, string>> = {
  routes: "routes",
  tlsRoutes: "routes of connections",
  endpoints: "instances",
  traffic: "traffic settings",
  policies: "policies",
  access: "who may call",
  sessionKey: "session keys",
  sessionKeyBefore: "session keys",
  rateSharers: "shares of the rate",
};

/** Compares what many machines share once. */
export class SnapshotComparison {
  readonly #known = new WeakMap<object, WeakMap<object, string | null>>();

  /** Sorted by service; empty: nothing differs. */
  changes(now: Snapshot, then: Snapshot): string[] {
    return [
      ...this.#services(now.destinations, then.destinations, "calls to", (each) =>
        this.#destination(...each),
      ),
      ...this.#services(now.locals, then.locals, "calls of", ([one, other]) => fieldsText(one, other)),
      ...(isSame(now.gateways, then.gateways) ? [] : ["listeners of gateways"]),
      ...(isSame(now.networks, then.networks) ? [] : ["gateways of networks"]),
      ...(isSame(now.relays, then.relays) ? [] : ["machines that its gateways pass on to"]),
      ...(isSame(now.exits, then.exits) ? [] : ["external services that are reached by its gateways"]),
      ...(isSame(now.policies, then.policies) ? [] : ["policies that it loads"]),
      ...(isSame(now.telemetry, then.telemetry) ? [] : ["telemetry"]),
      ...(now.egress === then.egress ? [] : [`egress: ${then.egress ?? "open"}`]),
      ...(now.unsealedPolicies === then.unsealedPolicies
        ? []
        : [`unsealedPolicies: ${then.unsealedPolicies ?? "run"}`]),
      ...(isSame(now.names, then.names) ? [] : ["names and addresses"]),
    ];
  }

  #services<Each extends Destination | LocalService>(
    now: readonly Each[],
    then: readonly Each[],
    what: string,
    text: (pair: readonly [Each, Each]) => string | null,
  ): string[] {
    const before = byKey(now);
    const after = byKey(then);
    return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((key) => {
      const [one, other] = [before.get(key), after.get(key)];
      if (one === undefined) return [`${what} ${key}: new`];
      if (other === undefined) return [`${what} ${key}: gone`];
      const said = one === other ? null : text([one, other]);
      return said === null ? [] : [`${what} ${key}: ${said}`];
    });
  }

  #destination(now: Destination, then: Destination): string | null {
    const known = this.#known.get(now)?.get(then);
    if (known !== undefined) return known;
    const made = fieldsText(now, then);
    const others = this.#known.get(now) ?? new WeakMap<object, string | null>();
    this.#known.set(now, others.set(then, made));
    return made;
  }
}

function byKey<Each extends { readonly service: ServiceName }>(all: readonly Each[]): Map<string, Each> {
  return new Map(all.map((each) => [serviceKey(each.service), each]));
}

/** null: nothing differs. */
function fieldsText<Each extends Destination | LocalService>(now: Each, then: Each): string | null {
  const [one, other] = [now, then] as unknown as [Fields, Fields];
  const fields = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  const differing = fields.filter((field) => !isSame(one[field], other[field]));
  if (differing.length === 0) return null;
  const said = differing.map((field) =>
    field === "routes" ? routesText(one[field], other[field]) : (words[field] ?? field),
  );
  return [...new Set(said)].join(", ");
}

type Fields = Readonly<Record<string, unknown>>;

/** The first of many. */
const shownRulesMax = 5;

/** Those that came, went or differ; where none does, their order. */
function routesText(now: unknown, then: unknown): string {
  const [one, other] = [now, then].map((each) => Map.groupBy(each as CompiledRoute[], ({ name }) => name));
  const names = [...new Set([...(one?.keys() ?? []), ...(other?.keys() ?? [])])].sort();
  const differing = names.filter((name) => !isSame(one?.get(name), other?.get(name)));
  if (differing.length === 0) return "order of routes";
  const more = differing.length - shownRulesMax;
  return `routes ${differing.slice(0, shownRulesMax).join(" ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Both were made by one compiler, which writes fields in one order. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

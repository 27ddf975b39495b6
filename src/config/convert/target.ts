/**
 * Documents of heddle while they come together from those of another mesh: several of those may say something of one service. What
 * two of them say differently is named, never chosen in silence.
 */
import type { RouteMatch } from "../../model/document.ts";
import { defaultNamespace, serviceKey, type ServiceName } from "../../model/service.ts";
import { formatDuration } from "../../base/duration.ts";
import { kinds } from "../kinds.ts";
import { inOrder } from "./ordered_rules.ts";
import type { Origin } from "./origin.ts";

export type Written = Record<string, unknown>;

/** A document with those that it comes from. */
export interface Made {
  readonly value: Written;
  readonly origins: ReadonlySet<Origin>;
}

interface ServiceDraft {
  readonly name: ServiceName;
  port: number | null;
  protocol: string | null;
  /** It lies outside of the mesh: what an External says beside name, port and protocol. */
  external: Written | null;
  readonly subsets: Map<string, Readonly<Record<string, string>>>;
  readonly more: Written;
  readonly origins: Set<Origin>;
}

/** What a rule of a route does, in the form of heddle, without its matches. */
export interface RuleDraft {
  readonly origin: Origin;
  readonly matches: readonly RouteMatch[];
  readonly action: Written;
  readonly name?: string | undefined;
  /** Where it was written, for what is told of it. */
  readonly path: readonly (string | number)[];
}

/** Whose requests a route directs: those to a service, or those that come in by a gateway. */
export interface RouteOwner extends ServiceName {
  /** Of a gateway: what its route says in place of a service. `namespace` is the route's own. */
  readonly attached?: Attached;
}

export interface Attached {
  /** `edge`, or `edge.infra` where it is of another namespace. */
  readonly gateway: string;
  readonly listener?: string;
  /** Absent: any. */
  readonly hostnames?: readonly string[];
}

/** Of one route document. */
const rulesMax = 16;
const matchesMax = 64;

export class Target {
  readonly #services = new Map<string, ServiceDraft>();
  readonly #traffic = new Map<string, { readonly value: Written; readonly origins: Set<Origin> }>();
  readonly #made: Made[] = [];
  readonly #names = new Set<string>();
  /** Keys of services with routes that were in an order of their own. */
  readonly #ordered = new Set<string>();
  readonly #faulty = new Set<Origin>();
  readonly #everywhere = { value: {} as Written, origins: new Set<Origin>() };

  /** It is declared if nothing else is said of it. */
  service(name: ServiceName, origin: Origin): ServiceDraft {
    const key = serviceKey(name);
    const known = this.#services.get(key);
    const draft = known ?? {
      ...{
        name,
        port: null,
        protocol: null,
        external: null,
        subsets: new Map<string, Readonly<Record<string, string>>>(),
      },
      ...{ more: {}, origins: new Set<Origin>() },
    };
    this.#services.set(key, draft);
    draft.origins.add(origin);
    return draft;
  }

  get services(): readonly ServiceName[] {
    return [...this.#services.values()].map(({ name }) => name);
  }

  has(name: ServiceName): boolean {
    return this.#services.has(serviceKey(name));
  }

  subset(service: ServiceName, subset: string, origin: Origin, path: readonly (string | number)[]): string {
    const { subsets } = this.service(service, origin);
    const name = labelOf(subset);
    if (!subsets.has(name)) {
      subsets.set(name, { version: subset });
      origin.note(path, `no document declares the subset ${subset}: taken as the label version: ${subset}`);
    }
    return name;
  }

  /** `group`: of Traffic, such as `timeouts`; what is undefined says nothing. */
  traffic(service: ServiceName, group: string, fields: Written, origin: Origin): void {
    if (Object.values(fields).every((value) => value === undefined)) return;
    this.service(service, origin);
    const key = serviceKey(service);
    const draft = this.#traffic.get(key) ?? { value: {}, origins: new Set<Origin>() };
    this.#traffic.set(key, draft);
    say(draft, key, group, fields, origin);
  }

  /** The same of all services. */
  everywhere(group: string, fields: Written, origin: Origin): void {
    say(this.#everywhere, "all services", group, fields, origin);
  }

  /** Rules the first of which counts, as routes of heddle that answer the same. */
  orderedRoute(name: string, owner: RouteOwner, rules: readonly RuleDraft[]): void {
    const key = owner.attached === undefined ? serviceKey(owner) : JSON.stringify(owner.attached);
    const [first] = rules;
    if (this.#ordered.has(key) && first !== undefined)
      first.origin.loss(
        [],
        `another document has rules for ${key}, too: of the rules of both the most specific counts here`,
      );
    this.#ordered.add(key);
    const ordered = inOrder(rules);
    if (!ordered.ok) {
      const second = rules[ordered.second];
      const message = `the rule ${ordered.first} comes first there, and here the rule ${ordered.second} would for some requests: their expressions overlap in a way that no match says`;
      return first?.origin.refuse(second?.path ?? first.path, message);
    }
    const reached = rules.map((rule, at) => ({ ...rule, matches: ordered.matches[at] ?? [] }));
    for (const { matches, origin, path } of reached)
      if (matches.length === 0) origin.note(path, "this rule never gets a request there: it is left out");
    this.route(
      name,
      owner,
      reached.filter(({ matches }) => matches.length > 0),
    );
  }

  /** Rules of which the most specific counts. */
  route(name: string, owner: RouteOwner, rules: readonly RuleDraft[]): void {
    const whole = rules.flatMap((rule) => {
      const parts = Math.max(1, Math.ceil(rule.matches.length / matchesMax));
      return Array.from({ length: parts }, (_, at) => ({
        ...rule,
        matches: rule.matches.slice(at * matchesMax, (at + 1) * matchesMax),
      }));
    });
    const { attached } = owner;
    if (attached === undefined) for (const { origin } of whole) this.service(owner, origin);
    for (let at = 0; at < whole.length; at += rulesMax) {
      const some = whole.slice(at, at + rulesMax);
      const own = this.#nameFor(
        kinds.HTTPRoute.name,
        at === 0 ? name : `${name}-${at / rulesMax + 1}`,
        owner.namespace,
      );
      const value = {
        ...head(kinds.HTTPRoute.name, own, owner.namespace),
        ...(attached ?? { service: owner.name }),
        ...(whole.length > rulesMax ? { order: at / rulesMax } : {}),
        rules: some.map(ruleOf),
      };
      this.#made.push({ value, origins: new Set(some.map(({ origin }) => origin)) });
    }
  }

  add(
    kind: string,
    { name, namespace }: ServiceName,
    fields: Written,
    origin: Origin,
    others: readonly Origin[] = [],
  ): void {
    const own = this.#nameFor(kind, name, namespace);
    const value = { ...head(kind, own, namespace), ...fields };
    if (kind === kinds.Machine.name) delete (value as Written)["namespace"];
    this.#made.push({ value, origins: new Set([origin, ...others]) });
  }

  /** Routes make faults on purpose only where the Mesh allows it. */
  allowFaults(origin: Origin): void {
    this.#faulty.add(origin);
    origin.note(
      [],
      "routes make faults on purpose only where the Mesh says faults: allowed: so it does here",
    );
  }

  /** A document that heddle reads as it was written. */
  asItIs(key: string, value: Written, origin: Origin): void {
    this.#names.add(key);
    this.#made.push({ value, origins: new Set([origin]) });
  }

  /** Services first. */
  documents(): Made[] {
    const services = [...this.#services.values()].map((draft): Made => {
      const { name, port, protocol, external, subsets, more, origins } = draft;
      if (port === null)
        for (const origin of origins)
          origin.note([], `no document says the port of ${serviceKey(name)}: taken as 80`);
      const value = {
        ...head((external === null ? kinds.Service : kinds.External).name, name.name, name.namespace),
        port: port ?? 80,
        ...(protocol === "detect" ? {} : { protocol: protocol ?? "http" }),
        ...external,
        ...(subsets.size === 0 ? {} : { subsets: Object.fromEntries(subsets) }),
        ...more,
      };
      return { value, origins };
    });
    const traffic = [...this.#traffic].map(([key, { value, origins }]): Made => {
      const [name = "", namespace = defaultNamespace] = key.split(".");
      return { value: { ...head(kinds.Traffic.name, name, namespace), service: name, ...value }, origins };
    });
    return [...this.#mesh(), ...services, ...traffic, ...this.#made];
  }

  #mesh(): readonly Made[] {
    const { value: traffic, origins } = this.#everywhere;
    const own = Object.keys(traffic).length === 0 ? {} : { traffic };
    const faults = this.#faulty.size === 0 ? {} : { faults: "allowed" };
    const value = { kind: kinds.Mesh.name, name: "mesh", ...faults, ...own };
    return Object.keys(value).length === 2
      ? []
      : [{ value, origins: new Set([...this.#faulty, ...origins]) }];
  }

  /** Two documents of a kind that had one name by their own kinds have two here. */
  #nameFor(kind: string, wanted: string, namespace: string): string {
    const base = labelOf(wanted);
    let name = base;
    for (let at = 2; this.#names.has(`${kind}/${namespace}/${name}`); at++)
      name = `${base.slice(0, 58)}-${at}`;
    this.#names.add(`${kind}/${namespace}/${name}`);
    return name;
  }
}

function say(
  draft: { readonly value: Written; readonly origins: Set<Origin> },
  of: string,
  group: string,
  fields: Written,
  origin: Origin,
): void {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (said.length === 0) return;
  draft.origins.add(origin);
  const own = (draft.value[group] ??= {}) as Written;
  for (const [field, value] of said) {
    if (own[field] !== undefined && JSON.stringify(own[field]) !== JSON.stringify(value))
      origin.loss(
        [],
        `another document says ${group}.${field} of ${of} differently: ${JSON.stringify(value)} is left out`,
      );
    else own[field] = value;
  }
}

function head(kind: string, name: string, namespace: string): Written {
  return { kind, name, ...(namespace === defaultNamespace ? {} : { namespace }) };
}

function ruleOf({ name, matches, action }: RuleDraft): Written {
  const written = matches.map(matchOf);
  const [only] = written;
  const isAll = written.length === 1 && only !== undefined && Object.keys(only).length === 0;
  return {
    ...(name === undefined ? {} : { name: labelOf(name) }),
    ...(isAll ? {} : written.length === 1 ? { match: only } : { matches: written }),
    ...action,
  };
}

/** As people write it. */
function matchOf({ path, method, headers, query = [], host, from }: RouteMatch): Written {
  const marks = { Exact: "= ", PathPrefix: "", RegularExpression: "~ " };
  const isAll = path.type === "PathPrefix" && path.value === "/";
  return {
    ...(isAll ? {} : { path: `${marks[path.type]}${path.value}` }),
    ...(method === null ? {} : { method }),
    ...(headers.length === 0 ? {} : { headers: valuesOf(headers) }),
    ...(query.length === 0 ? {} : { query: valuesOf(query) }),
    ...(host === undefined ? {} : { host }),
    ...(from === undefined ? {} : { from }),
  };
}

function valuesOf(values: RouteMatch["headers"]): unknown {
  if (values.every(({ type }) => type === "Exact"))
    return Object.fromEntries(values.map(({ name, value }) => [name, value]));
  return values.map(({ type, name, value }) => (type === "Exact" ? { name, value } : { type, name, value }));
}

/** A name as heddle takes it: lower-case letters, digits and -. */
export function labelOf(text: string): string {
  const made = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return made === "" ? "unnamed" : made;
}

/** As documents write it; undefined stays so. */
export function durationText(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : ms === 0 ? "0s" : formatDuration(ms);
}

/** Without what is undefined; undefined where nothing is left. */
export function saying(fields: Written): Written | undefined {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

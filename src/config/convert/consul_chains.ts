/** Routers, splitters and resolvers as the routes that come of them (Consul's discovery chain). */
import type { RouteMatch } from "../../model/document.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";
import type { Origin } from "./origin.ts";
import { AnyCase, nameOf, refuseElsewhere, type ConsulEntry } from "./consul_entry.ts";
import { durationText, labelOf, saying, type RuleDraft, type Target, type Written } from "./target.ts";
import { beginning, everyPath, everything, headerEdits, headerThat, whole, wholeWeights } from "./words.ts";

interface Share {
  readonly service: ServiceName;
  readonly subset: string | null;
  /** Of one. */
  readonly share: number;
  readonly filters: Written;
}

/** A service that a rule of a gateway names, with its part of the requests. */
export interface Weighted {
  readonly service: ServiceName;
  readonly weight: number;
  readonly filters: Written;
  readonly fields: AnyCase;
}

type ByService = ReadonlyMap<string, ConsulEntry>;

/** Splitters and redirects that follow one another. */
const chainMax = 8;

export class ConsulChains {
  readonly #routers: ByService;
  readonly #splitters: ByService;
  readonly #resolvers: ByService;

  constructor(
    routers: readonly ConsulEntry[],
    splitters: readonly ConsulEntry[],
    resolvers: readonly ConsulEntry[],
    readonly target: Target,
  ) {
    this.#routers = byService(routers);
    this.#splitters = byService(splitters);
    this.#resolvers = byService(resolvers);
  }

  read(): void {
    for (const entry of this.#routers.values()) this.#route(entry);
    for (const [key, entry] of this.#splitters) if (!this.#routers.has(key)) this.#whole(entry);
    for (const [key, entry] of this.#resolvers) {
      if (this.#routers.has(key) || this.#splitters.has(key)) continue;
      const [only] = this.#resolve(entry.name, null, 1, {}, 0);
      const isPlain = only !== undefined && serviceKey(only.service) === key && only.subset === null;
      if (!isPlain) this.#whole(entry);
    }
  }

  /** What requests to a service go by there, as rules of a route in `namespace` that passes them on. The first that fits counts. */
  rulesOf(service: ServiceName, namespace: string, origin: Origin): readonly RuleDraft[] {
    const router = this.#routers.get(serviceKey(service));
    this.target.service(service, origin);
    if (router !== undefined) return this.#rules(router, namespace);
    const backends = this.#backends(this.#split(service, 1, {}, 0), namespace);
    return [{ origin, path: [], matches: [everything], action: { backends } }];
  }

  /** Where the requests of one rule go there, by splitters and resolvers of these services. */
  backendsOf(to: readonly Weighted[], namespace: string): readonly Written[] {
    const total = to.reduce((sum, { weight }) => sum + weight, 0) || 1;
    const shares = to.flatMap(({ service, weight, filters, fields }) => {
      this.target.service(service, fields.origin);
      if (this.#routers.has(serviceKey(service)))
        fields.refuse(
          "Name",
          "it has a service-router, whose rules a backend cannot have: write them as rules of this route",
        );
      return this.#split(service, weight / total, filters, 0);
    });
    return this.#backends(shares, namespace);
  }

  #route(entry: ConsulEntry): void {
    const { origin, name } = entry;
    this.target.orderedRoute(name.name, name, this.#rules(entry, name.namespace));
    this.target.service(name, origin);
  }

  #rules({ origin, name, fields }: ConsulEntry, namespace: string): RuleDraft[] {
    const rules: RuleDraft[] = fields.list("Routes").map((route) => {
      const matches = matchesOf(route.inner("Match").inner("HTTP"));
      const action = this.#action(
        route.inner("Destination"),
        name,
        route.has("Match") ? route.inner("Match").inner("HTTP") : null,
        namespace,
      );
      return { origin, path: route.fields.path, matches, action };
    });
    // Consul adds it: what fits no route goes to the service itself.
    const last = { backends: this.#backends(this.#split(name, 1, {}, 0), namespace) };
    rules.push({ origin, path: fields.fields.path, matches: [everything], action: last });
    return rules;
  }

  /** All requests of a service without a router. */
  #whole({ origin, name, fields }: ConsulEntry): void {
    const backends = this.#backends(this.#split(name, 1, {}, 0), name.namespace);
    const rule = { origin, path: fields.fields.path, matches: [everything], action: { backends } };
    this.target.orderedRoute(name.name, name, [rule]);
  }

  #action(destination: AnyCase, own: ServiceName, match: AnyCase | null, namespace: string): Written {
    refuseElsewhere(destination);
    const service = destination.has("service")
      ? nameOf(destination.text("service") ?? "", destination.text("Namespace") ?? own.namespace)
      : own;
    destination.ignore("Namespace");
    const subset = destination.text("ServiceSubset") ?? "";
    this.target.service(service, destination.origin);
    const shares = subset === "" ? this.#split(service, 1, {}, 0) : this.#resolve(service, subset, 1, {}, 0);
    const idle = destination.duration("IdleTimeout");
    if (idle !== undefined)
      destination.loss("IdleTimeout", "silence of a stream is bounded by timeouts.streamIdle of Traffic");
    return Object.fromEntries(
      Object.entries({
        backends: this.#backends(shares, namespace),
        rewrite: rewriteOf(destination, match),
        timeouts: saying({ request: durationText(destination.duration("RequestTimeout")) }),
        retry: retryOf(destination),
        ...editsOf(destination),
      }).filter(([, value]) => value !== undefined),
    );
  }

  /** By the splitter of a service, else whole. */
  #split(service: ServiceName, share: number, filters: Written, depth: number): readonly Share[] {
    const splitter = this.#splitters.get(serviceKey(service));
    if (splitter === undefined || depth > chainMax)
      return this.#resolve(service, null, share, filters, depth);
    const splits = splitter.fields.list("Splits");
    return splits.flatMap((split) => {
      refuseElsewhere(split);
      const to = split.has("service")
        ? nameOf(split.text("service") ?? "", split.text("Namespace") ?? service.namespace)
        : service;
      split.ignore("Namespace");
      this.target.service(to, splitter.origin);
      const subset = split.text("ServiceSubset") ?? "";
      const part = share * ((split.number("Weight") ?? 0) / 100);
      const own = { ...filters, ...saying(editsOf(split)) };
      const isOther = serviceKey(to) !== serviceKey(service);
      return subset === "" && isOther
        ? this.#split(to, part, own, depth + 1)
        : this.#resolve(to, subset === "" ? null : subset, part, own, depth + 1);
    });
  }

  /** By the resolver of a service: its default subset, or another service in its place. */
  #resolve(
    service: ServiceName,
    subset: string | null,
    share: number,
    filters: Written,
    depth: number,
  ): readonly Share[] {
    const resolver = this.#resolvers.get(serviceKey(service));
    if (resolver === undefined) return [{ service, subset, share, filters }];
    const redirect = resolver.fields.inner("Redirect");
    refuseElsewhere(redirect);
    const other = redirect.text("service") ?? "";
    const otherSubset = redirect.text("ServiceSubset") ?? "";
    if (other !== "" && depth <= chainMax) {
      const to = nameOf(other, redirect.text("Namespace") ?? service.namespace);
      this.target.service(to, resolver.origin);
      return this.#resolve(to, otherSubset === "" ? null : otherSubset, share, filters, depth + 1);
    }
    const byDefault = resolver.fields.text("DefaultSubset") ?? "";
    const chosen = subset ?? (byDefault === "" ? null : byDefault);
    return [{ service, subset: chosen, share, filters }];
  }

  #backends(shares: readonly Share[], namespace: string): Written[] {
    const total = shares.reduce((sum, { share }) => sum + share, 0) || 1;
    const weights = wholeWeights(shares.map(({ share }) => Number(((share / total) * 100).toFixed(2))));
    return shares.map(({ service, subset, filters }, at) => ({
      service: service.namespace === namespace ? service.name : `${service.name}.${service.namespace}`,
      ...(subset === null ? {} : { subset: labelOf(subset) }),
      ...(shares.length === 1 ? {} : { weight: weights[at] }),
      ...filters,
    }));
  }
}

function byService(entries: readonly ConsulEntry[]): ByService {
  return new Map(entries.map((entry) => [serviceKey(entry.name), entry]));
}

function matchesOf(http: AnyCase): RouteMatch[] {
  const methods = http.words("Methods");
  const [exact, prefix, regex] = ["PathExact", "PathPrefix", "PathRegex"].map(
    (name) => http.text(name) || undefined,
  );
  if (http.flag("CaseInsensitive") === true) http.refuse("CaseInsensitive", "paths differ by case here");
  const path =
    exact !== undefined
      ? ({ type: "Exact", value: exact } as const)
      : prefix !== undefined
        ? beginning(prefix)
        : regex !== undefined
          ? ({ type: "RegularExpression", value: whole(regex) } as const)
          : everyPath;
  const headers = http.list("Header").map((each) => valueOf(each, true));
  const query = http.list("QueryParam").map((each) => valueOf(each, false));
  const match: RouteMatch = { path, method: null, headers, ...(query.length === 0 ? {} : { query }) };
  return methods.length === 0 ? [match] : methods.map((method) => ({ ...match, method }));
}

function valueOf(fields: AnyCase, lower: boolean): RouteMatch["headers"][number] {
  const name = fields.text("Name") ?? "";
  for (const field of ["Invert", "IgnoreCase"])
    if (fields.flag(field) === true)
      fields.refuse(field, "no match here asks for this: without it the rule would match more");
  const ways = ["Exact", "Prefix", "Suffix", "Regex", "Contains"] as const;
  const how = ways.find((each) => (fields.text(each) ?? "") !== "");
  const present = fields.flag("Present");
  if (how === undefined && present === false)
    fields.refuse("Present", "no match here asks for a header to be absent");
  const value = how === undefined ? "" : (fields.text(how) ?? "");
  const lowered = how?.toLowerCase() as "exact" | "prefix" | "suffix" | "regex" | "contains" | undefined;
  const made = headerThat(name, lowered ?? "present", value);
  return lower ? made : { ...made, name };
}

function rewriteOf(destination: AnyCase, match: AnyCase | null): Written | undefined {
  const prefix = destination.text("PrefixRewrite") ?? "";
  if (prefix === "") return undefined;
  const exact = match?.text("PathExact") ?? "";
  if (exact !== "") return { path: prefix };
  const from = match?.text("PathPrefix") ?? "";
  const isEvery = (match?.text("PathRegex") ?? "") === "" && (from === "" || from === "/");
  if (isEvery && prefix.endsWith("/")) return { prefix: prefix.replace(/(?<=.)\/$/, "") };
  destination.refuse(
    "PrefixRewrite",
    `it replaces what was matched of the path, letter by letter, and prefixes are whole segments here: write match: {path: ${from.replace(/(?<=.)\/$/, "")}} with rewrite: {prefix: ${prefix}} where that is meant`,
  );
  return undefined;
}

export function retryOf(destination: AnyCase): Written | undefined {
  const codes = destination.numbers("RetryOnStatusCodes").filter((code) => code >= 400);
  const reasons = destination.words("RetryOn").flatMap((reason): readonly number[] => {
    if (reason === "5xx") return [500, 502, 503, 504];
    if (reason === "gateway-error") return [502, 503, 504];
    if (!["connect-failure", "refused-stream", "reset"].includes(reason))
      destination.fields.origin.loss(
        [...destination.fields.path, destination.key("RetryOn")],
        `${reason} is no reason that a route says; Traffic has retries.on and retries.grpc`,
      );
    return [];
  });
  destination.ignore("RetryOnConnectFailure");
  const all = [...new Set([...codes, ...reasons])];
  return saying({ attempts: destination.number("NumRetries"), codes: all.length === 0 ? undefined : all });
}

export function editsOf(fields: AnyCase): Written {
  const of = (name: string): Written | undefined => {
    const side = fields.inner(name);
    return headerEdits(side.texts("Set"), side.texts("Add"), side.words("Remove"), side.fields);
  };
  return { requestHeaders: of("RequestHeaders"), responseHeaders: of("ResponseHeaders") };
}

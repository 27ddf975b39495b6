/**
 * Documents and catalog in, the snapshot of one machine out: pure, and the same bytes for the same input. A machine gets
 * only the services that its own services use, and what routes and policies of those lead to. What machines share is
 * compiled once.
 */
import {
  asService,
  meshIn,
  type AccessDocument,
  type Document,
  type GatewayDocument,
  type HttpRouteDocument,
  type MeshDocument,
  type PolicyUse,
  type ServiceDocument,
  type TrafficDocument,
} from "../../model/document.ts";
import { documentKey } from "../../config/load.ts";
import { serviceId } from "../../model/identity.ts";
import type { SharedRate } from "../../model/rate_slice.ts";
import {
  drainKey,
  serverFirstPorts,
  serviceKey,
  type Instance,
  type ServiceName,
} from "../../model/service.ts";
import { calleeTraits, callerTraits } from "../../model/service_traits.ts";
import { bindingsIn } from "../../model/snapshot.ts";
import type {
  Access,
  Destination,
  LocalService,
  PolicyBinding,
  PolicyRef,
  Snapshot,
  TrustBundle,
} from "../../model/snapshot.ts";
import { mergeTraffic, trafficOf, type TrafficTraits } from "../../model/traffic.ts";
import { SnapshotHasher } from "../../model/snapshot_version.ts";
import {
  byKey,
  endpointsOf,
  externalKeys,
  namesOf,
  plainService,
  runningOf,
  settingsOf,
  undeclared,
} from "./compile_input.ts";
import type { CompiledService, CompileInput, CompileMachine } from "./compile_input.ts";
export type { CompiledService, CompileInput, CompileMachine };
import { namedAtServer, servicesAfter } from "./services_after.ts";
import { behindGateway, exitsOf, standsFor } from "./compile_exits.ts";
import { networksOf, relaysOf } from "./compile_networks.ts";
import { areSaid, sessionKeys } from "./session_keys.ts";
import { byService, ofKind, type Grouped } from "./grouped.ts";
import {
  isSameBundle,
  isSameContent,
  isSameDenied,
  isSameList,
  isSameSource,
  type Before,
} from "./kept_parts.ts";
import { closedAccess, compileAccess } from "./compile_access.ts";
import { routesByParent } from "./routes_by_parent.ts";
import { bound, concerns, PolicyNames, refsOf } from "./policy_refs.ts";
import {
  compileListener,
  gatewaysOf,
  listenerKeys,
  servicesBehind,
  usesWith,
  type ListenerRoutes,
} from "./compile_gateways.ts";
import {
  compileConnectionRoutes,
  compileRoutes,
  type ConnectionRoute,
  type RouteContext,
} from "./compile_routes.ts";

export class SnapshotCompiler {
  readonly #services = new Map<string, ServiceDocument>();
  readonly #routes: Grouped<HttpRouteDocument>;
  readonly #tlsRoutes: Grouped<ConnectionRoute>;
  readonly #gateways: readonly GatewayDocument[];
  readonly #listeners: ReadonlyMap<string, ListenerRoutes>;
  readonly #traffic: Grouped<TrafficDocument>;
  readonly #mesh: MeshDocument | null;
  readonly #access: Grouped<AccessDocument>;
  readonly #instances: Grouped<Instance>;
  readonly #hasher: SnapshotHasher;
  readonly #destinations = new Map<string, Destination>();
  readonly #names: readonly string[];
  readonly #leads = new Map<string, readonly string[]>();
  readonly #networks: Pick<Snapshot, "networks">;
  readonly #denied: Pick<Snapshot, "deniedIds" | "deniedSerials">;
  readonly #bundle: TrustBundle;
  readonly #policyNames: PolicyNames;
  /** By the list of what is used: keys of what a machine gets. */
  readonly #reached = new WeakMap<readonly string[], readonly string[]>();
  /** By machine, the last one. */
  readonly #made = new Map<string, Snapshot>();
  readonly #before: Before | null;

  /** `before`: what it made that is the same now is used again, as the same object. */
  constructor(
    readonly input: CompileInput,
    before: SnapshotCompiler | null = null,
  ) {
    const { documents, instances, bundle } = input;
    for (const each of documents.flatMap((one) => asService(one) ?? []))
      this.#services.set(serviceKey(each), each);
    this.#gateways = ofKind(documents, "Gateway");
    this.#networks = networksOf(this.#gateways);
    const { routes, tlsRoutes, listeners } = routesByParent(documents, this.#services, this.#gateways);
    this.#routes = routes;
    this.#tlsRoutes = tlsRoutes;
    this.#listeners = listeners;
    this.#traffic = byService(ofKind(documents, "Traffic"));
    this.#mesh = meshIn(documents);
    this.#access = byService(ofKind(documents, "Access"));
    this.#instances = byService(instances);
    const names = namesOf(this.#services, input.addresses);
    this.#names = before !== null && isSameList(before.#names, names) ? before.#names : names;
    this.#bundle = before !== null && isSameBundle(before.#bundle, bundle) ? before.#bundle : bundle;
    const denied = { deniedIds: [...input.deniedIds].sort(), deniedSerials: [...input.deniedSerials].sort() };
    this.#denied = before !== null && isSameDenied(before.#denied, denied) ? before.#denied : denied;
    this.#policyNames = before === null ? new PolicyNames() : before.#policyNames;
    this.#hasher = before === null ? new SnapshotHasher() : before.#hasher;
    this.#before = before === null ? null : this.#kept(before);
  }

  /** What of an earlier one may be the same; without that one's own past. */
  #kept(before: SnapshotCompiler): Before {
    return {
      sameDocuments: isSameSource(before.input, this.input),
      destinations: before.#destinations,
      instances: before.#instances,
      made: before.#made,
      reached: before.#reached,
    };
  }

  /** Whether there is a service of this key. */
  has(key: string): boolean {
    return this.#services.has(key);
  }

  /** Keys of all services that are declared. */
  get keys(): Iterable<string> {
    return this.#services.keys();
  }

  /** How a service stands in the snapshots of machines; null: no document declares it. */
  service(key: string): CompiledService | null {
    const document = this.#services.get(key);
    if (document === undefined) return null;
    const [destination, access] = [this.#destination(key), this.#accessTo(key)];
    const groups = [this.#routes, this.#tlsRoutes, this.#traffic, this.#access];
    const about = groups.flatMap((group): readonly Document[] => group.get(key) ?? []);
    return { port: document.port, destination, access, documents: [document, ...about] };
  }

  /** What the instances of a service take in the whole mesh; null: as much as comes. */
  sharedRate(key: string): SharedRate | null {
    const perSecond = this.#trafficOf(key, "callee").traffic?.rateLimit?.mesh?.perSecond;
    return perSecond === undefined ? null : { perSecond, machines: this.#machinesOf(key).size };
  }

  #machinesOf(key: string): Set<string> {
    return new Set((this.#instances.get(key) ?? []).map(({ node }) => node));
  }

  #rateSharers(key: string, node: string): Pick<LocalService, "rateSharers"> {
    // It may be new, with instances that are not registered yet.
    return this.sharedRate(key) === null ? {} : { rateSharers: this.#machinesOf(key).add(node).size };
  }

  compile(machine: CompileMachine): Snapshot {
    const { trustDomain } = this.input;
    const here = machine.services.flatMap((service) => this.#services.get(serviceKey(service)) ?? []);
    const asked = here.flatMap((service) => namedAtServer(service, this.#mesh));
    const gateways = gatewaysOf(this.#gateways, machine.services);
    const outside = this.#mesh?.egress === "declared" ? externalKeys(this.#services) : [];
    const more = [...asked, ...listenerKeys(gateways), ...outside];
    const wanted = usesWith(machine.uses, this.#listeners, more);
    const destinations = this.#reachable(wanted).map((key) => this.#destination(key));
    const locals = [...machine.services].sort(byKey).map((service) => this.#local(service, machine.node));
    const content: Omit<Snapshot, "version"> = {
      format: 1,
      node: machine.node,
      trustDomain,
      bundle: this.#bundle,
      ...this.#denied,
      locals,
      destinations,
      policies: this.#policies(destinations, locals),
      ...(gateways.length === 0 ? {} : { gateways }),
      ...settingsOf(this.#mesh),
      ...(this.#names.length === 0 ? {} : { names: this.#names }),
      ...this.#networks,
      ...relaysOf(gateways, this.input.instances, this.#services),
      ...exitsOf(gateways, this.#services, (key, service) => this.#standing(key, service)),
    };
    const known = this.#made.get(machine.node) ?? this.#before?.made.get(machine.node);
    const made =
      known !== undefined && isSameContent(known, content)
        ? known
        : { ...content, version: this.#hasher.version(content) };
    this.#made.set(machine.node, made);
    return made;
  }

  #accessTo(key: string): Access {
    return compileAccess(this.#access.get(key) ?? [], this.input.trustDomain, this.#gateways);
  }

  #local({ name, namespace }: ServiceName, node: string): LocalService {
    const service = { name, namespace };
    const { drains } = this.input;
    const document = this.#services.get(serviceKey(service));
    const access = document === undefined ? closedAccess : this.#accessTo(serviceKey(service));
    return {
      service,
      spiffeId: serviceId(this.input.trustDomain, service),
      ...calleeTraits(document ?? undeclared),
      ...this.#trafficOf(serviceKey(service), "callee"),
      ...this.#rateSharers(serviceKey(service), node),
      access,
      ...this.#policiesAt(document),
      ...([null, service].some((each) => drains.has(drainKey({ node, service: each })))
        ? { drained: true }
        : {}),
    };
  }

  #policiesAt(service: ServiceDocument | undefined): Pick<LocalService, "policies"> {
    const policies = service === undefined ? [] : this.#bind(service, "server");
    return policies.length === 0 ? {} : { policies };
  }

  /** Those of one side, of the mesh and of the service itself. */
  #bind(service: ServiceDocument, side: "caller" | "server"): PolicyBinding[] {
    return [...(this.#mesh?.policies ?? []), ...service.policies]
      .filter((use) => (use.side ?? "caller") === side && concerns(use, service, this.input.policies))
      .flatMap((use) => this.#binding(use));
  }

  /** Keys of the services used, and of those that routes and policies of these lead to; sorted. */
  #reachable(uses: readonly string[]): readonly string[] {
    const kept = this.#before?.sameDocuments === true ? this.#before.reached.get(uses) : undefined;
    const known = this.#reached.get(uses) ?? kept ?? this.#reachedFrom(uses);
    this.#reached.set(uses, known);
    return known;
  }

  #reachedFrom(uses: readonly string[]): string[] {
    const reached = new Set<string>();
    const open = [...uses];
    for (let key = open.pop(); key !== undefined; key = open.pop()) {
      if (reached.has(key) || !(this.#services.has(key) || this.#listeners.has(key))) continue;
      reached.add(key);
      open.push(...this.#leadsTo(key));
    }
    return [...reached].sort();
  }

  #leadsTo(key: string): readonly string[] {
    const known = this.#leads.get(key) ?? this.#leadsFrom(key);
    this.#leads.set(key, known);
    return known;
  }

  #leadsFrom(key: string): readonly string[] {
    const { leadsTo } = this.input;
    const listener = this.#listeners.get(key);
    if (listener !== undefined)
      return servicesBehind(listener, (route) => leadsTo.get(documentKey(route)) ?? []);
    const service = this.#services.get(key) as ServiceDocument;
    const [routes, tlsRoutes] = [this.#routes.get(key) ?? [], this.#tlsRoutes.get(key) ?? []];
    return servicesAfter({ service, routes, tlsRoutes, leadsTo, mesh: this.#mesh });
  }

  #destination(key: string): Destination {
    const known = this.#destinations.get(key);
    if (known !== undefined) return known;
    const made = this.#keptDestination(key) ?? this.#newDestination(key);
    this.#destinations.set(key, made);
    return made;
  }

  /** The one before, where nothing that it is made of has changed. */
  #keptDestination(key: string): Destination | undefined {
    const before = this.#before;
    if (before === null || !before.sameDocuments) return undefined;
    const of = standsFor(this.#services.get(key), key);
    const same = isSameList(before.instances.get(of) ?? [], this.#instances.get(of) ?? []);
    return same ? before.destinations.get(key) : undefined;
  }

  /** The one before, where what came of it is the same. */
  #newDestination(key: string): Destination {
    const listener = this.#listeners.get(key);
    const made =
      listener === undefined
        ? this.#makeDestination(key, this.#services.get(key) as ServiceDocument)
        : compileListener(listener, this.#routeContext, plainService, {
            ...this.#trafficOf(key, "caller"),
            ...this.#sessionKeyOf(key),
          });
    const known = this.#before?.destinations.get(key);
    if (known === undefined) return made;
    return this.#hasher.destination(known) === this.#hasher.destination(made) ? known : made;
  }

  #makeDestination(key: string, service: ServiceDocument): Destination {
    const via = service.external?.via;
    const made = this.#standing(key, service);
    if (via === undefined) return made;
    const running = runningOf(this.#instances.get(serviceKey(via)) ?? []);
    return behindGateway(made, via, this.input.trustDomain, running);
  }

  /** Where it stands, whoever goes there. */
  #standing(key: string, service: ServiceDocument): Destination {
    const { name, namespace, protocol } = service;
    return {
      service: { name, namespace },
      spiffeId: serviceId(this.input.trustDomain, service),
      ...callerTraits(service),
      serverFirst: protocol === "detect" && serverFirstPorts.has(service.port),
      ...this.#trafficOf(key, "caller"),
      ...this.#sessionKeyOf(key),
      ...(service.external === undefined ? {} : { externalAccess: this.#accessTo(key) }),
      endpoints: endpointsOf(service, this.#instances.get(key) ?? []),
      routes: compileRoutes(this.#routes.get(key) ?? [], this.#routeContext),
      tlsRoutes: compileConnectionRoutes(this.#tlsRoutes.get(key) ?? [], { services: this.#services }),
      policies: this.#bind(service, "caller"),
    };
  }

  get #routeContext(): RouteContext {
    return {
      ...{ trustDomain: this.input.trustDomain, services: this.#services },
      bind: (uses) => uses.flatMap((use) => this.#binding(use)),
      faults: this.#mesh?.faults === "allowed",
    };
  }

  /** Machines get the keys of services that they call: who holds one can name any instance of that service, and no other. */
  #sessionKeyOf(key: string): Pick<Destination, "sessionKey" | "sessionKeyBefore"> {
    const { sessionSecret } = this.input;
    return sessionSecret === null || !this.#hasSessions(key) ? {} : sessionKeys(sessionSecret, key);
  }

  /** Itself, or a rule of its routes. */
  #hasSessions(key: string): boolean {
    const routes = this.#listeners.get(key)?.routes ?? this.#routes.get(key) ?? [];
    return areSaid([this.#trafficOf(key, "caller").traffic, ...routes.flatMap((route) => route.rules)]);
  }

  /** What one side of the calls of a service goes by; nothing where no document says anything. */
  #trafficOf(key: string, side: "caller" | "callee"): { readonly traffic?: TrafficTraits } {
    const own = this.#traffic.get(key)?.[0]?.traffic ?? {};
    const said = this.#services.get(key)?.traffic ?? {};
    const traffic = trafficOf(mergeTraffic(mergeTraffic(this.#mesh?.traffic ?? {}, said), own), side);
    return Object.keys(traffic).length === 0 ? {} : { traffic };
  }

  /** A policy that is gone has no hash: what nobody can load is answered by the proxy as a policy that failed closed. */
  #binding(use: PolicyUse): PolicyBinding[] {
    const known = this.input.policies.get(use.use);
    if (known?.disabled === true) return [];
    const binding = bound(use, known ?? {});
    const trial = this.input.trials.get(use.use);
    if (trial === undefined || known === undefined) return [binding];
    const { mode, percent, by, startedMs, policy } = trial;
    return [{ ...binding, candidate: { mode, percent, by, startedMs, binding: bound(use, policy) } }];
  }

  #policies(destinations: readonly Destination[], locals: readonly LocalService[]): PolicyRef[] {
    const named = new Set(bindingsIn({ destinations: [], locals }).map((binding) => binding.name));
    for (const each of destinations) for (const name of this.#policyNames.of(each)) named.add(name);
    const names = [...named].sort();
    return names.flatMap((wanted) => {
      const known = this.input.policies.get(wanted);
      if (known === undefined) return [];
      return refsOf(known, this.input.trials.get(wanted)?.policy);
    });
  }
}

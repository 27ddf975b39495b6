/**
 * The controller: follows the registry, publishes snapshots, issues identities, takes documents. Serves what it knows
 * while the registry is away.
 */
import { Hono } from "hono";
import type { Clock } from "../../runtime/contract.ts";
import { vouchForCaller, type ControlEnv } from "../api/caller.ts";
import { controllerPaths, type HealthAnswer } from "../api/messages.ts";
import type { PageQuery } from "../api/pages.ts";
import { problemOf } from "../base/result.ts";
import { problemResponse, Refusal } from "../api/problem.ts";
import type { RegistryClient } from "../api/registry_client.ts";
import { limits } from "../model/limits.ts";
import { meshIn } from "../model/document.ts";
import type { Node } from "../model/service.ts";
import type { TelemetrySettings } from "../model/telemetry.ts";
import { AddressKeeper } from "./address_keeper.ts";
import { mountAskRoutes } from "./ask_routes.ts";
import { Asks } from "./asks.ts";
import { Catalog } from "./catalog.ts";
import { mountControlPlaceRoutes, settledPlace, wholePlace, type PlaceKeeper } from "./control_place.ts";
import { mountDrainRoutes } from "./drains.ts";
import { mountDashboardRoutes, type DashboardRouteOptions } from "./dashboard/dashboard_routes.ts";
import { TrafficHistory } from "./dashboard/traffic_history.ts";
import { TrafficWatch } from "./dashboard/traffic_watch.ts";
import type { ViewInput } from "./dashboard/view_input.ts";
import { DocumentRemoval } from "./document_removal.ts";
import { DocumentService } from "./documents.ts";
import { Issuing, type IssuingOptions } from "./issue/issuing.ts";
import { Rotation, mountRotationRoutes } from "./issue/rotation.ts";
import { mountIssueRoutes } from "./issue/routes.ts";
import { mountNodeRoutes, requireMember, type NodeRouteOptions } from "./node_routes.ts";
import { PolicyFit } from "./policy_fit.ts";
import { PolicyLife } from "./policy_life.ts";
import { mountPolicyRoutes } from "./policy_routes.ts";
import { mountOperatorAccessRoutes } from "./operator_access_routes.ts";
import { Operators } from "./operators.ts";
import { mountOperatorRoutes } from "./operator_routes.ts";
import type { PolicyBundler } from "./policy_uses.ts";
import { Publisher, type PublisherOptions } from "./publisher.ts";
import { Scrape } from "./scrape.ts";
import { ShrinkGuard } from "./shrink_guard.ts";
import { SessionSecretKeeper } from "./session_secret.ts";
import { mountIntermediateRoutes } from "./issue/intermediates.ts";
import { ControlPeers, type ControlPeersOptions } from "./control_peers.ts";
import { Snapshots, type Content } from "./snapshots.ts";
import { statusPage } from "./status.ts";

export interface ControllerOptions extends Omit<IssuingOptions, "store"> {
  readonly place: PlaceKeeper;
  readonly clock: Clock;
  readonly registryClient: RegistryClient;
  readonly bundler: PolicyBundler;
  /** The machine that it runs on. */
  readonly ownNode: string;
  /** Hears what the mesh says of telemetry, when documents were applied. */
  readonly telemetry?: (settings: TelemetrySettings) => void;
  /** Hears how long documents take to reach machines. */
  readonly pushed?: PublisherOptions["pushed"];
  /** Lets a browser see the dashboard. */
  readonly admit: DashboardRouteOptions["admit"];
  /** The roots or the signer changed: what this machine itself holds must follow. */
  readonly rootsChanged: () => Promise<void>;
  /** `etcd://…` where the registry keeps everything; null: a file. */
  readonly registryStore: string | null;
  /** A way to the controller of another machine. */
  readonly connectPeer: ControlPeersOptions["connect"];
}

export class Controller {
  readonly app = new Hono<ControlEnv>();
  readonly catalog = new Catalog();
  readonly publisher: Publisher;
  readonly issuing: Issuing;
  readonly scrape: Scrape;
  /** Where the whole control plane is. */
  readonly place: PlaceKeeper;
  readonly #peers: ControlPeers;
  readonly #asks: Asks;
  readonly #history: TrafficHistory;
  readonly #watch: TrafficWatch;
  readonly #snapshots: Snapshots;
  readonly #documents: DocumentService;
  readonly #removal: DocumentRemoval;
  readonly #life: PolicyLife;
  readonly #secretKeeper: SessionSecretKeeper;
  readonly #following: { close(): void };
  readonly #guard: ShrinkGuard;
  /** Why the registry does not answer; null while it does. */
  #connectionProblem: string | null = "not connected yet";

  constructor(readonly options: ControllerOptions) {
    const { authority, bundler, clock, pushed = () => {}, registryClient: store, ownNode } = options;
    const { catalog } = this;
    this.place = wholePlace(options.place, catalog, ownNode);
    const place = this.place;
    this.#snapshots = new Snapshots(catalog, authority);
    this.publisher = this.#makePublisher(pushed);
    this.#peers = new ControlPeers({
      ...{ authority, clock, catalog, store, own: ownNode, log: options.log },
      connect: options.connectPeer,
      publisher: () => this.publisher,
      rateOf: (key) => this.#snapshots.sharedRate(key),
      limitOf: (service, budget) => this.#snapshots.budget(service, budget),
      changed: () => this.#rootsChanged(),
    });
    this.#asks = new Asks({
      clock,
      owner: ownNode,
      connected: () => this.publisher.connected(),
      tell: (node, line) => this.publisher.tell(node, line),
    });
    this.scrape = new Scrape(this.#asks, catalog);
    this.#history = new TrafficHistory(clock);
    this.#watch = new TrafficWatch(this.#asks, catalog, this.#history);
    this.issuing = new Issuing({ ...options, place, store });
    const usesOf = (node: string): readonly string[] => this.publisher.view(node).uses;
    const standing = {
      catalog,
      store,
      instances: () => catalog.instances,
      affected: (content: Content) => this.#snapshots.affectedBy(content, usesOf),
      fit: new PolicyFit({
        catalog,
        snapshots: this.#snapshots,
        viewOf: (node) => this.publisher.view(node),
      }),
      settled: (revision: number) => this.#settled(revision),
      wallMs: () => clock.wallMs(),
    };
    this.#documents = new DocumentService({ ...standing, bundler });
    this.#life = new PolicyLife({ ...standing, bundler, log: options.log });
    this.#removal = new DocumentRemoval({ ...standing, bundler });
    this.#mount();
    const keeper = new AddressKeeper({ catalog, store, wallMs: () => clock.wallMs() });
    this.#secretKeeper = new SessionSecretKeeper({ catalog, store, clock });
    this.#guard = new ShrinkGuard({
      ...{ clock, log: options.log },
      take: (entries, revision) => {
        const applied = this.ready ? catalog.applied : null;
        const { places } = catalog;
        catalog.update(entries, revision);
        this.#connectionProblem = null;
        this.#snapshots.changed();
        if (applied !== catalog.applied)
          this.options.telemetry?.(meshIn(catalog.documents ?? [])?.telemetry ?? {});
        this.publisher.changed(applied !== null && applied !== catalog.applied);
        void keeper.look();
        this.#peers.look();
        void this.#placed(places);
        void this.#secretKeeper.look();
      },
    });
    this.#following = store.follow("", {
      state: (entries, revision, anew) => this.#guard.look(entries, revision, anew),
      connection: (problem) => {
        this.#connectionProblem = problem;
      },
    });
  }

  get #registryProblem(): string | null {
    return this.#connectionProblem ?? this.#guard.problem;
  }

  #makePublisher(pushed: PublisherOptions["pushed"]): Publisher {
    return new Publisher({
      clock: this.options.clock,
      snapshotOf: (node, uses) => this.#snapshots.of(node, uses),
      missing: (uses) => this.#snapshots.missing(uses),
      place: () => this.place.now(),
      pushed,
      connected: (node) => this.#watch.connected(node),
      disconnected: (node) => {
        this.#asks.disconnected(node);
        this.#watch.disconnected(node);
      },
      stated: (node) => this.#peers.nodes.changed(node),
      relay: (to, node, line) => void this.#peers.peers.relay(to, { to: "machine", node, line }),
    });
  }

  /** Whether it has seen the registry's state at least once. */
  get ready(): boolean {
    return this.catalog.revision > 0;
  }

  /** Machines that have not acknowledged the snapshot they should have. */
  #machines(): { all: number; names: string[]; behind: string[] } {
    const alive = [...this.catalog.nodes.values()].filter((node) => !node.removed);
    const behind = alive.filter(({ name }) => {
      const { uses, acknowledged } = this.publisher.view(name);
      const current = this.#snapshots.of(name, uses);
      return current.kind !== "snapshot" || current.snapshot.version !== acknowledged;
    });
    const namesOf = (nodes: readonly Node[]): string[] => nodes.map((node) => node.name);
    return { all: alive.length, names: namesOf(alive), behind: namesOf(behind) };
  }

  close(): void {
    this.#following.close();
    this.#guard.close();
    this.#secretKeeper.close();
    this.publisher.close();
    this.#peers.close();
  }

  #mount(): void {
    const { app, catalog, publisher, issuing } = this;
    const { place } = this;
    const { authority, clock, ownNode, log } = this.options;
    const { trustDomain } = authority;
    const requireReady = (): void => this.#requireReady();
    const controllers = () => place.now().controllers;
    const operators = new Operators({
      controllers,
      authority,
      catalog,
      store: this.options.registryClient,
      leafMs: this.options.leafMs,
      wallMs: () => clock.wallMs(),
      requireReady,
      settled: (revision) => this.#settled(revision),
    });
    const status = (query: PageQuery) => {
      const registryProblem = this.#registryProblem;
      publisher.flush();
      return statusPage({ trustDomain, nowMs: clock.wallMs(), catalog, publisher, registryProblem }, query);
    };
    app.onError((error) => problemResponse(error));
    app.notFound(() => problemResponse(new Refusal(404, "The controller has no such path")));
    const isRevoked = (serial: string): boolean => catalog.revoked.has(serial);
    app.use(vouchForCaller({ wallMs: () => clock.wallMs(), isRevoked }));
    app.get(controllerPaths.health, (context) =>
      context.json({ ok: this.ready, controllerMs: clock.wallMs() } satisfies HealthAnswer),
    );
    mountIssueRoutes(app, { issuing, operators, trustDomain, controllers, ownNode });
    mountOperatorAccessRoutes(app, { operators, issuing });
    const machines = () => this.#machines();
    const changed = (): Promise<void> => this.#rootsChanged();
    const rotation = new Rotation({
      authority,
      machines,
      renewals: () => issuing.lastRenewals(),
      changed,
      clock,
    });
    mountRotationRoutes(app, { rotation, operators, log });
    const members = () => machines().names;
    mountControlPlaceRoutes(app, { operators, publisher, place, members, requireReady, log });
    mountAskRoutes(app, { trustDomain, asks: this.#asks, operators, peers: this.#peers.peers });
    this.#peers.mount(app, trustDomain, this.#asks);
    mountIntermediateRoutes(app, {
      ...{ issuing, trustDomain, ownNode, store: this.options.registryStore },
      place: () => place.now(),
      settled: (revision) => this.#settled(revision),
    });
    const { admit } = this.options;
    mountDashboardRoutes(app, { operators, requireReady, admit, input: () => this.#viewInput() });
    const ask: NodeRouteOptions["rates"] = (node, asked) => this.#peers.rates.ask(node, asked);
    const budgets: NodeRouteOptions["budgets"] = (node, asked) => this.#peers.budgets.ask(node, asked);
    mountNodeRoutes(app, { trustDomain, catalog, publisher, rates: ask, budgets, requireReady });
    const [documents, removal] = [this.#documents, this.#removal];
    mountDrainRoutes(app, {
      ...{ catalog, operators, requireReady, log },
      store: this.options.registryClient,
      wallMs: () => clock.wallMs(),
      settled: (revision) => this.#settled(revision),
    });
    const life = this.#life;
    const member = (node: string): void => requireMember(catalog, node);
    mountPolicyRoutes(app, { trustDomain, operators, life, requireReady, requireMember: member });
    const policies = () => life.rows();
    mountOperatorRoutes(app, { policies, operators, documents, removal, status, requireReady, log });
  }

  #viewInput(): ViewInput {
    const { catalog, publisher } = this;
    publisher.flush();
    return {
      ...{ catalog, publisher, snapshots: this.#snapshots, history: this.#history, watch: this.#watch },
      trustDomain: this.options.authority.trustDomain,
      nowMs: this.options.clock.wallMs(),
      registryProblem: this.#registryProblem,
      machines: () => this.#machines(),
    };
  }

  async #rootsChanged(): Promise<void> {
    this.#snapshots.changed();
    this.publisher.changed();
    await this.options.rootsChanged();
    this.#peers.authorityChanged();
  }

  /** Other controllers may have come or gone: every machine is told, this one by its settings. */
  async #placed(before: Catalog["places"]): Promise<void> {
    const { catalog, place } = this;
    if (JSON.stringify([...before]) === JSON.stringify([...catalog.places])) return;
    const settled = settledPlace(this.options.place.now(), before, catalog.places);
    try {
      if (settled !== null) await this.options.place.change(settled);
    } catch (error) {
      this.options.log(`cannot keep where the control plane is: ${problemOf(error)}`);
    }
    this.publisher.tellAll({ kind: "control-plane", ...place.now() });
  }

  #requireReady(): void {
    if (this.ready) return;
    const message = `The controller has not reached the registry yet: ${this.#registryProblem}`;
    throw new Refusal(503, message, "Is `heddle registry` running?");
  }

  /** What an operator applied is there when the answer comes, unless the registry is slow to tell. */
  #settled(revision: number): Promise<void> {
    const late = new Promise<void>((resolve) =>
      this.options.clock.after(limits.publishDebounceMaxMs, resolve, true),
    );
    return Promise.race([this.catalog.reached(revision), late]);
  }
}

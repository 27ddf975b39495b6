/**
 * One shard of the data plane: listeners, the state in force, and everything that is open. A snapshot becomes a whole new
 * state beside the old one and is swapped in once; nothing that is under way notices. Revocation alone cuts.
 */
import type { Files, Net, Random, Socket, SocketHandler } from "../../runtime/contract.ts";
import type { Address } from "../base/socket_address.ts";
import { inPieces, type InPieces } from "../base/pieces.ts";
import type { Shard } from "../http/shard.ts";
import type { MachineDocument } from "../model/document.ts";
import type { ServiceName } from "../model/service.ts";
import { limits } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { PolicyChain } from "../policy/chain.ts";
import { noTracing, type Tracing } from "./trace/tracer.ts";
import type { Recorder } from "../telemetry/record.ts";
import type { Credentials } from "./state/credentials.ts";
import { LocalRates } from "./limit/local_rates.ts";
import { RecentDelays } from "./limit/recent_delays.ts";
import { Shedder, sheddingText } from "./limit/shedder.ts";
import { Discovery } from "./find/discovery.ts";
import { Drain, type DrainOptions } from "./drain/drain.ts";
import { OwnConnections, type Drained } from "./drain/drained.ts";
import { type InheritedSocket, Listeners } from "./listen/listeners.ts";
import { CallerGate, type CallerOf, type Told } from "./listen/caller_gate.ts";
import { VirtualListeners } from "./listen/virtual_listeners.ts";
import { listenOutbound, type OutboundAddress } from "./listen/outbound_listeners.ts";
import type { LocalApp } from "./state/live_service.ts";
import { Budgets, nobodyDealsOut, type BudgetsOptions } from "./budget/budgets.ts";
import { localApps } from "./state/local_apps.ts";
import { OutboundListener } from "./accept/outbound_listener.ts";
import { Gateways } from "./gateways.ts";
import { openInboundListener } from "./accept/inbound_listener.ts";
import { PolicyCaller } from "./policy_caller.ts";
import { Redirected, type RedirectedTo } from "./redirected.ts";
import { OpenConnections } from "./drain/open_connections.ts";
import { ExternalApps } from "./state/external_apps.ts";
import { OutboundSource } from "./state/outbound_source.ts";
import { proxyProtocolNotes } from "./state/proxy_protocol_notes.ts";
import { Sites } from "./upstream/sites.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";
import { RequestIds } from "./fields/request_id.ts";
import { outcomes } from "./failure/outcomes.ts";
import { createProxyState, type ProxyState, type StateInput } from "./state/state.ts";
import { abandonedPools, poolsOf, releaseOthers, takeOver } from "./state/take_over.ts";

export interface DataPlaneOptions {
  readonly net: Net;
  /** Opens its listeners. */
  readonly listening: Pick<Net, "listen" | "adopt">;
  /** Taken where one of its listeners is to stand; the others are closed. */
  readonly inherited?: readonly InheritedSocket[];
  readonly shard: Shard;
  readonly random: Random;
  readonly recorder: Recorder;
  /** Absent: nothing is traced. */
  readonly tracer?: Tracing;
  readonly credentials: Credentials;
  /** Where certificates of gateways are read. Absent: this machine runs none. */
  readonly files?: Pick<Files, "readSync">;
  readonly policies: PolicyChain;
  /** Name of this machine in the mesh. */
  readonly node: string;
  /** What runs on this machine when it starts; `changeMachine` has another. */
  readonly machine: MachineDocument;
  readonly inbound: { readonly host: string; readonly port: number };
  /** Where the local listeners bind. */
  readonly loopback: string;
  /** 0: any free ports. */
  readonly outboundFirstPort: number;
  /** Where rules of this machine redirect connections of units that are intercepted, while there are any. Absent: nowhere. */
  readonly redirected?: RedirectedTo;
  /** Who calls at a listener of local apps. Absent: the service whose listener it is; at a virtual address nobody can be told. */
  readonly callerOf?: CallerOf;
  /** Asks the controller for tokens of budgets. Absent: nobody is asked. */
  readonly askBudgets?: BudgetsOptions["ask"];
  /** The controller is to be told of `wanted`. */
  readonly ask: () => void;
  /** A service that local apps asked for is there. */
  readonly confirmed: (key: string) => void;
  /** What this machine had of a rate that the mesh shares, by service; default: nothing that is known. */
  readonly firstSlice?: (service: string) => number | null;
  readonly log: (text: string) => void;
  /** What is open where its listeners are accepted from, for `close` to wait for; default: its own. */
  readonly drained?: Drained;
}

/** A whole state beside the one in force. One of the two is called, once. */
export interface Prepared {
  enforce(): void;
  forget(): void;
}

export class DataPlane {
  /** Where local services find the mesh; known once it is open. */
  addresses: readonly OutboundAddress[] = [];
  /** The port that took effect; 0 before `open`. */
  inboundPort = 0;
  /** Listeners at virtual addresses: opened and closed by whoever knows what else the machine has. */
  readonly virtual: VirtualListeners;
  readonly #listeners: Listeners;
  readonly #redirected: Redirected;
  readonly #gateways: Gateways | null;
  readonly #externals: ExternalApps;
  readonly #callerOf: CallerOf;
  #notes: readonly string[] = [];
  readonly #parts: ProxyParts;
  readonly #policyCaller: PolicyCaller;
  readonly #inPieces: InPieces;
  /** What is open, as a drain sees it. */
  readonly drained: Drained;
  readonly #delays = new RecentDelays();
  /** Parts of rates that the mesh shares. */
  readonly rates = new LocalRates(
    () => this.state?.locals.values() ?? [],
    () => this.options.shard.clock.now(),
  );
  #apps: ReadonlyMap<string, readonly LocalApp[]>;
  #machine: MachineDocument;

  constructor(readonly options: DataPlaneOptions) {
    const { net, shard, random, recorder, credentials, policies, machine, node, log } = options;
    this.#parts = {
      net,
      random,
      shard,
      recorder,
      tracer: options.tracer ?? noTracing,
      credentials,
      policies,
      calls: (as, requestId) => (call, withinMs, done) =>
        this.#policyCaller.ask({ as, requestId, call, withinMs }, done),
      ids: new RequestIds(random),
      discovery: new Discovery({
        shard,
        ask: options.ask,
        confirmed: options.confirmed,
        crowded: (source) => recorder.limitTripped("unconfirmedNamesMax", `outbound ${source}`),
      }),
      open: new OpenConnections(),
      sites: new Sites({
        ...{ net, clock: shard.clock },
        gatewaysOf: (network) => gatewaysIn(this.state, network),
      }),
      shedder: new Shedder(shard.clock.now()),
      mirrors: { taken: 0 },
      modelLists: { taken: 0 },
      budgets: new Budgets({ clock: shard.clock, ask: options.askBudgets ?? nobodyDealsOut }),
      log,
      state: null,
    };
    this.#policyCaller = new PolicyCaller(this.#parts);
    this.#listeners = new Listeners(options.listening, options.inherited);
    this.#callerOf = options.callerOf ?? ownerCalls;
    this.#redirected = new Redirected({
      parts: this.#parts,
      callerOf: this.#callerOf,
      outbound: (who, service) => this.#outbound(who, service, false),
    });
    this.virtual = new VirtualListeners({
      net: options.listening,
      gate: (service) => ({ callerOf: this.#callerOf, accept: (who) => this.#outbound(who, service, false) }),
    });
    const { files, listening } = options;
    this.#externals = new ExternalApps(this.#parts, files);
    this.#gateways = files === undefined ? null : new Gateways({ parts: this.#parts, files, listening });
    this.#inPieces = inPieces((ms, call) => void shard.clock.after(ms, call, true), limits.tablePauseMs);
    this.#machine = machine;
    this.#apps = localApps(machine.services, node, this.#parts);
    this.drained = options.drained ?? new OwnConnections(this.#parts.open, shard);
  }

  get state(): ProxyState | null {
    return this.#parts.state;
  }

  /** How late the event loop was; to be told at least each second. What matters least is refused while that lasts. */
  loopDelayed(ms: number): void {
    const { shedder, shard } = this.#parts;
    const lowest = shedder.lowest;
    this.#delays.add(ms);
    shedder.delayed(this.#delays.high, shard.clock.now());
    if (shedder.lowest !== lowest) this.options.log(sheddingText(shedder));
  }

  get shedding(): Shedder {
    return this.#parts.shedder;
  }

  /** Names that local apps call and the snapshot does not have. */
  wanted(): readonly string[] {
    return this.#parts.discovery.wanted();
  }

  /** The controller knows no services by these names. */
  missing(keys: readonly string[]): void {
    this.#parts.discovery.missing(keys);
  }

  /** Opens the listeners. Throws when a port is taken, naming its holder; nothing stays open then. */
  open(): void {
    this.#listen(this.#machine);
  }

  #listen(machine: MachineDocument): void {
    const { services } = machine;
    const { loopback, outboundFirstPort, redirected } = this.options;
    this.#listeners.reconcile((net) => {
      this.inboundPort = openInboundListener(this.#parts, net, this.options.inbound).port;
      this.addresses = listenOutbound({
        net,
        services,
        host: loopback,
        firstPort: outboundFirstPort,
        accept: ({ service, only, host, proxyProtocol }) => {
          const accept = (who: Told) => this.#outbound(who, only, proxyProtocol);
          const gate = new CallerGate({ host, owner: service, callerOf: this.#callerOf, accept });
          return (socket) => gate.accept(socket);
        },
      });
      if (redirected !== undefined) this.#redirected.listen(net, machine, redirected);
    });
  }

  /**
   * Other apps run here from now on; what stays is not touched. Throws, and changes nothing, when a port is taken. The apps that went
   * get nothing new, and finish what they have.
   */
  changeMachine(machine: MachineDocument): void {
    this.#listen(machine);
    const before = this.#apps;
    this.#machine = machine;
    this.#apps = localApps(machine.services, this.options.node, this.#parts, before);
    if (this.state !== null) this.apply(this.state.snapshot);
    const kept = new Set([...this.#apps.values()].flat());
    for (const app of [...before.values()].flat()) if (!kept.has(app)) retireApp(app);
    for (const [key, [app]] of before) if (!this.#apps.has(key)) app?.room.release();
  }

  #outbound(who: Told, only: ServiceName | null, proxyProtocol: boolean) {
    const listener = new OutboundListener(new OutboundSource(this.#parts, who, only), proxyProtocol);
    return (socket: Socket): SocketHandler => listener.accept(socket);
  }

  /** Puts a snapshot in force. What of it cannot be used is logged and refused where it would be; throws, and changes nothing, when it cannot be read at all. */
  apply(snapshot: Snapshot): void {
    this.prepare(snapshot).enforce();
  }

  /** Builds the state of a snapshot beside the one in force. Throws when it cannot be read at all. */
  prepare(snapshot: Snapshot): Prepared {
    const old = this.#parts.state;
    const machine = this.#machine;
    const { state, problems } = createProxyState(old, snapshot, this.#stateInput());
    const forget = (): void => {
      if (this.#areShared) releaseOthers(state, old);
    };
    return {
      forget,
      enforce: () => {
        // What it was built beside is no more.
        if (this.#parts.state !== old || this.#machine !== machine) {
          this.apply(snapshot);
          return forget();
        }
        for (const problem of problems) this.options.log(problem);
        this.#enforce(state, old);
      },
    };
  }

  get #areShared(): boolean {
    return this.options.shard.numbers.loops > 1;
  }

  #stateInput(): StateInput {
    const { shard, random, recorder, firstSlice = () => null } = this.options;
    return {
      ...{ shard, random, firstSlice },
      nowMs: shard.clock.now(),
      inPieces: this.#inPieces,
      place: this.#machine,
      apps: this.#apps,
      externals: this.#externals,
      ejected: (service, reason) => recorder.ejected(service, reason),
      tripped: (limit, listener) => recorder.limitTripped(limit, listener),
    };
  }

  #enforce(state: ProxyState, old: ProxyState | null): void {
    const { open, discovery } = this.#parts;
    const { snapshot } = state;
    this.#note(proxyProtocolNotes(this.#machine.services, state));
    this.#parts.state = state;
    takeOver(state, old, this.options.shard.clock.now());
    if (old !== null) for (const pool of abandonedPools(old, state)) pool.retire();
    if (old !== null && this.#areShared) releaseOthers(old, state);
    if (old !== null && isTrustChanged(old.snapshot, snapshot)) this.credentialsChanged();
    if (old !== null && isRootDropped(old.snapshot, snapshot)) open.retirePeers();
    this.#runGateways(snapshot);
    open.cut(state.denied);
    discovery.arrived((key) => state.destinations.has(key));
  }

  #runGateways({ gateways = [] }: Snapshot): void {
    this.#gateways?.apply(gateways, this.#machine.gateways ?? []);
  }

  /** Says what was not said for the snapshot before. */
  #note(notes: readonly string[]): void {
    for (const note of notes) if (!this.#notes.includes(note)) this.options.log(note);
    this.#notes = notes;
  }

  /** A credential or the trusted roots were replaced: what shows or trusts the old ones takes nothing new. */
  credentialsChanged(): void {
    if (this.state !== null) for (const pool of poolsOf(this.state)) pool.refresh();
  }

  /**
   * Lets what is open finish, ends the rest at the deadline; what comes meanwhile is taken too. `mayLeave` resolves when
   * its listeners may close, once nothing is open.
   */
  async close(deadlineMs: number, mayLeave?: () => Promise<void>): Promise<void> {
    const asked = mayLeave === undefined ? {} : { mayLeave };
    await this.#drain(asked).run(deadlineMs);
    this.end();
  }

  /** A successor accepts at the same ports: takes nothing new, lets what is open finish, and ends the rest at the deadline. */
  async cede(deadlineMs: number): Promise<void> {
    await this.#drain({}).cede(deadlineMs);
    this.end();
  }

  #drain(asked: Pick<DrainOptions, "mayLeave">): Drain {
    this.#gateways?.end();
    const all = [this.#listeners, this.virtual, ...(this.#gateways === null ? [] : [this.#gateways])];
    const listeners = {
      close: () => all.forEach((each) => each.close()),
      reopen: () => all.forEach((each) => each.reopen()),
    };
    const { clock } = this.options.shard;
    return new Drain({ open: this.drained, clock, listeners, ...asked });
  }

  /** Cuts what is open. */
  end(): void {
    const { open, discovery } = this.#parts;
    this.#gateways?.close();
    discovery.close();
    open.destroy();
    if (this.state !== null) for (const pool of poolsOf(this.state)) pool.retire();
    for (const app of [...this.#apps.values()].flat()) retireApp(app);
  }
}

function gatewaysIn(state: ProxyState | null, network: string): readonly Address[] {
  return state?.snapshot.networks?.find(({ name }) => name === network)?.gateways ?? [];
}

/** Where nobody tells more of a connection than the listener that it came by. */
const ownerCalls: CallerOf = ({ owner, host }, told) =>
  told(
    owner === null ? { service: null, refusal: outcomes.noCaller(host) } : { service: owner, refusal: null },
  );

function retireApp({ pools }: LocalApp): void {
  pools["http/1.1"].retire();
  pools.h2.retire();
}

/** What other proxies were let in by may be worth nothing now: they have to show what they are again. */
function isRootDropped(old: Snapshot, next: Snapshot): boolean {
  return old.bundle.rootsPem.some((root) => !next.bundle.rootsPem.includes(root));
}

function isTrustChanged(old: Snapshot, next: Snapshot): boolean {
  const trusted = (snapshot: Snapshot): string =>
    JSON.stringify([snapshot.bundle.rootsPem, snapshot.deniedIds, snapshot.deniedSerials]);
  return trusted(old) !== trusted(next);
}

/**
 * Connections to one endpoint, for one source identity and one service: taken where there is room, dialled when there is
 * none (and ahead of need where many share one), never shared with another pool. Also to the local app, in clear text.
 * How many requests they carry is bounded, and shared by clients and callers; whoever has its share, or finds no connection
 * yet, waits for a bounded time.
 */
import type { Socket, SocketError } from "../../../runtime/contract.ts";
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { ClientConnection } from "../../http/exchange.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import { FairGate } from "../share/fair_gate.ts";
import { shareSpent, type PlacesLimit } from "../share/share_outcome.ts";
import { CarriedStreams } from "./carried_streams.ts";
import { PoolRooms, type EndpointHolder } from "./pool_rooms.ts";
import { dialOutcome } from "./dial_outcome.ts";
import type { PoolBounds, PoolDial, PoolOptions, Taker } from "./pool_terms.ts";
import { hurried, type PoolTimes } from "./pool_times.ts";
import type { ConnectionEvents, PooledConnection } from "./upstream_protocol.ts";

export class Pool extends WheelEntry implements EndpointHolder {
  /** Connections with room; the last is used first. */
  readonly #free: PooledConnection[] = [];
  readonly #open = new Set<PooledConnection>();
  readonly #events: ConnectionEvents;
  /** Their places are taken: they wait for a connection, since then. */
  readonly #waiting = new Map<Taker, number>();
  readonly #gate: FairGate<Taker>;
  readonly #rooms: PoolRooms;
  /** Under way, the newest last. */
  readonly #dials: PoolDial[] = [];
  /** How many requests a connection takes at once, as far as is known. */
  #streams: number;
  #bounds: PoolBounds;
  readonly #carried: CarriedStreams;
  /** Where that is to be learned: connections that have not said it. */
  readonly #unheard = new Set<PooledConnection>();
  /** Gave way to another loop, and has some under way. */
  #lingering: PooledConnection | null = null;
  #retired = false;
  times: PoolTimes;
  /** Rises when the credential changes: a dial under way with the old one is not kept. */
  #generation = 0;

  constructor(readonly options: PoolOptions) {
    super();
    this.times = options.times;
    const { shard, name, peer, tls, protocol, onLimit } = options;
    this.#streams = protocol.streams;
    this.#bounds = {
      connections: protocol.connectionsMax,
      requests: null,
      pending: limits.pendingMax,
      pendingMs: limits.pendingMs,
    };
    this.#carried = new CarriedStreams(options);
    this.#rooms = new PoolRooms(options, this, protocol.connectionsMax);
    this.#gate = new FairGate<Taker>({
      shard,
      name: `requests ${name}`,
      max: this.#placesMax,
      look: () => this.#fit(),
      admit: (taker, sinceMs) => this.#enter(taker, sinceMs),
      overdue: (taker) => this.#turnAway(taker, "pendingMs"),
    });
    this.#events = {
      shard,
      peer,
      identityAtStake: tls !== null,
      keptMs: () => this.times.idleMs,
      onRoom: (connection) => this.#release(connection),
      onCapacity: (connection) => this.#learn(connection),
      onRetired: (connection) => this.#forget(connection),
      onClosed: (connection) => this.#closed(connection),
      onLimit,
    };
  }

  /** Nothing that is open ends: there are fewer in time. */
  bound({ connections, requests, pending, pendingMs }: PoolBounds): void {
    const { connectionsMax, limit } = this.options.protocol;
    const most = limit === "sharedConnectionsMax" ? Math.min(connections, connectionsMax) : connections;
    this.#rooms.max = most;
    this.#bounds = { connections: most, requests, pending, pendingMs };
    this.#gate.resizeLine(pending, pendingMs);
    this.#fit();
    this.#watchWaiting();
  }

  /** Whoever got it by `connected` did not need it any more. */
  unused(connection: ClientConnection): void {
    this.#release(connection as PooledConnection);
  }

  acquire(taker: Taker, nowMs: number): void {
    const claim = taker.flow.claimOn(this.#gate);
    const answer = this.#gate.ask(claim, taker, nowMs);
    if (answer !== "enters") return this.#wait(taker, answer);
    taker.place = claim;
    this.#connect(taker, nowMs, nowMs);
  }

  #wait(taker: Taker, answer: "waits" | "full"): void {
    const { onLimit } = this.options;
    const [free] = this.#free;
    // It may take more than it was known to when it was dialled.
    if (free !== undefined) this.#count(free);
    else this.#fit();
    if (answer === "full") this.#turnAway(taker, "pendingMax");
    else onLimit(this.#limit);
  }

  /** Waits no longer, or has done with its connection. A dial that nobody waits for any more is given up. */
  leave(taker: Taker): void {
    if (this.#waiting.size > 0 && this.#waiting.delete(taker)) this.#endNeedlessDials();
    if (this.#waiting.size === 0) this.#rooms.content();
    this.#giveBack(taker);
  }

  #giveBack(taker: Taker): void {
    if (taker.place === null) return this.#gate.forget(taker);
    this.#gate.leave(taker.place);
    taker.place = null;
  }

  /** Its turn came. */
  #enter(taker: Taker, sinceMs: number): void {
    taker.place = taker.flow.claimOn(this.#gate);
    this.#connect(taker, sinceMs, this.options.shard.clock.now());
  }

  #connect(taker: Taker, sinceMs: number, nowMs: number): void {
    const connection = this.#take(nowMs);
    if (connection !== null) return taker.connected(connection);
    this.#waiting.set(taker, sinceMs);
    this.#dialForWaiting();
  }

  #turnAway(taker: Taker, limit: "pendingMs" | "pendingMax"): void {
    const { onLimit, peer } = this.options;
    onLimit(limit);
    const spent = { gate: this.#gate, flow: taker.flow, of: this.#limit, limit };
    this.#letDown(taker, shareSpent(peer, spent));
  }

  #letDown(taker: Taker, outcome: Outcome): void {
    this.#waiting.delete(taker);
    this.#giveBack(taker);
    taker.unreachable(outcome);
  }

  /** The credential or the trusted roots changed: what is under way goes on, nothing new starts on the old connections. */
  refresh(): void {
    this.#generation++;
    for (const connection of [...this.#open]) connection.retire();
  }

  /** The endpoint is gone: idle connections end now, the others after their requests. */
  retire(): void {
    this.#retired = true;
    this.refresh();
    this.#gate.release();
    this.#rooms.release();
    this.#carried.release();
  }

  /** The time of the one that waits longest is over. */
  expired(): void {
    const { shard, onLimit } = this.options;
    const { pendingMs } = this.#bounds;
    const before = shard.clock.now() - pendingMs;
    for (const [taker, sinceMs] of this.#waiting) {
      if (sinceMs > before) break;
      onLimit("pendingMs");
      this.#letDown(taker, this.#rooms.overflow(pendingMs));
    }
    this.#rooms.look();
    this.#watchWaiting();
  }

  /** One with room for the request that follows at once. */
  #take(nowMs: number): PooledConnection | null {
    const free = this.#free;
    for (let last = free.at(-1); last !== undefined; last = free.at(-1)) {
      const { room } = last;
      if (room <= 0) free.pop();
      else if (nowMs - last.openedMs >= limits.connectionAgeMs) last.retire();
      else {
        if (room === 1) free.pop();
        if (room < limits.streamsAheadMin && room < this.#streams * limits.streamsAheadShare)
          this.#dialAhead();
        return last;
      }
    }
    return null;
  }

  /** Streams run short: the next connection is there before it is needed. */
  #dialAhead(): void {
    if (this.#dials.length + this.#unheard.size > 0 || this.#free.length > 1) return;
    if (this.#rooms.take() === null) this.#dial(true);
  }

  /** Whether more wait than so many dials are for. */
  #isShort(dials: number): boolean {
    if (this.options.protocol.learns) return this.#waiting.size > 0 && dials + this.#unheard.size === 0;
    return this.#waiting.size > dials * this.#streams;
  }

  #dialForWaiting(): void {
    while (this.#isShort(this.#dials.length)) {
      const full = this.#rooms.take();
      if (full !== null) {
        this.options.onLimit(full);
        this.#rooms.wait(full);
        break;
      }
      if (!this.#dial(false)) return;
    }
    this.#watchWaiting();
  }

  /** Those that were begun for whoever waited, and are more than need be now. */
  #endNeedlessDials(): void {
    const dials = this.#dials;
    for (let at = dials.length - 1; at >= 0; at--) {
      if (this.#isShort(dials.length - 1)) return;
      const dial = dials[at] as PoolDial;
      if (dial.ahead) continue;
      dials.splice(at, 1);
      dial.handle?.cancel();
      this.#rooms.unused(this.#isEmpty);
    }
  }

  /** There is room for it. False when it cannot even be tried: everybody who waits was told. */
  #dial(ahead: boolean): boolean {
    const { net, host, port, tls } = this.options;
    const { connectMs, handshakeMs } = this.times;
    const secured = tls?.() ?? null;
    if (secured !== null && !secured.ok) {
      const detail = secured.problem;
      const outcome: Outcome = { flag: "ID", side: "mesh", repeat: "no", status: 503, detail };
      this.#rooms.unused(this.#isEmpty);
      for (const taker of [...this.#waiting.keys()]) this.#letDown(taker, outcome);
      return false;
    }
    const dial: PoolDial = { ahead, generation: this.#generation, handle: null };
    this.#dials.push(dial);
    dial.handle = net.connect(
      {
        host,
        port,
        timeoutMs: connectMs,
        ...(secured === null ? {} : { tls: hurried(secured.value, handshakeMs) }),
      },
      {
        opened: (socket) => this.#opened(socket, dial).handler,
        failed: (error) => this.#failed(error, dial),
      },
    );
    return true;
  }

  #opened(socket: Socket, dial: PoolDial): PooledConnection {
    const { shard, protocol, open } = this.options;
    this.#dials.splice(this.#dials.indexOf(dial), 1);
    shard.enter();
    const connection = protocol.begin(socket, this.#events, this.#streams);
    this.#open.add(connection);
    if (protocol.learns) this.#unheard.add(connection);
    open?.addUpstream(connection, socket.tls?.peer ?? null);
    if (dial.generation === this.#generation) this.#release(connection);
    else {
      connection.retire();
      this.#dialForWaiting();
    }
    this.#watchWaiting();
    shard.leave();
    return connection;
  }

  #failed(error: SocketError, dial: PoolDial): void {
    const { shard, peer, protocol } = this.options;
    this.#dials.splice(this.#dials.indexOf(dial), 1);
    this.#rooms.unused(this.#isEmpty);
    shard.enter();
    const inVain = protocol.learns ? this.#waiting.size : protocol.streams;
    for (const taker of [...this.#waiting.keys()].slice(0, inVain))
      this.#letDown(taker, dialOutcome(peer, error));
    this.#dialForWaiting();
    shard.leave();
  }

  /** A connection takes requests: who is first in line gets it. */
  #release(connection: PooledConnection): void {
    this.#count(connection);
    while (this.#waiting.size > 0 && connection.room > 0) {
      const taker = this.#waiting.keys().next().value as Taker;
      this.#waiting.delete(taker);
      taker.connected(connection);
      if (this.#waiting.size === 0) this.#rooms.content();
    }
    if (connection.room <= 0) return;
    if (this.#retired || (this.#rooms.areWanted && isIdle(connection))) connection.retire();
    else if (!this.#free.includes(connection)) this.#free.push(connection);
  }

  /** It takes so many: the next one will too. */
  #learn(connection: PooledConnection): void {
    if (!this.options.protocol.learns) return;
    this.#unheard.delete(connection);
    this.#streams = connection.capacity;
    this.#release(connection);
    this.#dialForWaiting();
  }

  /** What one connection takes, all of them may. */
  #count(connection: PooledConnection): void {
    if (!this.#unheard.has(connection)) this.#carried.said(connection.capacity);
    this.#fit();
  }

  /** Requests that its connections carry, when it has all that it may. */
  get #places(): number {
    return this.#carried.each * this.#bounds.connections;
  }

  get #placesMax(): number {
    return Math.min(this.#places, this.#bounds.requests ?? Infinity);
  }

  #fit(): void {
    const max = this.#placesMax;
    if (max !== this.#gate.max) this.#gate.resize(max);
  }

  /** What bounds its requests. */
  get #limit(): PlacesLimit {
    const { requests } = this.#bounds;
    const own = requests !== null && requests < this.#places;
    return own ? "limits.requestsPerEndpoint" : this.options.protocol.limit;
  }

  #forget(connection: PooledConnection): void {
    if (this.#open.delete(connection)) this.#rooms.retired();
    // Whoever ends a connection without a word may be another app by now.
    if (this.#unheard.delete(connection)) this.#streams = this.options.protocol.streams;
    const at = this.#free.indexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    if (this.#isShort(this.#dials.length)) this.#dialForWaiting();
  }

  #watchWaiting(): void {
    const [sinceMs] = this.#waiting.values();
    const { shard } = this.options;
    const leftMs = sinceMs === undefined ? Infinity : sinceMs + this.#bounds.pendingMs - shard.clock.now();
    const inMs = Math.min(leftMs, this.#rooms.lookMs(this.#open.size > 0));
    if (inMs === Infinity) shard.wheel.forget(this);
    else shard.arm(this, Math.max(0, inMs));
  }

  // --------------------------------------------------------------------------- room among the pools of the service

  roomAgain(): void {
    const { shard } = this.options;
    shard.enter();
    this.#dialForWaiting();
    shard.leave();
  }

  giveUpIdle(): boolean {
    const idle = this.#free.find(isIdle);
    idle?.retire();
    return idle !== undefined;
  }

  giveUpBusy(): void {
    const [oldest = null] = this.#lingering === null ? this.#open : [];
    this.#lingering ??= oldest;
    oldest?.retire();
  }

  #closed(connection: PooledConnection): void {
    if (connection === this.#lingering) this.#lingering = null;
    this.options.open?.delete(connection);
    this.#rooms.closed(this.#isEmpty);
  }

  get #isEmpty(): boolean {
    return this.#open.size + this.#dials.length === 0;
  }
}

/** Nothing is under way on it. */
function isIdle({ room, capacity }: PooledConnection): boolean {
  return room > 0 && room >= capacity;
}

/**
 * Publishes snapshots: one per connected machine, recompiled when the catalog changes, sent when it differs from what the
 * machine has. Changes are gathered for a moment, so a burst is one snapshot.
 */
import type { Address } from "../base/socket_address.ts";
import type { Clock, Timer } from "../../runtime/contract.ts";
import type {
  CertificateStatus,
  ControlPlace,
  SnapshotLine,
  SnapshotReply,
  SubscribeRequest,
  ProxyAbout,
} from "../api/snapshot_messages.ts";
import { lineStream, type LineStream } from "../api/ndjson.ts";
import { limits } from "../model/limits.ts";
import type { EjectedEndpoint } from "../model/service.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { patchBetween } from "../model/snapshot_patch.ts";
import { SnapshotTexts } from "./snapshot_texts.ts";
import type { NodeSnapshot } from "./snapshots.ts";

/** What is known of one machine's snapshot. */
export interface NodeState {
  connected: boolean;
  lastSeenMs: number;
  wanted: string;
  acknowledged: string;
  error: string | null;
  certificates: readonly CertificateStatus[];
  /** Where it finds the controller, as it said; [] until it does. */
  controllers: readonly Address[];
  /** null: it did not say. */
  about: ProxyAbout | null;
  /** Keys of the services that its apps call. */
  uses: readonly string[];
  /** What its proxy has taken out, and when it said so. */
  ejected: readonly EjectedEndpoint[];
  ejectedMs: number;
  /** Documents that were sent to it and not acknowledged yet; null: it has them all. */
  push: Push | null;
  /** When it last told of traces that it keeps, on the monotonic clock. */
  toldKeptMs: number;
}

/** Of several pushes that one machine has not answered, the first revision and the last snapshot. */
interface Push {
  readonly sinceMs: number;
  readonly version: string;
}

export type PushStage = "sent" | "acknowledged";

interface Listener {
  readonly node: string;
  readonly stream: LineStream;
  /** Version that was sent last, or that the machine came with. */
  sent: string;
  /** That one, where it was made here. */
  snapshot: Snapshot | null;
  /** It takes what changed. */
  readonly patches: boolean;
}

export interface PublisherOptions {
  readonly clock: Clock;
  readonly snapshotOf: (node: string, uses: readonly string[]) => NodeSnapshot;
  /** Of these keys, those that no service has; null while that cannot be told. */
  readonly missing: (uses: readonly string[]) => readonly string[] | null;
  /** What machines are told before all else. */
  readonly place: () => ControlPlace;
  /**
   * A revision of documents got so far with one machine, `ms` after it was known here. Told of machines that are connected
   * when it comes and take it; one that is away, or refuses it, would say more of itself than of the way.
   */
  readonly pushed: (stage: PushStage, ms: number) => void;
  /** A machine began to follow its snapshots: what it is told from now on goes there. */
  readonly connected: (node: string) => void;
  /** The last stream of a machine ended. */
  readonly disconnected: (node: string) => void;
  /** What is known of a machine that follows its snapshots here has changed. */
  readonly stated?: (node: string) => void;
  /** Where there are other controllers: hands a line to a machine that follows another one. */
  readonly relay?: (controller: string, node: string, line: SnapshotLine) => void;
}

/** What another controller knows of a machine that follows it. */
interface Elsewhere {
  readonly controller: string;
  readonly state: NodeState;
}

export class Publisher {
  readonly nodes = new Map<string, NodeState>();
  /** By machine, oldest first. */
  readonly #listeners = new Map<string, readonly Listener[]>();
  readonly #texts = new SnapshotTexts();
  readonly #elsewhere = new Map<string, Elsewhere>();
  #timer: Timer | null = null;
  #firstChangeMs = 0;
  /** When the first revision of documents came that is not published yet; null: there is none. */
  #documentsMs: number | null = null;
  #closed = false;

  constructor(readonly options: PublisherOptions) {}

  state(node: string): NodeState {
    let state = this.nodes.get(node);
    if (state === undefined) {
      const nothing = { connected: false, lastSeenMs: 0, wanted: "", acknowledged: "", error: null };
      state = {
        ...nothing,
        certificates: [],
        controllers: [],
        about: null,
        uses: [],
        ejected: [],
        ejectedMs: 0,
        push: null,
        toldKeptMs: -Infinity,
      };
      this.nodes.set(node, state);
    }
    return state;
  }

  /** What is known of a machine, whichever controller it follows. */
  view(node: string): NodeState {
    const state = this.state(node);
    const elsewhere = this.#elsewhere.get(node)?.state;
    if (elsewhere === undefined || state.connected) return state;
    return elsewhere.connected || elsewhere.lastSeenMs > state.lastSeenMs ? elsewhere : state;
  }

  /** Another controller says what it knows of a machine that follows it; null: it is not asked any more. */
  knownElsewhere(node: string, controller: string, state: NodeState | null): void {
    const known = this.#elsewhere.get(node);
    // A machine that went from one to the other is told of by both.
    if (state?.connected !== true && known !== undefined && known.controller !== controller) return;
    const wasConnected = known?.state.connected === true;
    if (state !== null) this.#elsewhere.set(node, { controller, state });
    else if (known !== undefined)
      this.#elsewhere.set(node, { controller, state: { ...known.state, connected: false } });
    if (wasConnected && state?.connected !== true && !this.state(node).connected)
      this.options.disconnected(node);
  }

  /** Names of machines that another controller told of. */
  knownBy(controller: string): string[] {
    return [...this.#elsewhere].filter(([, each]) => each.controller === controller).map(([node]) => node);
  }

  /** Machines that follow their snapshots now, here or elsewhere. */
  connected(): string[] {
    const elsewhere = [...this.#elsewhere].filter(([, { state }]) => state.connected).map(([node]) => node);
    return [...new Set([...this.here(), ...elsewhere])].sort();
  }

  /** Machines that follow their snapshots here. */
  here(): string[] {
    return [...this.#listeners.keys()].sort();
  }

  /** Something changed, documents perhaps; snapshots follow in a moment. */
  changed(documents = false): void {
    if (this.#closed) return;
    const nowMs = this.options.clock.now();
    if (documents) this.#documentsMs ??= nowMs;
    if (this.#timer === null) this.#firstChangeMs = nowMs;
    this.#timer?.cancel();
    const latestMs = this.#firstChangeMs + limits.publishDebounceMaxMs - nowMs;
    this.#timer = this.options.clock.after(Math.max(0, Math.min(limits.publishDebounceMs, latestMs)), () => {
      this.#publishAll();
    });
  }

  /** Publishes at once what waits for other changes: whoever looks at the machines sees what is meant for them. */
  flush(): void {
    if (this.#timer !== null) this.#publishAll();
  }

  #publishAll(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const documentsMs = this.#documentsMs;
    this.#documentsMs = null;
    for (const listener of this.#all()) this.#publishDocuments(listener, documentsMs);
  }

  /** The stream of one machine: at once its snapshot, or that the one it has still is the one. */
  subscribe(node: string, { version, uses }: SubscribeRequest, patches = false): Response {
    const { clock } = this.options;
    const state = this.state(node);
    state.uses = uses;
    let own: Listener | null = null;
    const heartbeat = (): SnapshotLine => {
      state.lastSeenMs = clock.wallMs();
      return { kind: "heartbeat", controllerMs: clock.wallMs() };
    };
    const closed = (): void => {
      if (own !== null) this.#forget(own);
      state.push = null;
      state.connected = this.#listeners.has(node);
      if (!state.connected) this.options.disconnected(node);
      state.lastSeenMs = clock.wallMs();
      this.#stated(node);
    };
    this.#makeRoom(node);
    return lineStream({ clock, heartbeat, closed }, (stream) => {
      own = { node, stream, sent: version, snapshot: null, patches };
      this.#listeners.set(node, [...this.#of(node), own]);
      state.connected = true;
      stream.send(heartbeat());
      stream.send({ kind: "control-plane", ...this.options.place() } satisfies SnapshotLine);
      if (this.#publish(own) === "current") {
        state.acknowledged = version;
        stream.send({ kind: "current", version, controllerMs: clock.wallMs() } satisfies SnapshotLine);
      }
      this.options.connected(node);
      this.#stated(node);
    });
  }

  /** Whether a machine may tell others now which traces it keeps: what it says reaches their streams. Counts it. */
  mayTellKept(node: string): boolean {
    const state = this.state(node);
    const nowMs = this.options.clock.now();
    // A proxy's clock and this one need not agree to the millisecond.
    if (nowMs - state.toldKeptMs < limits.keptTracesTellMs / 2) return false;
    state.toldKeptMs = nowMs;
    return true;
  }

  /** To the newest stream of a machine, here or by its controller; false: it has none. */
  tell(node: string, line: SnapshotLine): boolean {
    if (this.tellHere(node, line)) return true;
    const elsewhere = this.#elsewhere.get(node);
    if (elsewhere?.state.connected !== true || this.options.relay === undefined) return false;
    this.options.relay(elsewhere.controller, node, line);
    return true;
  }

  tellHere(node: string, line: SnapshotLine): boolean {
    return this.#of(node).at(-1)?.stream.send(line) ?? false;
  }

  /** To all that follow their snapshots here. */
  tellAll(line: SnapshotLine): void {
    for (const node of this.here()) this.tellHere(node, line);
  }

  #stated(node: string): void {
    this.options.stated?.(node);
  }

  /** A machine has few streams, the newest: each is sent all that changes. */
  #makeRoom(node: string): void {
    const own = this.#of(node);
    const [oldest] = own;
    if (own.length >= limits.snapshotStreamsPerNodeMax) oldest?.stream.close();
  }

  /** A machine tells which version it has, and why it refused a newer one. */
  replied(node: string, reply: SnapshotReply): void {
    const state = this.state(node);
    state.lastSeenMs = this.options.clock.wallMs();
    state.error = reply.error;
    state.certificates = reply.certificates;
    state.controllers = reply.controllers ?? [];
    state.about = reply.about ?? state.about;
    // After a refusal it still has the version it had.
    if (reply.error === null) state.acknowledged = reply.version;
    this.#answered(state, reply);
    this.#stated(node);
  }

  #answered(state: NodeState, { error, version }: SnapshotReply): void {
    const { push } = state;
    if (push === null) return;
    if (error === null && version === push.version)
      this.options.pushed("acknowledged", this.options.clock.now() - push.sinceMs);
    else if (error === null) return;
    state.push = null;
  }

  /**
   * What a machine uses from now on. A call of its waits for what is new and exists, so that is sent at once, to this machine
   * alone; names that nobody has cost nothing more. Returns those; null while that cannot be told.
   */
  setUses(node: string, uses: readonly string[]): readonly string[] | null {
    const state = this.state(node);
    const before = this.#existing(state.uses);
    state.uses = uses;
    if (this.#existing(uses) !== before)
      for (const listener of this.#of(node)) this.#publishDocuments(listener, this.#documentsMs);
    this.#stated(node);
    return this.options.missing(uses);
  }

  /** What it has taken out from now on. */
  setEjected(node: string, ejected: readonly EjectedEndpoint[]): void {
    const state = this.state(node);
    state.ejected = ejected;
    state.ejectedMs = this.options.clock.now();
    this.#stated(node);
  }

  /** What it has taken out, with the time that is left of it now; nothing while it is away and cannot tell. */
  ejectedBy(node: string): readonly EjectedEndpoint[] {
    const { connected, ejected, ejectedMs } = this.view(node);
    const passedMs = this.options.clock.now() - ejectedMs;
    return connected
      ? ejected.map((each) => ({ ...each, probeInMs: Math.max(0, each.probeInMs - passedMs) }))
      : [];
  }

  #existing(uses: readonly string[]): string {
    const missing = new Set(this.options.missing(uses) ?? []);
    return uses.filter((key) => !missing.has(key)).join();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const listener of this.#all()) listener.stream.close();
  }

  #all(): Listener[] {
    return [...this.#listeners.values()].flat();
  }

  #of(node: string): readonly Listener[] {
    return this.#listeners.get(node) ?? [];
  }

  #forget(listener: Listener): void {
    const { node } = listener;
    const left = this.#of(node).filter((each) => each !== listener);
    if (left.length > 0) this.#listeners.set(node, left);
    else this.#listeners.delete(node);
  }

  #publishDocuments(listener: Listener, documentsMs: number | null): void {
    if (this.#publish(listener) !== "sent") return;
    const state = this.state(listener.node);
    if (documentsMs !== null) this.options.pushed("sent", this.options.clock.now() - documentsMs);
    const sinceMs = state.push?.sinceMs ?? documentsMs;
    state.push = sinceMs === null ? null : { sinceMs, version: listener.sent };
  }

  #publish(listener: Listener): "sent" | "current" | "nothing" {
    const { node, stream } = listener;
    const state = this.state(node);
    const wanted = this.options.snapshotOf(node, state.uses);
    if (wanted.kind === "held") return "nothing";
    if (wanted.kind === "removed") {
      stream.send({ kind: "removed" } satisfies SnapshotLine);
      stream.close();
      return "nothing";
    }
    const { snapshot } = wanted;
    state.wanted = snapshot.version;
    const before = listener.snapshot;
    listener.snapshot = snapshot;
    if (snapshot.version === listener.sent) return "current";
    listener.sent = snapshot.version;
    const isPatch = listener.patches && before !== null;
    stream.sendText(
      isPatch ? this.#texts.patch(patchBetween(before, snapshot)) : this.#texts.snapshot(snapshot),
    );
    return "sent";
  }
}

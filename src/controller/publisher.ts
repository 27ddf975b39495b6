/**
 * Publishes snapshots: one per connected machine, recompiled when the catalog changes, sent when it differs from what the
 * machine has. Changes are gathered for a moment, so a burst is one snapshot.
 */
import type { Clock, Timer } from "../../runtime/contract.ts";
import type { CertificateStatus, SnapshotLine, SnapshotReply } from "../api/messages.ts";
import { lineStream, type LineStream } from "../api/ndjson.ts";
import { limits } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";

/** What is known of one machine's snapshot. */
export interface NodeState {
  connected: boolean;
  lastSeenMs: number;
  wanted: string;
  acknowledged: string;
  error: string | null;
  certificates: readonly CertificateStatus[];
  /** Services that its apps asked for. */
  uses: readonly string[];
}

interface Listener {
  readonly node: string;
  readonly stream: LineStream;
  /** Version that was sent last. */
  sent: string;
}

export interface PublisherOptions {
  readonly clock: Clock;
  /** null: the machine is not part of the mesh. */
  readonly compile: (node: string, uses: readonly string[]) => Snapshot | null;
}

export class Publisher {
  readonly nodes = new Map<string, NodeState>();
  readonly #listeners = new Set<Listener>();
  #timer: Timer | null = null;
  #firstChangeMs = 0;
  #closed = false;

  constructor(readonly options: PublisherOptions) {}

  state(node: string): NodeState {
    let state = this.nodes.get(node);
    if (state === undefined) {
      state = {
        connected: false,
        lastSeenMs: 0,
        wanted: "",
        acknowledged: "",
        error: null,
        certificates: [],
        uses: [],
      };
      this.nodes.set(node, state);
    }
    return state;
  }

  /** Something changed; snapshots follow in a moment. */
  changed(): void {
    if (this.#closed) return;
    const nowMs = this.options.clock.now();
    if (this.#timer === null) this.#firstChangeMs = nowMs;
    this.#timer?.cancel();
    const latestMs = this.#firstChangeMs + limits.publishDebounceMaxMs - nowMs;
    this.#timer = this.options.clock.after(Math.max(0, Math.min(limits.publishDebounceMs, latestMs)), () => {
      this.#timer = null;
      for (const listener of [...this.#listeners]) this.#publish(listener);
    });
  }

  /** The stream of one machine, which has `version` already. */
  subscribe(node: string, version: string, uses: readonly string[]): Response {
    const state = this.state(node);
    state.uses = uses;
    let listener: Listener | null = null;
    const { clock } = this.options;
    const heartbeat = (): SnapshotLine => {
      state.lastSeenMs = clock.wallMs();
      return { kind: "heartbeat", controllerMs: clock.wallMs() };
    };
    const closed = (): void => {
      if (listener !== null) this.#listeners.delete(listener);
      state.connected = [...this.#listeners].some((each) => each.node === node);
      state.lastSeenMs = clock.wallMs();
    };
    return lineStream({ clock, heartbeat, closed }, (stream) => {
      listener = { node, stream, sent: version };
      this.#listeners.add(listener);
      state.connected = true;
      state.lastSeenMs = clock.wallMs();
      this.#publish(listener);
      if (listener.sent === version) {
        state.acknowledged = version;
        stream.send({ kind: "current", version, controllerMs: clock.wallMs() } satisfies SnapshotLine);
      }
    });
  }

  replied(node: string, reply: SnapshotReply): void {
    const state = this.state(node);
    state.lastSeenMs = this.options.clock.wallMs();
    state.error = reply.error;
    state.certificates = reply.certificates;
    if (reply.error === null) state.acknowledged = reply.version;
  }

  setUses(node: string, uses: readonly string[]): void {
    this.state(node).uses = uses;
    this.changed();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const listener of [...this.#listeners]) listener.stream.close();
  }

  #publish(listener: Listener): void {
    const state = this.state(listener.node);
    const snapshot = this.options.compile(listener.node, state.uses);
    if (snapshot === null) {
      listener.stream.send({ kind: "removed" } satisfies SnapshotLine);
      listener.stream.close();
      return;
    }
    state.wanted = snapshot.version;
    if (snapshot.version === listener.sent) return;
    listener.sent = snapshot.version;
    listener.stream.send({ kind: "snapshot", snapshot } satisfies SnapshotLine);
  }
}

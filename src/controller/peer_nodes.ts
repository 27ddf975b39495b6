/** Tells other controllers what is known here of machines that follow this one: all of it first, then what changes. */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { lineStream, type LineStream } from "../api/ndjson.ts";
import type { PeerLine, PeerNodeState } from "../api/peer_messages.ts";
import { limits } from "../model/limits.ts";
import type { NodeState } from "./publisher.ts";

export interface PeerNodesOptions {
  readonly clock: Clock;
  /** Machines that follow their snapshots here. */
  readonly here: () => readonly string[];
  readonly stateOf: (node: string) => NodeState;
}

export class PeerNodes {
  readonly #streams = new Set<LineStream>();
  readonly #changed = new Set<string>();
  #timer: Timer | null = null;

  constructor(readonly options: PeerNodesOptions) {}

  begin(): Response {
    const { clock, here } = this.options;
    const heartbeat = (): PeerLine => ({ kind: "heartbeat" });
    let own: LineStream | null = null;
    const closed = (): void => {
      if (own !== null) this.#streams.delete(own);
    };
    return lineStream({ clock, heartbeat, closed }, (stream) => {
      own = stream;
      this.#streams.add(stream);
      stream.send(heartbeat());
      for (const node of here()) if (!stream.send(this.#lineOf(node))) return;
    });
  }

  /** What is known of a machine changed; told in a moment, with what else did. */
  changed(node: string): void {
    if (this.#streams.size === 0) return;
    this.#changed.add(node);
    this.#timer ??= this.options.clock.after(limits.peerNodesTellMs, () => this.#tell(), true);
  }

  close(): void {
    this.#timer?.cancel();
    for (const stream of [...this.#streams]) stream.close();
  }

  #tell(): void {
    this.#timer = null;
    const nodes = [...this.#changed];
    this.#changed.clear();
    for (const stream of [...this.#streams])
      for (const node of nodes) if (!stream.send(this.#lineOf(node))) break;
  }

  #lineOf(node: string): PeerLine {
    const { push: _, toldKeptMs: __, ejectedMs: ___, ...state } = this.options.stateOf(node);
    return { kind: "node", node, state: state satisfies PeerNodeState };
  }
}

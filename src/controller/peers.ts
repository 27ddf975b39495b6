/**
 * Other controllers of the mesh: which of them are alive and which one leads, as the registry holds it, and the way to each. A mesh with
 * one controller holds nothing, and that one leads.
 */
import type { Clock, Timer } from "../../runtime/contract.ts";
import type { ControlClient, ControlStream } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import type { HoldAnswer, HoldRequest, PeerLine, PeerRelay } from "../api/peer_messages.ts";
import type { Address } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import type { Catalog } from "./catalog.ts";
import type { Publisher } from "./publisher.ts";

export interface PeersOptions {
  readonly clock: Clock;
  readonly catalog: Pick<Catalog, "places" | "holds" | "nodes">;
  readonly store: {
    hold(request: HoldRequest): Promise<HoldAnswer>;
    release(name: string): Promise<void>;
  };
  /** The machine that this controller runs on. */
  readonly own: string;
  /** A way to the controller of that machine, and to no other. */
  readonly connect: (machine: string, addresses: readonly Address[]) => ControlClient;
  readonly publisher: () => Pick<Publisher, "knownElsewhere" | "knownBy">;
  /** It leads from now on, and did not before. */
  readonly led: () => void;
}

interface Peer {
  readonly addresses: string;
  readonly client: ControlClient;
  stream: ControlStream | null;
  timer: Timer | null;
}

const leaderName = "leader";

export class Peers {
  readonly #peers = new Map<string, Peer>();
  #timer: Timer | null = null;
  #closed = false;
  /** Since which revision it leads, and until when without saying so again. */
  #leads: { readonly since: number; readonly untilMs: number } | null = null;

  constructor(readonly options: PeersOptions) {
    this.#plan();
  }

  /** Since which revision this controller leads; 0: it is the only one. null: another one does, or nobody. */
  get leadsSince(): number | null {
    if (this.#isRemoved) return null;
    if (!this.#areSeveral) return 0;
    const leads = this.#leads;
    return leads !== null && this.options.clock.now() < leads.untilMs ? leads.since : null;
  }

  /** The one that leads, where that is another one. */
  get leader(): { readonly name: string; readonly since: number } | null {
    const held = this.options.catalog.holds.get(leaderName);
    return held === undefined || held.holder === this.options.own
      ? null
      : { name: held.holder, since: held.since };
  }

  get names(): readonly string[] {
    return [...this.#peers.keys()];
  }

  /** null: it is not known. */
  clientOf(machine: string): ControlClient | null {
    return this.#peers.get(machine)?.client ?? null;
  }

  /** To a peer; what cannot be handed over is lost, as if the machine had gone at that moment. */
  relay(machine: string, relayed: PeerRelay): Promise<boolean> {
    const client = this.clientOf(machine);
    if (client === null) return Promise.resolve(false);
    return client.call("POST", controllerPaths.peerRelay, relayed).then(
      () => true,
      () => false,
    );
  }

  /** The catalog changed. */
  look(): void {
    if (this.#closed) return;
    const { catalog, own } = this.options;
    const wanted = new Map([...catalog.places].filter(([machine]) => machine !== own));
    for (const [machine, peer] of this.#peers) {
      const place = wanted.get(machine);
      if (place === undefined || peer.addresses !== JSON.stringify(place.controllers))
        this.#end(machine, peer);
    }
    for (const [machine, { controllers }] of wanted)
      if (!this.#peers.has(machine)) this.#begin(machine, controllers);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const [machine, peer] of this.#peers) this.#end(machine, peer);
    if (this.#leads !== null) await this.options.store.release(leaderName).catch(() => undefined);
  }

  get #areSeveral(): boolean {
    return [...this.options.catalog.places.keys()].some((machine) => machine !== this.options.own);
  }

  /** Others have no way to it any more: while it led, nobody would. */
  get #isRemoved(): boolean {
    return this.options.catalog.nodes.get(this.options.own)?.removed === true;
  }

  #plan(): void {
    this.#timer = this.options.clock.after(limits.controllerHoldRenewMs, () => void this.#turn(), true);
  }

  async #turn(): Promise<void> {
    if (this.#areSeveral && !this.#isRemoved) await this.#hold();
    if (!this.#closed) this.#plan();
  }

  /** What is not answered in time does not count: somebody else may lead then. */
  async #hold(): Promise<void> {
    const { clock, store } = this.options;
    const untilMs = clock.now() + limits.controllerHoldMs;
    try {
      const request = { name: leaderName, value: "", ttlMs: limits.controllerHoldMs };
      const { held, since } = await store.hold(request);
      const before = this.leadsSince;
      this.#leads = held ? { since, untilMs } : null;
      if (held && before !== since) this.options.led();
    } catch {
      // It leads on for as long as it said.
    }
  }

  #begin(machine: string, addresses: readonly Address[]): void {
    const client = this.options.connect(machine, addresses);
    const peer: Peer = { addresses: JSON.stringify(addresses), client, stream: null, timer: null };
    this.#peers.set(machine, peer);
    this.#follow(machine, peer);
  }

  #follow(machine: string, peer: Peer): void {
    const publisher = this.options.publisher();
    peer.stream = peer.client.stream(controllerPaths.peerNodes, {
      line: (message) => {
        const line = message as PeerLine;
        if (line.kind !== "node") return;
        const times = { ejectedMs: this.options.clock.now(), toldKeptMs: -Infinity };
        publisher.knownElsewhere(line.node, machine, { ...line.state, ...times, push: null });
      },
      ended: () => {
        for (const node of publisher.knownBy(machine)) publisher.knownElsewhere(node, machine, null);
        peer.stream = null;
        if (this.#peers.get(machine) === peer)
          peer.timer = this.options.clock.after(
            limits.controllerHoldRenewMs,
            () => this.#follow(machine, peer),
            true,
          );
      },
    });
  }

  #end(machine: string, peer: Peer): void {
    this.#peers.delete(machine);
    peer.timer?.cancel();
    peer.stream?.close();
    peer.client.close();
    const publisher = this.options.publisher();
    for (const node of publisher.knownBy(machine)) publisher.knownElsewhere(node, machine, null);
  }
}

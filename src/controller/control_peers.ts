/** All that one controller has to do with the others of its mesh, put together: who they are, what each is told, who deals out rates. */
import type { Hono } from "hono";
import type { ControlEnv } from "../api/caller.ts";
import { askIntermediate } from "./ask_intermediate.ts";
import type { Asks } from "./asks.ts";
import { AuthorityKeeper, type AuthorityKeeperOptions } from "./authority_keeper.ts";
import type { Catalog } from "./catalog.ts";
import { DealtBudgets, type DealtBudgetsOptions } from "./budgets/dealt_budgets.ts";
import { DealtRates, type DealtRatesOptions } from "./dealt_rates.ts";
import { PeerNodes } from "./peer_nodes.ts";
import { mountPeerRoutes } from "./peer_routes.ts";
import { Peers, type PeersOptions } from "./peers.ts";
import type { Publisher } from "./publisher.ts";

export interface ControlPeersOptions
  extends
    Omit<PeersOptions, "led" | "publisher" | "store">,
    Pick<DealtRatesOptions, "rateOf">,
    Pick<DealtBudgetsOptions, "limitOf">,
    Pick<AuthorityKeeperOptions, "authority" | "changed" | "log"> {
  readonly catalog: Catalog;
  readonly store: PeersOptions["store"] & AuthorityKeeperOptions["store"];
  readonly publisher: () => Publisher;
}

export class ControlPeers {
  readonly peers: Peers;
  readonly nodes: PeerNodes;
  readonly rates: DealtRates;
  readonly budgets: DealtBudgets;
  readonly #authorityKeeper: AuthorityKeeper;

  constructor(readonly options: ControlPeersOptions) {
    const { authority, clock, own, publisher, rateOf, limitOf } = options;
    this.nodes = new PeerNodes({
      clock,
      here: () => publisher().here(),
      stateOf: (node) => publisher().state(node),
    });
    this.peers = new Peers({ ...options, led: () => this.#leads() });
    this.rates = new DealtRates({ clock, peers: this.peers, rateOf });
    this.budgets = new DealtBudgets({ clock, peers: this.peers, limitOf });
    this.#authorityKeeper = new AuthorityKeeper(options);
    authority.askIntermediate = (key) => askIntermediate(this.peers, own, key);
  }

  #leads(): void {
    this.rates.begin();
    this.budgets.begin();
  }

  mount(app: Hono<ControlEnv>, trustDomain: string, asks: Asks): void {
    const { peers, nodes } = this;
    const rates = () => this.rates.own;
    const budgets = () => this.budgets.own;
    const publisher = this.options.publisher();
    mountPeerRoutes(app, { trustDomain, peers, asks, nodes, publisher, rates, budgets });
  }

  /** The catalog changed. */
  look(): void {
    this.peers.look();
    this.#authorityKeeper.look();
  }

  /** The authority changed here. */
  authorityChanged(): void {
    this.#authorityKeeper.look();
  }

  close(): void {
    this.nodes.close();
    void this.peers.close();
  }
}

/**
 * Several addresses of one server, in the order in which they are preferred. One that did not answer is tried after the others
 * for a while, which doubles each time; so the first has its place again once it is back.
 */
import { addressText, type Address } from "../base/socket_address.ts";
import type { Clock } from "../../runtime/contract.ts";
import { Backoff } from "../base/backoff.ts";
import { limits } from "../model/limits.ts";

export interface Server extends Address {
  /** `10.0.0.1:7443` */
  readonly text: string;
}

/** One that is to be tried. */
export interface Trial {
  readonly server: Server;
  /** How long it may take to be reached: short while another one may well be there. */
  readonly timeoutMs: number;
}

/** At least one; as a function where they may be others later. */
export type ServerAddresses = readonly Address[] | (() => readonly Address[]);

export class ServerList {
  #all: readonly Known[] = [];
  #addresses: readonly Address[] = [];

  constructor(
    readonly addresses: ServerAddresses,
    readonly clock: Pick<Clock, "now">,
  ) {
    this.#look();
  }

  /** All of them: those that are not known to be away, as preferred; then the others, the longest away first. */
  trials(): Trial[] {
    this.#look();
    const nowMs = this.clock.now();
    const well = this.#all.filter((each) => each.awayUntilMs <= nowMs);
    const away = this.#all.filter((each) => each.awayUntilMs > nowMs);
    away.sort((a, b) => a.awayUntilMs - b.awayUntilMs);
    return [...well, ...away].map(({ server }, at) => ({
      server,
      timeoutMs: at < well.length - 1 ? limits.controlTrialMs : limits.controlConnectMs,
    }));
  }

  get count(): number {
    this.#look();
    return this.#all.length;
  }

  reached(server: Server): void {
    const known = this.#of(server);
    if (known === undefined) return;
    known.awayUntilMs = Number.NEGATIVE_INFINITY;
    known.backoff.reset();
  }

  failed(server: Server): void {
    const known = this.#of(server);
    if (known === undefined) return;
    known.awayUntilMs = this.clock.now() + known.backoff.nextMs();
  }

  /** `10.0.0.1:7443 or 10.0.0.2:7443` */
  get text(): string {
    return this.#all.map(({ server }) => server.text).join(" or ");
  }

  /** What is known of an address that stays is kept. */
  #look(): void {
    const { addresses } = this;
    const now = typeof addresses === "function" ? addresses() : addresses;
    if (now === this.#addresses) return;
    this.#addresses = now;
    this.#all = now.map(({ host, port }) => {
      const text = addressText({ host, port });
      return this.#all.find(({ server }) => server.text === text) ?? new Known({ host, port, text });
    });
  }

  /** Undefined: it is none of them any more. */
  #of(server: Server): Known | undefined {
    return this.#all.find((each) => each.server === server);
  }
}

class Known {
  awayUntilMs = Number.NEGATIVE_INFINITY;
  /** Without chance: it delays nobody, it only says who is tried first. */
  readonly backoff = new Backoff({
    firstMs: limits.reconnectMs,
    maxMs: limits.reconnectMaxMs,
    unit: () => 1,
  });

  constructor(readonly server: Server) {}
}

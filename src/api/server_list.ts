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

export class ServerList {
  readonly #all: readonly Known[];

  /** At least one address. */
  constructor(
    addresses: readonly Address[],
    readonly clock: Pick<Clock, "now">,
  ) {
    this.#all = addresses.map(
      ({ host, port }) => new Known({ host, port, text: addressText({ host, port }) }),
    );
  }

  /** All of them: those that are not known to be away, as preferred; then the others, the longest away first. */
  trials(): Trial[] {
    const nowMs = this.clock.now();
    const well = this.#all.filter((each) => each.awayUntilMs <= nowMs);
    const away = this.#all.filter((each) => each.awayUntilMs > nowMs);
    away.sort((a, b) => a.awayUntilMs - b.awayUntilMs);
    return [...well, ...away].map(({ server }, at) => ({
      server,
      timeoutMs: at < well.length - 1 ? limits.controlTrialMs : limits.controlConnectMs,
    }));
  }

  reached(server: Server): void {
    const known = this.#of(server);
    known.awayUntilMs = Number.NEGATIVE_INFINITY;
    known.backoff.reset();
  }

  failed(server: Server): void {
    const known = this.#of(server);
    known.awayUntilMs = this.clock.now() + known.backoff.nextMs();
  }

  /** `10.0.0.1:7443 or 10.0.0.2:7443` */
  get text(): string {
    return this.#all.map(({ server }) => server.text).join(" or ");
  }

  #of(server: Server): Known {
    return this.#all.find((each) => each.server === server) as Known;
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

/**
 * How connections reach machines of other networks: by one of the gateways of theirs, which pass TLS on by the name that is asked for
 * and cannot open it. The gateways take turns; one that cannot be reached is tried after the others for a while. Whom a gateway leads to
 * is proven by the certificate of the machine behind it, as everywhere.
 */
import type {
  Clock,
  ConnectOptions,
  Dial,
  DialHandler,
  Net,
  SocketError,
  SocketHandler,
  Socket,
} from "../../../runtime/contract.ts";
import { addressText, type Address } from "../../base/socket_address.ts";
import { limits } from "../../model/limits.ts";

export interface SitesOptions {
  readonly net: Pick<Net, "connect">;
  readonly clock: Clock;
  /** As the state in force has them. */
  readonly gatewaysOf: (network: string) => readonly Address[];
}

/** That the gateway itself could not be reached. Anything else may be the machine behind it. */
const notReached: ReadonlySet<SocketError["kind"]> = new Set(["refused", "timeout", "unreachable"]);

export class Sites {
  /** By address: until when others are tried first. */
  readonly #lame = new Map<string, number>();
  /** Dials so far. */
  #turn = 0;

  constructor(readonly options: SitesOptions) {}

  /** A way to machines of that network; while it has no gateways, the straight one. `connect` of a dial holds for each gateway that is tried. */
  to(network: string): Pick<Net, "connect"> {
    return {
      connect: (options, dial) => {
        const gateways = this.#ordered(network);
        if (gateways.length === 0) return this.options.net.connect(options, dial);
        return new SiteDial(this, gateways, options, dial).begin();
      },
    };
  }

  /** Those to try, in order. */
  #ordered(network: string): readonly Address[] {
    const all = this.options.gatewaysOf(network);
    const first = this.#turn++ % Math.max(all.length, 1);
    const nowMs = this.options.clock.now();
    return [...all.slice(first), ...all.slice(0, first)]
      .map((gateway) => {
        const untilMs = this.#lame.get(addressText(gateway)) ?? 0;
        return { gateway, lameMs: Math.max(untilMs - nowMs, 0) };
      })
      .sort((one, other) => one.lameMs - other.lameMs)
      .slice(0, limits.networkGatewaysTriedMax)
      .map(({ gateway }) => gateway);
  }

  reached(gateway: Address): void {
    this.#lame.delete(addressText(gateway));
  }

  failed(gateway: Address, error: SocketError): void {
    if (!notReached.has(error.kind)) return;
    const nowMs = this.options.clock.now();
    for (const [key, untilMs] of this.#lame) if (untilMs <= nowMs) this.#lame.delete(key);
    this.#lame.set(addressText(gateway), nowMs + limits.networkGatewayLameMs);
  }
}

/** One connection, by the first gateway that leads there. */
class SiteDial implements Dial, DialHandler {
  #next = 0;
  #dial: Dial | null = null;

  constructor(
    readonly sites: Sites,
    readonly gateways: readonly Address[],
    readonly options: ConnectOptions,
    readonly handler: DialHandler,
  ) {}

  begin(): Dial {
    const gateway = this.gateways[this.#next++] as Address;
    this.#dial = this.sites.options.net.connect({ ...this.options, ...gateway }, this);
    return this;
  }

  get #current(): Address {
    return this.gateways[this.#next - 1] as Address;
  }

  opened(socket: Socket): SocketHandler {
    this.sites.reached(this.#current);
    return this.handler.opened(socket);
  }

  failed(error: SocketError): void {
    const gateway = this.#current;
    this.sites.failed(gateway, error);
    if (this.#next < this.gateways.length) return void this.begin();
    // It is the gateway that refused, and not the machine that words are about.
    const kind = error.kind === "refused" ? "unreachable" : error.kind;
    this.handler.failed({
      ...error,
      kind,
      message: `by the gateway ${addressText(gateway)}: ${error.message}`,
    });
  }

  cancel(): void {
    this.#dial?.cancel();
  }
}

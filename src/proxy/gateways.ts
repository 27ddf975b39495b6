/**
 * The gateways that run on this machine: their listeners are those of the snapshot in force. Each port stands or falls for itself: one that
 * cannot be had is told and tried again, and takes nothing from the others. What a listener accepted goes on when it is closed.
 */
import type { Files, Listener, ListenError, Net, Timer } from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import type { GatewayListener } from "../model/gateway.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { SnapshotGateway } from "../model/snapshot.ts";
import { GatewayCertificates } from "./listen/gateway_certificates.ts";
import { GatewayPort } from "./gateway_port.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";

export interface GatewaysOptions {
  readonly parts: ProxyParts;
  readonly listening: Pick<Net, "listen">;
  readonly files: Pick<Files, "readSync">;
}

interface Standing {
  readonly port: GatewayPort;
  /** null: it is closed, or could not be had. */
  open: Listener | null;
  told: string;
}

export class Gateways {
  readonly #certificates: GatewayCertificates;
  #standing = new Map<string, Standing>();
  #retry: Timer | null = null;
  #closed = false;
  #ends = false;

  constructor(readonly options: GatewaysOptions) {
    const { parts, files } = options;
    this.#certificates = new GatewayCertificates({ files, clock: parts.shard.clock, log: parts.log });
  }

  /** `own`: those that the machine says it runs. A port that stays is not closed for what changes of its listeners. */
  apply(gateways: readonly SnapshotGateway[], own: readonly ServiceName[]): void {
    const keys = new Set(own.map(serviceKey));
    const wanted = gateways.filter(({ service }) => keys.has(serviceKey(service)));
    this.#certificates.keep(
      wanted.flatMap(({ listeners }) => listeners.flatMap(({ certificates }) => certificates)),
    );
    const before = this.#standing;
    this.#standing = new Map();
    for (const { service, listeners } of wanted)
      for (const [place, sharing] of Map.groupBy(listeners, placeOf)) {
        const key = JSON.stringify([serviceKey(service), place]);
        const standing = before.get(key) ?? this.#stand(service, sharing);
        standing.port.change(sharing);
        this.#standing.set(key, standing);
      }
    // First, because another gateway may want the port.
    for (const [key, each] of before) if (!this.#standing.has(key)) close(each);
    this.#openAll();
  }

  #stand(gateway: ServiceName, [first]: readonly GatewayListener[]): Standing {
    const { address, port } = first as GatewayListener;
    const { parts } = this.options;
    const isReady = (): boolean => !this.#ends;
    const options = { parts, gateway, address, port, certificates: this.#certificates, isReady };
    return { port: new GatewayPort(options), open: null, told: "" };
  }

  /** From now on whoever asks hears that this machine takes no requests, which it does all the same. */
  end(): void {
    this.#ends = true;
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#certificates.close();
    for (const each of this.#standing.values()) close(each);
  }

  reopen(): void {
    this.#closed = false;
    this.#openAll();
  }

  #openAll(): void {
    this.#retry?.cancel();
    this.#retry = null;
    if (this.#closed) return;
    for (const each of this.#standing.values()) if (each.open === null) this.#open(each);
    if ([...this.#standing.values()].every(({ open }) => open !== null)) return;
    const { clock } = this.options.parts.shard;
    this.#retry = clock.after(limits.gatewayRetryMs, () => this.#openAll(), true);
  }

  #open(standing: Standing): void {
    const { parts, listening } = this.options;
    const { gateway, address, port } = standing.port.options;
    try {
      standing.open = standing.port.listen(listening);
      standing.told = "";
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "ListenError") throw error;
      const { holder, socketError } = error as ListenError;
      const why = holder === null ? socketError.message : `${holder} has it`;
      const told = `gateway ${gateway.name}: cannot listen at ${address} port ${port}: ${why}`;
      if (told !== standing.told) parts.log(told);
      standing.told = told;
    }
  }
}

function placeOf({ address, port }: GatewayListener): string {
  return socketAddress(address, port);
}

function close(standing: Standing): void {
  standing.open?.close();
  standing.open = null;
}

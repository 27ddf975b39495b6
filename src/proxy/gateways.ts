/**
 * The gateways that run on this machine: their listeners are those of the snapshot in force. Each stands or falls for itself: a port that
 * cannot be had is told and tried again, and takes nothing from the others. What a listener accepted goes on when it is closed.
 */
import type { Files, Listener, ListenError, Net, Timer } from "../../runtime/contract.ts";
import type { GatewayListener } from "../model/gateway.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { SnapshotGateway } from "../model/snapshot.ts";
import { GatewayCertificates } from "./listen/gateway_certificates.ts";
import { listenGateway } from "./gateway_listener.ts";
import type { ProxyParts } from "./state/proxy_parts.ts";

export interface GatewaysOptions {
  readonly parts: ProxyParts;
  readonly listening: Pick<Net, "listen">;
  readonly files: Pick<Files, "readSync">;
}

interface Standing {
  readonly gateway: ServiceName;
  readonly listener: GatewayListener;
  /** null: it is closed, or its port could not be had. */
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

  /** `own`: those that the machine says it runs. */
  apply(gateways: readonly SnapshotGateway[], own: readonly ServiceName[]): void {
    const keys = new Set(own.map(serviceKey));
    const wanted = gateways.filter(({ service }) => keys.has(serviceKey(service)));
    this.#certificates.keep(
      wanted.flatMap(({ listeners }) => listeners.flatMap(({ certificates }) => certificates)),
    );
    const before = this.#standing;
    this.#standing = new Map();
    for (const { service: gateway, listeners } of wanted)
      for (const listener of listeners) {
        const key = JSON.stringify([serviceKey(gateway), listener]);
        const known = before.get(key);
        this.#standing.set(key, known ?? { gateway, listener, open: null, told: "" });
      }
    // First, because another listener may want the port.
    for (const [key, each] of before) if (!this.#standing.has(key)) close(each);
    this.#openAll();
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
    const { gateway, listener } = standing;
    const certificates = this.#certificates;
    try {
      const isReady = (): boolean => !this.#ends;
      standing.open = listenGateway({ parts, listening, gateway, listener, certificates, isReady });
      standing.told = "";
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "ListenError") throw error;
      const { holder, socketError } = error as ListenError;
      const why = holder === null ? socketError.message : `${holder} has it`;
      const told = `gateway ${gateway.name}: cannot listen at ${listener.address} port ${listener.port}: ${why}`;
      if (told !== standing.told) parts.log(told);
      standing.told = told;
    }
  }
}

function close(standing: Standing): void {
  standing.open?.close();
  standing.open = null;
}

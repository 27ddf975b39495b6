/** Everything that is open on the data plane: told to end after what is under way, or cut. */
import type { PeerCertificate } from "../../runtime/contract.ts";
import { isDenied } from "../identity/verify_peer.ts";
import type { Outcome } from "../model/outcome.ts";

export interface OpenConnection {
  /** Takes nothing new and ends by itself. Absent: it has no such boundary and lives as long as its ends want. */
  retire?(): void;
  /** `why` is for its record. */
  destroy(why: Outcome): void;
}

export class OpenConnections {
  /** With what the far side showed; null for local apps. */
  readonly #open = new Map<OpenConnection, PeerCertificate | null>();
  #emptied: (() => void) | null = null;
  #denied: ReadonlySet<string> = new Set();
  #destroyed = false;

  get size(): number {
    return this.#open.size;
  }

  /** Cuts at once what stood too late: its peer was revoked meanwhile, or everything is over. */
  add(connection: OpenConnection, peer: PeerCertificate | null): void {
    this.#open.set(connection, peer);
    if (this.#destroyed) connection.destroy(drained);
    else if (peer !== null && isDenied(peer, this.#denied)) connection.destroy(revoked);
  }

  delete(connection: OpenConnection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#emptied?.();
  }

  /** Cuts what belongs to identities or certificates that were revoked. */
  cut(denied: ReadonlySet<string>): void {
    this.#denied = denied;
    if (denied.size === 0) return;
    for (const [connection, peer] of [...this.#open])
      if (peer !== null && isDenied(peer, denied)) connection.destroy(revoked);
  }

  retire(): void {
    for (const connection of [...this.#open.keys()]) connection.retire?.();
  }

  /** Everything, and whatever is added later. */
  destroy(): void {
    this.#destroyed = true;
    for (const connection of [...this.#open.keys()]) connection.destroy(drained);
  }

  /** Calls once nothing is open, maybe at once. */
  whenEmpty(call: () => void): void {
    if (this.#open.size === 0) call();
    else this.#emptied = call;
  }
}

const revoked: Outcome = {
  flag: "ID",
  side: "downstream",
  repeat: "no",
  status: 503,
  detail: "the identity behind the connection was revoked",
};
const drained: Outcome = {
  flag: "DT",
  side: "mesh",
  repeat: "no",
  status: 503,
  detail: "this proxy ends, and the time for what was open is over",
};

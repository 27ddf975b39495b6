/** Everything that is open on the data plane: told to end after what is under way, or cut. */
import type { PeerCertificate } from "../../runtime/contract.ts";
import { isDenied } from "../identity/verify_peer.ts";

export interface OpenConnection {
  /** Takes nothing new and ends by itself. Absent: it has no such boundary and lives as long as its ends want. */
  retire?(): void;
  destroy(): void;
}

export class OpenConnections {
  /** With what the far side showed; null for local apps. */
  readonly #open = new Map<OpenConnection, PeerCertificate | null>();
  #emptied: (() => void) | null = null;

  get size(): number {
    return this.#open.size;
  }

  add(connection: OpenConnection, peer: PeerCertificate | null): void {
    this.#open.set(connection, peer);
  }

  delete(connection: OpenConnection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#emptied?.();
  }

  /** Cuts what belongs to identities or certificates that were revoked. */
  cut(denied: ReadonlySet<string>): void {
    if (denied.size === 0) return;
    for (const [connection, peer] of [...this.#open])
      if (peer !== null && isDenied(peer, denied)) connection.destroy();
  }

  retire(): void {
    for (const connection of [...this.#open.keys()]) connection.retire?.();
  }

  destroy(): void {
    for (const connection of [...this.#open.keys()]) connection.destroy();
  }

  /** Calls once nothing is open, maybe at once. */
  whenEmpty(call: () => void): void {
    if (this.#open.size === 0) call();
    else this.#emptied = call;
  }
}

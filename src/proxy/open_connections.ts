/** Everything that is open on the data plane: told to end after what is under way, or cut. */

export interface OpenConnection {
  /** Takes nothing new and ends by itself. Absent: it has no such boundary and lives as long as its ends want. */
  retire?(): void;
  destroy(): void;
}

export class OpenConnections {
  /** With the verified SPIFFE ID of the far side; null for local apps. */
  readonly #open = new Map<OpenConnection, string | null>();
  #emptied: (() => void) | null = null;

  get size(): number {
    return this.#open.size;
  }

  add(connection: OpenConnection, peerId: string | null): void {
    this.#open.set(connection, peerId);
  }

  delete(connection: OpenConnection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#emptied?.();
  }

  /** Cuts what belongs to identities that were revoked. */
  cut(deniedIds: ReadonlySet<string>): void {
    for (const [connection, peerId] of [...this.#open])
      if (peerId !== null && deniedIds.has(peerId)) connection.destroy();
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

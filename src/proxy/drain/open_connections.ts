/** Everything that is open on the data plane: told to end after what is under way, or cut. */
import type { PeerCertificate } from "../../../runtime/contract.ts";
import { isDenied } from "../../identity/verify_peer.ts";
import type { Outcome } from "../../model/outcome.ts";

export interface OpenConnection {
  /**
   * Takes nothing new and ends by itself; `softly`: takes what its client may have sent already. Absent: it is opaque, has no such
   * boundary and lives as long as its ends want.
   */
  retire?(softly: boolean): void;
  /** Of an opaque one: what has passed, both ways. */
  readonly bytes?: number;
  /** `why` is for its record. */
  destroy(why: Outcome): void;
}

export class OpenConnections {
  /** With what the other proxy showed; null for local apps. */
  readonly #open = new Map<OpenConnection, PeerCertificate | null>();
  /** To endpoints: they serve what came in, and hold nothing open by themselves. */
  readonly #upstream = new Map<OpenConnection, PeerCertificate | null>();
  readonly #retired = new WeakSet<OpenConnection>();
  #awaited: Set<OpenConnection> = new Set();
  #gone: (() => void) | null = null;
  #denied: ReadonlySet<string> = new Set();
  #destroyed = false;

  get size(): number {
    return this.#open.size;
  }

  /** As `add`, for a connection of a pool, which is retired with its pool. */
  addUpstream(connection: OpenConnection, peer: PeerCertificate | null): void {
    this.#upstream.set(connection, peer);
    this.#judge(connection, peer);
  }

  /** Cuts at once what stood too late: its peer was revoked meanwhile, or everything is over. */
  add(connection: OpenConnection, peer: PeerCertificate | null): void {
    this.#open.set(connection, peer);
    this.#judge(connection, peer);
  }

  #judge(connection: OpenConnection, peer: PeerCertificate | null): void {
    if (this.#destroyed) connection.destroy(drained);
    else if (peer !== null && isDenied(peer, this.#denied)) connection.destroy(revoked);
  }

  delete(connection: OpenConnection): void {
    if (this.#upstream.delete(connection)) return;
    this.#open.delete(connection);
    this.#awaited.delete(connection);
    if (this.#awaited.size === 0) this.#tellGone();
  }

  #tellGone(): void {
    const gone = this.#gone;
    this.#gone = null;
    gone?.();
  }

  /** Cuts what belongs to identities or certificates that were revoked. */
  cut(denied: ReadonlySet<string>): void {
    this.#denied = denied;
    if (denied.size === 0) return;
    for (const [connection, peer] of [...this.#open, ...this.#upstream])
      if (peer !== null && isDenied(peer, denied)) connection.destroy(revoked);
  }

  /** The ways in, each once. What they have under way still finds its way out, on connections old or new. */
  retire(softly = false): void {
    for (const connection of [...this.#open.keys()]) this.#retire(connection, softly);
  }

  /** Those of other proxies: what they have under way goes on, nothing new is taken. */
  retirePeers(): void {
    for (const [connection, peer] of [...this.#open]) if (peer !== null) this.#retire(connection, false);
  }

  #retire(connection: OpenConnection, softly: boolean): void {
    if (this.#retired.has(connection)) return;
    this.#retired.add(connection);
    connection.retire?.(softly);
  }

  /** The ways in that cannot be told to end. */
  opaque(): readonly OpenConnection[] {
    return [...this.#open.keys()].filter((connection) => connection.retire === undefined);
  }

  /** The ways in, and whatever is added later; pools end what leads out. */
  destroy(): void {
    this.#destroyed = true;
    for (const connection of [...this.#open.keys()]) connection.destroy(drained);
  }

  /** Calls once the ways in that are open now are gone, maybe at once. Whoever asked before is not told any more. */
  whenGone(call: () => void): void {
    this.#awaited = new Set(this.#open.keys());
    this.#gone = call;
    if (this.#awaited.size === 0) this.#tellGone();
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

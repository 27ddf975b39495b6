/** What a pool of connections is given, what it gives, and to whom. */
import type { Result } from "../../base/result.ts";
import type { Dial, Net, TlsClientOptions } from "../../../runtime/contract.ts";
import type { ClientConnection } from "../../http/exchange.ts";
import type { Shard } from "../../http/shard.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { OpenConnections } from "../drain/open_connections.ts";
import type { Claim } from "../share/claim.ts";
import type { Flow } from "../share/flow.ts";
import type { ConnectionRoom } from "./connection_room.ts";
import type { PoolTimes } from "./pool_times.ts";
import type { UpstreamProtocol } from "./upstream_protocol.ts";

export interface PoolOptions {
  readonly net: Pick<Net, "connect">;
  readonly shard: Shard;
  readonly host: string;
  readonly port: number;
  /** At first: others may follow. */
  readonly times: PoolTimes;
  /** The same for pools of other event loops that count together with it. */
  readonly name: string;
  /** For words: `orders.default on vm-2 (10.0.0.2:7445)`. */
  readonly peer: string;
  readonly protocol: UpstreamProtocol;
  /** null: clear text. Read at each dial, so a renewed credential counts from the next one on; a string says why not. */
  readonly tls: (() => Result<TlsClientOptions>) | null;
  readonly onLimit: (limit: string) => void;
  /** Knows each connection from its handshake to its end, also once the pool has let go of it. */
  readonly open?: OpenConnections;
  /** For the connections of all pools that lead to the service. */
  readonly room: ConnectionRoom;
}

/** A connection on its way. */
export interface PoolDial {
  /** Begun before anybody needed it. */
  readonly ahead: boolean;
  /** Of the credential that it shows. */
  readonly generation: number;
  /** null until the host has taken it. */
  handle: Dial | null;
}

/**
 * Waits for a connection. Exactly one of the two is called, maybe from inside `acquire`; none after `leave`, which says that
 * its request is over too, or that nobody waits for the answer any more.
 */
export interface Taker {
  /** Whose request it is. */
  readonly flow: Flow;
  /** The pool's own: what counts its request. */
  place: Claim<Taker> | null;
  /** Starts one request on it, at once. */
  connected(connection: ClientConnection): void;
  unreachable(outcome: Outcome): void;
}

/** What a service says of one endpoint. */
export interface PoolBounds {
  readonly connections: number;
  /** null: what the connections carry. */
  readonly requests: number | null;
  readonly pending: number;
  readonly pendingMs: number;
}

/** What the server side of one HTTP/1 connection is given by whoever accepted it. */
import type { ConnectionInfo, ServerExchange } from "./exchange.ts";
import type { Shard } from "./shard.ts";

export interface Http1ServerOptions {
  readonly shard: Shard;
  readonly connection: ConnectionInfo;
  readonly handler: (exchange: ServerExchange) => void;
  /** HTTP/1.0 without Host is fine: the listener has one service. */
  readonly hostOptional?: boolean;
  /** A limit of the limits table ended a request or the connection. */
  readonly onLimit?: (limit: string) => void;
  /** The connection is gone. */
  readonly onClosed?: () => void;
}

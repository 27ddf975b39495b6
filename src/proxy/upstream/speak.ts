/** What is spoken on the connections of a pool, and what the pool hears of each. */
import type { Socket, SocketHandler } from "../../../runtime/contract.ts";
import type { ClientConnection } from "../../http/exchange.ts";
import { Http1Client } from "../../http/h1_client.ts";
import { Http2Client } from "../../http/h2_client.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import { profiles, type Profile } from "../../wire/h2/settings.ts";

/** A connection as a pool keeps it. */
export interface PooledConnection extends ClientConnection {
  /** What its socket calls. */
  readonly handler: SocketHandler;
}

export interface ConnectionEvents {
  readonly shard: Shard;
  /** Whom it leads to, for words. */
  readonly peer: string;
  readonly identityAtStake: boolean;
  /** There is room for a request after there was none. */
  readonly onRoom: (connection: PooledConnection) => void;
  readonly onRetired: (connection: PooledConnection) => void;
  readonly onClosed: (connection: PooledConnection) => void;
  readonly onLimit: (limit: string) => void;
}

export interface Speech {
  /** How many requests a new connection is expected to take at once. */
  readonly streams: number;
  /** How many connections a pool may have, and the limit that says so. */
  readonly connectionsMax: number;
  readonly limit: "connectionsMax" | "sharedConnectionsMax";
  readonly begin: (socket: Socket, events: ConnectionEvents) => PooledConnection;
}

/** HTTP/1.1: a request at a time. */
export const http1Speech: Speech = {
  streams: 1,
  connectionsMax: limits.connectionsMax,
  limit: "connectionsMax",
  begin: (socket, { onRoom, ...events }) => new Http1Client(socket, { ...events, onIdle: onRoom }),
};

/** HTTP/2: many requests share few connections. */
function http2Speech(profile: Profile): Speech {
  return {
    streams: profile.streamsMax,
    connectionsMax: limits.sharedConnectionsMax,
    limit: "sharedConnectionsMax",
    begin: (socket, events) => new Http2Client(socket, { ...events, profile }),
  };
}

/** To a local app that speaks HTTP/2, in clear text by prior knowledge. */
export const appHttp2Speech: Speech = http2Speech(profiles.app);

/** To another proxy. */
export const meshSpeech: Speech = http2Speech(profiles.mesh);

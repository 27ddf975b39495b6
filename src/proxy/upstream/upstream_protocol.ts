/** What is spoken on the connections of a pool, and what the pool hears of each. */
import type { Socket, SocketHandler } from "../../../runtime/contract.ts";
import type { ClientConnection } from "../../http/exchange.ts";
import { Http1Client } from "../../http/h1_client.ts";
import { Http2Client } from "../../http/h2_client.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import { profiles } from "../../wire/h2/settings.ts";

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
  /** How long it is kept while nothing uses it; null: as is usual for what it speaks. */
  readonly keptMs: () => number | null;
  /** There is room for a request after there was none. */
  readonly onRoom: (connection: PooledConnection) => void;
  /** The peer said how many requests the connection takes at a time. */
  readonly onCapacity: (connection: PooledConnection) => void;
  readonly onRetired: (connection: PooledConnection) => void;
  readonly onClosed: (connection: PooledConnection) => void;
  readonly onLimit: (limit: string) => void;
}

export interface UpstreamProtocol {
  /** How many requests a connection is expected to take at once, before any has said it. */
  readonly streams: number;
  /**
   * Peers differ in it. What the last connection said counts for the next one, which is not opened before that: so whoever takes
   * few is not overrun, and no connections are opened for requests that one of them would have taken.
   */
  readonly learns: boolean;
  /** How many connections a pool may have, and the limit that says so. */
  readonly connectionsMax: number;
  readonly limit: "connectionsMax" | "sharedConnectionsMax";
  /** `streams`: what it is expected to take at once. */
  readonly begin: (socket: Socket, events: ConnectionEvents, streams: number) => PooledConnection;
}

/** HTTP/1.1: a request at a time. */
export const http1Upstream: UpstreamProtocol = {
  streams: 1,
  learns: false,
  connectionsMax: limits.connectionsMax,
  limit: "connectionsMax",
  begin: (socket, { onRoom, onCapacity: _, ...events }) =>
    new Http1Client(socket, { ...events, onIdle: onRoom }),
};

/** HTTP/2: many requests share few connections. */
const shared = { connectionsMax: limits.sharedConnectionsMax, limit: "sharedConnectionsMax" } as const;

/** To a local app that speaks HTTP/2, in clear text by prior knowledge. */
export const appHttp2Upstream: UpstreamProtocol = {
  ...shared,
  streams: limits.h2StreamsUnknownMax,
  learns: true,
  begin: (socket, events, streamsEarly) =>
    new Http2Client(socket, { ...events, profile: profiles.app, streamsEarly }),
};

/** To another proxy. */
export const meshUpstream: UpstreamProtocol = {
  ...shared,
  streams: profiles.mesh.streamsMax,
  learns: false,
  begin: (socket, events) => new Http2Client(socket, { ...events, profile: profiles.mesh }),
};

/**
 * Upgrades where only one side speaks HTTP/1. The handshake of WebSocket (RFC 6455 section 4) has a key there and none in HTTP/2
 * (RFC 8441), so the HTTP/1 driver asks or answers itself.
 */
import { createHash, randomBytes } from "node:crypto";

export const keyField = "sec-websocket-key";
export const acceptField = "sec-websocket-accept";

export function newWebSocketKey(): string {
  return randomBytes(16).toString("base64");
}

/** What a server answers to a key. */
export function acceptOf(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, "latin1").digest("base64");
}

/** Of the protocols that an Upgrade field names, the one that HTTP/2 can ask for: it has room for one, the first is preferred. */
export function firstProtocol(upgrade: string): string {
  const comma = upgrade.indexOf(",");
  return comma < 0 ? upgrade : upgrade.slice(0, comma).trim();
}

/**
 * The handshake of WebSocket (RFC 6455 section 4) where only one side speaks HTTP/1: HTTP/2 has no key to answer (RFC 8441), so
 * the HTTP/1 driver asks or answers itself.
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

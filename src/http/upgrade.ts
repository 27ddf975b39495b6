/**
 * Upgrades: which of them pass, and those where only one side speaks HTTP/1. The handshake of WebSocket (RFC 6455 section 4) has a
 * key there and none in HTTP/2 (RFC 8441), so the HTTP/1 driver asks or answers itself.
 */
import { createHash, randomBytes } from "node:crypto";

export const keyField = "sec-websocket-key";
const neverPassed = "h2c";
export const acceptField = "sec-websocket-accept";

export function newWebSocketKey(): string {
  return randomBytes(16).toString("base64");
}

/** What a server answers to a key. */
export function acceptOf(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, "latin1").digest("base64");
}

/**
 * Whether a protocol may take a connection over, out of the sight of every rule: `websocket` always, others where they are named, and
 * HTTP in other clothes never (RFC 9113 section 3.1).
 */
export function passesUpgrade(protocol: string, named: readonly string[]): boolean {
  return protocol === "websocket" || (protocol !== neverPassed && named.includes(protocol));
}

/** Of the protocols of an Upgrade field the first that passes, for a request of that method; null: none. */
export function firstPassing(upgrade: string, method: string, named: readonly string[]): string | null {
  for (const each of upgrade.split(",")) {
    const protocol = each.trim();
    // The handshake of WebSocket is a GET.
    if (passesUpgrade(protocol, named) && (protocol !== "websocket" || method === "GET")) return protocol;
  }
  return null;
}

/** Whether HTTP/2 can ask for it (RFC 8441): Extended CONNECT has no method, no body, and room for the name of a protocol alone. */
export function fitsStream(upgrade: string, method: string, contentLength: number): boolean {
  return method === "GET" && contentLength === 0 && !upgrade.includes("/");
}

/** Of the protocols that an Upgrade field names, the one that HTTP/2 can ask for: it has room for one, the first is preferred. */
export function firstProtocol(upgrade: string): string {
  const comma = upgrade.indexOf(",");
  return comma < 0 ? upgrade : upgrade.slice(0, comma).trim();
}

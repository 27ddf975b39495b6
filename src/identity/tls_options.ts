/** TLS between proxies: which certificate is shown, and who is accepted on the other end. */
import type { TlsClientOptions, TlsCredential, TlsServerOptions } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { principalOf } from "./spiffe_id.ts";

/** ALPN of an opaque TCP connection between proxies. */
export const tcpAlpn = "heddle-tcp";
export const httpAlpn = "http/1.1";

export interface Trust {
  readonly trustDomain: string;
  readonly rootsPem: readonly string[];
  /** IDs that were revoked, whatever certificate they show. */
  readonly deniedIds: ReadonlySet<string>;
}

/** The server side of a local service: any service of the trust domain may shake hands; what it may do is decided later. */
export function inboundTls(credential: TlsCredential, trust: Trust): TlsServerOptions {
  return {
    credential,
    trustPem: trust.rootsPem,
    alpn: [httpAlpn, tcpAlpn],
    peer: "required",
    handshakeTimeoutMs: limits.tlsHandshakeMs,
    accept: (session) => {
      const [id, second] = session.peer?.uris ?? [];
      if (id === undefined || second !== undefined) return "its certificate has not exactly one URI name";
      if (principalOf(id, trust.trustDomain)?.kind !== "service")
        return `${id} is no service of ${trust.trustDomain}`;
      return trust.deniedIds.has(id) ? `${id} was revoked` : null;
    },
  };
}

/** The client side: the peer must be exactly the service that is meant. */
export function outboundTls(
  credential: TlsCredential,
  trust: Trust,
  peer: { readonly spiffeId: string; readonly serverName: string; readonly alpn: string },
): TlsClientOptions {
  return {
    credential,
    trustPem: trust.rootsPem,
    alpn: [peer.alpn],
    serverName: peer.serverName,
    verify: "chain",
    handshakeTimeoutMs: limits.tlsHandshakeMs,
    accept: (session) => {
      const uris = session.peer?.uris ?? [];
      if (uris.length !== 1 || uris[0] !== peer.spiffeId)
        return `it is ${uris.join(", ") || "nobody"}, not ${peer.spiffeId}`;
      if (session.alpn !== peer.alpn) return `it does not speak ${peer.alpn}`;
      return trust.deniedIds.has(peer.spiffeId) ? `${peer.spiffeId} was revoked` : null;
    },
  };
}

/** TLS between proxies: which certificate is shown, and who is accepted on the other end. */
import type { TlsClientOptions, TlsCredential, TlsServerOptions } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { verifyPeer, type Trust } from "./verify_peer.ts";

/** ALPN of an opaque TCP connection between proxies. */
export const tcpAlpn = "heddle-tcp";
export const httpAlpn = "http/1.1";
/** ALPN of a connection that many calls share: HTTP/2. */
export const sharedAlpn = "h2";

/** The server side of a local service: any service of the trust domain may shake hands; what it may do is decided later. */
export function inboundTls(credential: TlsCredential, trust: Trust): TlsServerOptions {
  return {
    credential,
    trustPem: trust.rootsPem,
    alpn: [sharedAlpn, httpAlpn, tcpAlpn],
    peer: "required",
    handshakeTimeoutMs: limits.tlsHandshakeMs,
    accept: (session) => verifyPeer(session, trust, { kind: "service" }),
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
      if (session.alpn !== peer.alpn) return `it does not speak ${peer.alpn}`;
      return verifyPeer(session, trust, { kind: "exactly", spiffeId: peer.spiffeId });
    },
  };
}

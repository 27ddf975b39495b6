/**
 * TLS of the network in memory: nothing is encrypted, but both sides show the certificates that they hold, signatures of chains
 * are verified against the roots, ALPN is chosen and each side is asked whether it accepts, as the contract says. The client
 * begins with a real ClientHello, because whoever listens reads the name in it.
 */
import { X509Certificate } from "node:crypto";
import { isAuthority, readPeerCertificate } from "../../runtime/shared/certificate.ts";
import type {
  PeerCertificate,
  SocketError,
  TlsClientOptions,
  TlsCredential,
  TlsServerOptions,
  TlsSession,
} from "../../runtime/contract.ts";

/** What each side thinks of the other: a session, or why there is none. */
export interface Handshake {
  readonly client: TlsSession | SocketError;
  readonly server: TlsSession | SocketError;
}

/** Where the random of a ClientHello stands, behind the heads of record and message and the version. */
const randomAt = 11;

/** What tells the ClientHello of one connection from that of another. */
export function numberOfHello(hello: Uint8Array): number {
  return new DataView(hello.buffer, hello.byteOffset).getUint32(randomAt);
}

/** A ClientHello of TLS 1.3 with a server name (RFC 8446 section 4.1.2, RFC 6066 section 3). */
export function clientHello(serverName: string, number = 0): Uint8Array {
  const name = [...Buffer.from(serverName, "latin1")];
  const entry = [0, ...sized(2, name)];
  const extension = serverName === "" ? [] : [0, 0, ...sized(2, sized(2, entry))];
  const random = [...[24, 16, 8, 0].map((bits) => (number >> bits) & 255), ...new Array<number>(28).fill(7)];
  const body = [3, 3, ...random, 0, 0, 2, 0x13, 1, 1, 0, ...sized(2, extension)];
  return Uint8Array.from([0x16, 3, 1, ...sized(2, [1, ...sized(3, body)])]);
}

function sized(width: number, bytes: readonly number[]): number[] {
  const length = Array.from({ length: width }, (_, at) => (bytes.length >> (8 * (width - 1 - at))) & 255);
  return [...length, ...bytes];
}

export function shakeHands(client: TlsClientOptions, server: TlsServerOptions, wallMs: number): Handshake {
  const alpn = server.alpn.find((each) => client.alpn.includes(each)) ?? "";
  const { serverName } = client;
  if (server.alpn.length > 0 && client.alpn.length > 0 && alpn === "") {
    const error = refusal("ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "no protocol in common");
    return { client: error, server: error };
  }
  const judge = (
    shown: TlsCredential | undefined,
    trustPem: readonly string[],
    peer: "required" | "optional" | "none" | "unverified",
    accept: (session: TlsSession) => string | null,
  ): TlsSession | SocketError => {
    const found =
      shown === undefined ? null : identify(shown, peer === "unverified" ? null : trustPem, wallMs);
    if (found !== null && "kind" in found) return found;
    if (found === null && peer !== "optional" && peer !== "none")
      return refusal("ERR_NO_CERTIFICATE", "The peer showed no certificate");
    const session: TlsSession = { peer: found, alpn, serverName, resumed: false };
    const reason = accept(session);
    return reason === null ? session : refusal("ERR_PEER_REFUSED", reason);
  };
  const wants = client.verify === "unverified" ? "unverified" : "required";
  return {
    client: judge(server.credential, client.trustPem, wants, client.accept),
    server: judge(client.credential, server.trustPem, server.peer, server.accept),
  };
}

function refusal(code: string, message: string): SocketError {
  return { kind: "tls", code, message };
}

/** The leaf of a chain; `trustPem` null: whatever it is. */
function identify(
  { chainPem }: TlsCredential,
  trustPem: readonly string[] | null,
  wallMs: number,
): PeerCertificate | SocketError {
  const chain = certificatesOf(chainPem);
  const [leaf] = chain;
  if (leaf === undefined) return refusal("ERR_NO_CERTIFICATE", "The peer showed no certificate");
  const der = new Uint8Array(leaf.raw);
  const peer = readPeerCertificate(der);
  if (trustPem === null) return peer;
  if (!isTrusted(chain, trustPem.flatMap(certificatesOf)))
    return refusal("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "The peer's certificate is not valid here");
  if (isAuthority(der)) return refusal("ERR_AUTHORITY_CERTIFICATE", "The peer's certificate signs others");
  if (wallMs > peer.notAfterMs) return refusal("CERT_HAS_EXPIRED", "The peer's certificate expired");
  if (wallMs < peer.notBeforeMs) return refusal("CERT_NOT_YET_VALID", "The peer's certificate begins later");
  return peer;
}

/** Each certificate is signed by the next one, the last by a root. */
function isTrusted(chain: readonly X509Certificate[], roots: readonly X509Certificate[]): boolean {
  const signed = (by: X509Certificate, each: X509Certificate): boolean =>
    each.checkIssued(by) && each.verify(by.publicKey);
  let at = chain[0];
  for (let steps = 0; at !== undefined && steps < chain.length; steps++) {
    const each = at;
    if (roots.some((root) => signed(root, each))) return true;
    at = chain.find((above) => above !== each && above.ca && signed(above, each));
  }
  return false;
}

const parsed = new Map<string, X509Certificate[]>();

function certificatesOf(pem: string): X509Certificate[] {
  const known = parsed.get(pem);
  if (known !== undefined) return known;
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const certificates = blocks.map((block) => new X509Certificate(block));
  parsed.set(pem, certificates);
  return certificates;
}

/**
 * Whom a TLS handshake showed, and whether that is whom the contract lets in. The host verifies the chain; its word on whether all
 * is well is not asked: its name check does not apply to SPIFFE certificates, and a resumed session may outlive its certificate.
 */
import type { PeerCertificate, SocketError, TlsSession } from "../contract.ts";
import { isAuthority, readPeerCertificate } from "./certificate.ts";
import { codeOf, socketError } from "./errors.ts";

/** Codes that speak of the peer's certificate alone: the handshake itself was sound. */
const certificateCodes: ReadonlySet<string> = new Set([
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_UNTRUSTED",
  "INVALID_CA",
  "INVALID_PURPOSE",
]);

/** What the host tells of a handshake that is over. */
export interface Shown {
  /** What the host found wrong, with its code; null: nothing. */
  readonly error: Error | null;
  /** `TLSv1.3` */
  readonly version: string | null;
  /** Of the peer's leaf; undefined when none was shown. */
  readonly der: Uint8Array | undefined;
  readonly alpn: string;
  readonly serverName: string;
  readonly resumed: boolean;
}

export interface Expectation {
  /** `optional` and `none` let a peer without a certificate pass; `unverified` takes any certificate. */
  readonly peer: "required" | "optional" | "none" | "unverified";
  /** False when nobody is trusted. */
  readonly trusts: boolean;
  /** The name asked for on a client; a server reads what it was asked for. */
  readonly serverName: string | null;
  readonly accept: (session: TlsSession) => string | null;
  /** Of TLS. Absent: 1.3. */
  readonly minVersion?: "1.2";
}

/** What TLS 1.2 may use, where it is taken: ephemeral keys and authenticated encryption. */
export const olderCiphers = [
  ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ...["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ...["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
].join(":");

function refusal(code: string, message: string): SocketError {
  return socketError("tls", code, message);
}

/** After a handshake, before anything else: who is there, or why the connection must end. */
export function examinePeer(shown: Shown, expected: Expectation): TlsSession | SocketError {
  const { error, der } = shown;
  const code = error === null ? null : codeOf(error);
  if (code !== null && !certificateCodes.has(code)) {
    return refusal(code, `TLS handshake failed: ${error?.message ?? code}`);
  }
  if (shown.version !== "TLSv1.3" && (expected.minVersion === undefined || shown.version !== "TLSv1.2"))
    return refusal("ERR_TLS_VERSION", `The peer does not speak TLS ${expected.minVersion ?? "1.3"}`);
  const session = (peer: TlsSession["peer"]): TlsSession | SocketError => {
    const found: TlsSession = {
      peer,
      alpn: shown.alpn,
      serverName: shown.serverName,
      resumed: shown.resumed,
    };
    const reason = expected.accept(found);
    return reason === null ? found : refusal("ERR_PEER_REFUSED", reason);
  };
  if (der === undefined) {
    if (expected.peer === "optional" || expected.peer === "none") return session(null);
    return refusal("ERR_NO_CERTIFICATE", "The peer showed no certificate");
  }
  const problem = expected.peer === "unverified" ? null : chainProblem(code, expected);
  if (problem !== null) return problem;
  const read = readOrNull(new Uint8Array(der));
  if (read === null) return refusal("ERR_BAD_CERTIFICATE", "The peer's certificate cannot be read");
  const { peer, signs } = read;
  if (expected.peer === "unverified") return session(peer);
  if (signs) return refusal("ERR_AUTHORITY_CERTIFICATE", "The peer's certificate is one that signs others");
  return validityProblem(peer.notBeforeMs, peer.notAfterMs) ?? session(peer);
}

/** What the peer showed is its choice: what we cannot read is refused, not a fault of ours. */
function readOrNull(der: Uint8Array): { readonly peer: PeerCertificate; readonly signs: boolean } | null {
  try {
    return { peer: readPeerCertificate(der), signs: isAuthority(der) };
  } catch {
    return null;
  }
}

/** Hosts report chain errors before name errors, and no SPIFFE certificate carries the DNS name that was dialled. */
function chainProblem(code: string | null, expected: Expectation): SocketError | null {
  if (!expected.trusts) return refusal("ERR_NO_TRUST", "No root certificate is trusted here");
  const nameOnly = expected.serverName !== null && code === "ERR_TLS_CERT_ALTNAME_INVALID";
  if (code === null || nameOnly) return null;
  return refusal(code, `The peer's certificate is not valid here: ${code}`);
}

function validityProblem(notBeforeMs: number, notAfterMs: number): SocketError | null {
  const now = Date.now();
  if (now <= notAfterMs && now >= notBeforeMs) return null;
  const [code, word] = now > notAfterMs ? ["CERT_HAS_EXPIRED", "expired"] : ["CERT_NOT_YET_VALID", "begins"];
  const when = now > notAfterMs ? notAfterMs : notBeforeMs;
  const date = Number.isNaN(when) ? "at an unreadable time" : new Date(when).toISOString();
  return refusal(code ?? "", `The peer's certificate ${word} ${date}`);
}

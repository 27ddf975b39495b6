/**
 * TLS 1.3 over Bun, both sides. Bun decides nothing here: its `ok` is ignored, its name check does not apply to SPIFFE
 * certificates, a resumed session may outlive its certificate. So every handshake, resumed or not, is examined by
 * `examine` before a byte is written or delivered. Contexts are cached per credential, so a handshake parses no PEM.
 */
import type {
  PeerCertificate,
  SocketError,
  TlsClientOptions,
  TlsCredential,
  TlsServerOptions,
  TlsSession,
} from "../contract.ts";
import { isAuthority, readPeerCertificate } from "./certificate.ts";
import { codeOf, socketError } from "./errors.ts";
import type { RawSocket } from "./socket.ts";

/** Bun takes this number and no name; with a name it throws, with nothing it accepts TLS 1.2. */
const tls13 = 0x0304;
const contextsPerCredentialMax = 1024;
const ticketsPerContextMax = 64;

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

export interface TlsContext {
  readonly trustPem: readonly string[];
  /** What Bun gets. */
  readonly tls: Bun.TLSOptions;
  /** Newest session ticket per endpoint, each used once. */
  readonly tickets: Map<string, Buffer>;
}

/** The credential of a client that shows none. */
const anonymous: TlsCredential = { chainPem: "", keyPem: "" };

export class TlsContexts {
  private readonly byCredential = new WeakMap<TlsCredential, Map<string, TlsContext>>();

  server(options: TlsServerOptions): TlsContext {
    const required = options.peer === "required";
    return this.find(options.credential, options.peer, options, () => ({
      cert: options.credential.chainPem,
      key: options.credential.keyPem,
      requestCert: true,
      rejectUnauthorized: required,
    }));
  }

  client(options: TlsClientOptions): TlsContext {
    const credential = options.credential;
    return this.find(credential ?? anonymous, `${options.verify} ${options.serverName}`, options, () => ({
      ...(credential === undefined ? {} : { cert: credential.chainPem, key: credential.keyPem }),
      ...(options.serverName === "" ? {} : { serverName: options.serverName }),
      rejectUnauthorized: false,
    }));
  }

  private find(
    credential: TlsCredential,
    kind: string,
    { alpn, trustPem }: Pick<TlsServerOptions, "alpn" | "trustPem">,
    rest: () => Bun.TLSOptions,
  ): TlsContext {
    const key = `${kind} ${alpn.join(",")}`;
    let contexts = this.byCredential.get(credential);
    if (contexts === undefined) this.byCredential.set(credential, (contexts = new Map()));
    const known = contexts.get(key);
    if (known !== undefined && sameTexts(known.trustPem, trustPem)) return known;
    if (contexts.size >= contextsPerCredentialMax) contexts.clear();
    const tls = {
      ...rest(),
      ...(trustPem.length === 0 ? {} : { ca: [...trustPem] }),
      ...(alpn.length === 0 ? {} : { ALPNProtocols: wireNames(alpn) }),
      minVersion: tls13,
    };
    const context: TlsContext = { trustPem: [...trustPem], tls, tickets: new Map() };
    contexts.set(key, context);
    return context;
  }
}

function sameTexts(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, index) => text === other[index]);
}

/** RFC 7301 section 3.1: each name after its length. Bun understands nothing else. */
function wireNames(names: readonly string[]): Buffer {
  return Buffer.concat(
    names.map((name) => Buffer.concat([Buffer.of(name.length), Buffer.from(name, "latin1")])),
  );
}

export function keepTicket(context: TlsContext, endpoint: string, ticket: Buffer): void {
  context.tickets.delete(endpoint);
  if (context.tickets.size >= ticketsPerContextMax) {
    for (const oldest of context.tickets.keys()) {
      context.tickets.delete(oldest);
      break;
    }
  }
  context.tickets.set(endpoint, Buffer.from(ticket));
}

export function takeTicket(context: TlsContext, endpoint: string): Buffer | null {
  const ticket = context.tickets.get(endpoint) ?? null;
  context.tickets.delete(endpoint);
  return ticket;
}

// --------------------------------------------------------------------------------------------- examination

export interface Expectation {
  /** `optional` lets a peer without a certificate pass; `unverified` takes any certificate. */
  readonly peer: "required" | "optional" | "unverified";
  /** False when nobody is trusted. */
  readonly trusts: boolean;
  /** The name asked for on a client; a server reads what it was asked for. */
  readonly serverName: string | null;
  readonly accept: (session: TlsSession) => string | null;
}

function refusal(code: string, message: string): SocketError {
  return socketError("tls", code, message);
}

/** After a handshake, before anything else: who is there, or why the connection must end. */
export function examine(
  raw: RawSocket,
  error: Error | null,
  expected: Expectation,
): TlsSession | SocketError {
  const code = error === null ? null : codeOf(error);
  if (code !== null && !certificateCodes.has(code)) {
    return refusal(code, `TLS handshake failed: ${error?.message ?? code}`);
  }
  if (raw.getTLSVersion() !== "TLSv1.3") return refusal("ERR_TLS_VERSION", "The peer does not speak TLS 1.3");
  const der = raw.getPeerX509Certificate()?.raw;
  const session = (peer: TlsSession["peer"]): TlsSession | SocketError => {
    const found: TlsSession = {
      peer,
      alpn: typeof raw.alpnProtocol === "string" ? raw.alpnProtocol : "",
      serverName: expected.serverName ?? serverNameOf(raw),
      resumed: raw.isSessionReused(),
    };
    const reason = expected.accept(found);
    return reason === null ? found : refusal("ERR_PEER_REFUSED", reason);
  };
  if (der === undefined) {
    if (expected.peer === "optional") return session(null);
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

/** Bun reports chain errors before name errors, and no SPIFFE certificate carries the DNS name that was dialled. */
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

function serverNameOf(raw: RawSocket): string {
  const name: unknown =
    "getServername" in raw && typeof raw.getServername === "function" ? raw.getServername() : "";
  return typeof name === "string" ? name : "";
}

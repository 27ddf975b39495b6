/**
 * TLS 1.3 over Bun, both sides. Bun decides nothing here: its `ok` is ignored, its name check does not apply to SPIFFE
 * certificates, a resumed session may outlive its certificate. So every handshake, resumed or not, is examined by
 * `examine` before a byte is written or delivered. Contexts are cached per credential, so a handshake parses no PEM.
 */
import { constants } from "node:crypto";
import type {
  SocketError,
  TlsClientOptions,
  TlsCredential,
  TlsServerOptions,
  TlsSession,
} from "../contract.ts";
import { examinePeer, olderCiphers, type Expectation } from "../shared/peer.ts";
import type { RawSocket } from "./socket.ts";

/** Bun takes these numbers and no names; with a name it throws, with nothing it accepts TLS 1.2 and its weak ciphers. */
const tls13 = 0x0304;
const tls12 = 0x0303;
const contextsPerCredentialMax = 1024;
const ticketsPerContextMax = 64;

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
    const { minVersion } = options;
    return this.find(options.credential, `${options.peer} ${minVersion ?? ""}`, options, () => ({
      ...(minVersion === undefined
        ? {}
        : {
            minVersion: tls12,
            ciphers: olderCiphers,
            secureOptions: constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
          }),
      cert: options.credential.chainPem,
      key: options.credential.keyPem,
      requestCert: options.peer !== "none",
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
      minVersion: tls13,
      ...rest(),
      ...(trustPem.length === 0 ? {} : { ca: [...trustPem] }),
      ...(alpn.length === 0 ? {} : { ALPNProtocols: wireNames(alpn) }),
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

/** After a handshake, before anything else: who is there, or why the connection must end. */
export function examine(
  raw: RawSocket,
  error: Error | null,
  expected: Expectation,
): TlsSession | SocketError {
  return examinePeer(
    {
      error,
      version: raw.getTLSVersion(),
      der: raw.getPeerX509Certificate()?.raw,
      alpn: typeof raw.alpnProtocol === "string" ? raw.alpnProtocol : "",
      serverName: expected.serverName ?? serverNameOf(raw),
      resumed: raw.isSessionReused(),
    },
    expected,
  );
}

function serverNameOf(raw: RawSocket): string {
  const name: unknown =
    "getServername" in raw && typeof raw.getServername === "function" ? raw.getServername() : "";
  return typeof name === "string" ? name : "";
}

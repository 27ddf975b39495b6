/** What `node:tls` on Deno is given and what it tells: TLS 1.3, both sides, judged by `runtime/shared/peer.ts`. */
import type { TLSSocket } from "node:tls";
import type { SocketError, TlsClientOptions, TlsServerOptions, TlsSession } from "../contract.ts";
import { examinePeer, olderCiphers, type Expectation } from "../shared/peer.ts";

/** What both sides give the host. It must refuse nobody by itself: that is `examine`'s. */
export function tlsSettings(options: TlsServerOptions | TlsClientOptions) {
  const { credential, trustPem, alpn } = options;
  const isOlder = "minVersion" in options && options.minVersion !== undefined;
  return {
    ...(credential === undefined ? {} : { cert: credential.chainPem, key: credential.keyPem }),
    ...(trustPem.length === 0 ? {} : { ca: [...trustPem] }),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    minVersion: isOlder ? "TLSv1.2" : "TLSv1.3",
    ...(isOlder ? { ciphers: olderCiphers } : {}),
    rejectUnauthorized: false,
  } as const;
}

/** After a handshake, before anything else: who is there, or why the connection must end. */
export function examine(raw: TLSSocket, expected: Expectation): TlsSession | SocketError {
  const shown = raw.getPeerX509Certificate();
  const server = expected.serverName === null;
  return examinePeer(
    {
      error: shown === undefined ? null : server ? errorOfServer(raw) : errorOfClient(raw),
      version: raw.getProtocol(),
      der: shown === undefined ? undefined : new Uint8Array(shown.raw),
      alpn: typeof raw.alpnProtocol === "string" ? raw.alpnProtocol : "",
      serverName: expected.serverName ?? serverNameOf(raw),
      resumed: raw.isSessionReused(),
    },
    expected,
  );
}

/** What is no word of the library counts as a chain that is not valid. */
function errorOf(told: unknown): Error {
  if (told instanceof Error) return told;
  const code = typeof told === "string" && told !== "" ? told : "CERT_UNTRUSTED";
  return Object.assign(new Error(code), { code });
}

function errorOfClient({ authorized, authorizationError }: TLSSocket): Error | null {
  return authorized ? null : errorOf(authorizationError);
}

/** `authorized` is set on connections that a `tls.Server` accepted; below it stands what that would ask: "" for a good chain. */
function errorOfServer(raw: TLSSocket): Error | null {
  const { _handle: handle } = raw as TLSSocket & { readonly _handle?: { verifyError?(): unknown } | null };
  const told = handle?.verifyError?.();
  return told === "" ? null : errorOf(told);
}

function serverNameOf(raw: TLSSocket): string {
  const { servername } = raw as TLSSocket & { readonly servername?: unknown };
  return typeof servername === "string" ? servername : "";
}

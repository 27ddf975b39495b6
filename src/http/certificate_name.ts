/** Whether the certificate of a server outside of the mesh is for the host that was meant (RFC 9525). */
import { X509Certificate } from "node:crypto";
import type { TlsSession } from "../../runtime/contract.ts";

/** `host`: a name, or an address without brackets. null: it is for it; else why not. */
export function namedFor({ peer }: TlsSession, host: string): string | null {
  if (peer === null) return "it shows no certificate";
  const certificate = new X509Certificate(peer.der);
  const found = /^[\d.]+$|:/.test(host) ? certificate.checkIP(host) : certificate.checkHost(host);
  return found === undefined ? `its certificate is not for ${host}` : null;
}

/**
 * Whether the peer of a verified handshake is whom we mean (X.509-SVID specification, section 5.2). Chain, validity and that
 * the leaf signs nothing are the host's part of the contract; here it is about names and revocation.
 */
import type { PeerCertificate, TlsSession } from "../../runtime/contract.ts";
import type { Principal } from "../model/identity.ts";
import { principalOf } from "./spiffe_id.ts";

export interface Trust {
  readonly trustDomain: string;
  readonly rootsPem: readonly string[];
  /** What was revoked: SPIFFE IDs, whatever certificate they show, and serial numbers of certificates. */
  readonly denied: ReadonlySet<string>;
}

/** One ID, or anybody of one kind. */
export type ExpectedPeer =
  { readonly kind: "exactly"; readonly spiffeId: string } | { readonly kind: Principal["kind"] };

/** null: it is; else why not. */
export function verifyPeer(session: TlsSession, trust: Trust, expected: ExpectedPeer): string | null {
  const { peer } = session;
  const [id, second] = peer?.uris ?? [];
  if (peer === null || id === undefined || second !== undefined)
    return "its certificate has not exactly one URI name";
  const principal = principalOf(id, trust.trustDomain);
  if (principal === null) return `${printable(id)} names nobody of ${trust.trustDomain}`;
  if (expected.kind === "exactly") {
    if (id !== expected.spiffeId) return `it is ${id}, not ${expected.spiffeId}`;
  } else if (principal.kind !== expected.kind) return `${id} is no ${expected.kind}`;
  if (trust.denied.has(id)) return `${id} was revoked`;
  return trust.denied.has(peer.serial) ? `this certificate of ${id} was revoked` : null;
}

/** Whether what this peer showed at its handshake was revoked since. */
export function isDenied(peer: PeerCertificate, denied: ReadonlySet<string>): boolean {
  return denied.has(peer.serial) || peer.uris.some((uri) => denied.has(uri));
}

/** What a stranger wrote, for a log. */
function printable(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

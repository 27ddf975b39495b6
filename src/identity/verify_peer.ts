/**
 * Whether the peer of a verified handshake is whom we mean (X.509-SVID specification, section 5.2). Chain, validity and that
 * the leaf signs nothing are the host's part of the contract; here it is about names and revocation.
 */
import type { TlsSession } from "../../runtime/contract.ts";
import type { Principal } from "../model/identity.ts";
import { principalOf } from "./spiffe_id.ts";

export interface Trust {
  readonly trustDomain: string;
  readonly rootsPem: readonly string[];
  /** IDs that were revoked, whatever certificate they show. */
  readonly deniedIds: ReadonlySet<string>;
}

/** One ID, or anybody of one kind. */
export type ExpectedPeer = { readonly spiffeId: string } | { readonly kind: Principal["kind"] };

/** null: it is; else why not. */
export function verifyPeer(session: TlsSession, trust: Trust, expected: ExpectedPeer): string | null {
  const [id, second] = session.peer?.uris ?? [];
  if (id === undefined || second !== undefined) return "its certificate has not exactly one URI name";
  const principal = principalOf(id, trust.trustDomain);
  if (principal === null) return `${printable(id)} names nobody of ${trust.trustDomain}`;
  if ("spiffeId" in expected) {
    if (id !== expected.spiffeId) return `it is ${id}, not ${expected.spiffeId}`;
  } else if (principal.kind !== expected.kind) return `${id} is no ${expected.kind}`;
  return trust.deniedIds.has(id) ? `${id} was revoked` : null;
}

/** What a stranger wrote, for a log. */
function printable(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

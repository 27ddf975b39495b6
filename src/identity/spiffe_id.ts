/**
 * SPIFFE IDs (SPIFFE ID specification, section 2): parsed strictly and compared as bytes. Nothing is normalised: what does
 * not have the one allowed form is refused.
 */
import type { Principal } from "../model/identity.ts";
import { limits } from "../model/limits.ts";

export interface SpiffeId {
  readonly trustDomain: string;
  /** Begins with `/`; "" for the ID of a trust domain itself. */
  readonly path: string;
}

const scheme = "spiffe://";

/** null when the text is no SPIFFE ID. @visibleForTesting */
export function parseSpiffeId(text: string): SpiffeId | null {
  if (!text.startsWith(scheme) || text.length > limits.spiffeIdBytesMax) return null;
  const slash = text.indexOf("/", scheme.length);
  const trustDomain = slash < 0 ? text.slice(scheme.length) : text.slice(scheme.length, slash);
  const path = slash < 0 ? "" : text.slice(slash);
  if (!isTrustDomain(trustDomain)) return null;
  if (path !== "" && !path.slice(1).split("/").every(isSegment)) return null;
  return { trustDomain, path };
}

/** Lower-case letters, digits, `.`, `-`, `_`; at most 255. */
export function isTrustDomain(text: string): boolean {
  return text.length <= limits.trustDomainBytesMax && /^[a-z0-9._-]+$/.test(text);
}

function isSegment(segment: string): boolean {
  return segment !== "." && segment !== ".." && /^[A-Za-z0-9._-]+$/.test(segment);
}

/** A name of a service, namespace or machine: an RFC 1123 label, so that it fits paths, host names and file names. */
export function isName(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

/** Whom an ID of this trust domain names; null for every other ID, also for one whose names are no names of ours. */
export function principalOf(spiffeId: string | null, trustDomain: string): Principal | null {
  const id = spiffeId === null ? null : parseSpiffeId(spiffeId);
  if (id === null || id.trustDomain !== trustDomain) return null;
  const [first, second = "", third = "", fourth = "", ...rest] = id.path.slice(1).split("/");
  if (rest.length > 0) return null;
  if (first === "ns" && third === "sa") {
    return isName(second) && isName(fourth)
      ? { kind: "service", service: { namespace: second, name: fourth } }
      : null;
  }
  if (fourth !== "") return null;
  if (first === "heddle" && (second === "controller" || second === "registry"))
    return isName(third) ? { kind: second, name: third } : null;
  if (third === "" && (first === "node" || first === "operator"))
    return isName(second) ? { kind: first, name: second } : null;
  return null;
}

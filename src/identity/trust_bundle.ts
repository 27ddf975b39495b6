/**
 * Trusted roots as others read them: a JWK Set in the form of the SPIFFE trust domain and bundle specification, section 4.
 * Reading follows its rules of what to ignore; what must not be ignored is an error.
 */
import { X509Certificate } from "node:crypto";
import type { TrustBundle } from "../model/snapshot.ts";

export interface BundleDocument {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
  readonly spiffe_sequence: number;
  readonly spiffe_refresh_hint: number;
}

export function writeBundle(bundle: TrustBundle, refreshHintMs: number): BundleDocument {
  return {
    keys: bundle.rootsPem.map((pem) => {
      const certificate = new X509Certificate(pem);
      return {
        use: "x509-svid",
        ...certificate.publicKey.export({ format: "jwk" }),
        x5c: [certificate.raw.toString("base64")],
      };
    }),
    spiffe_sequence: bundle.sequence,
    spiffe_refresh_hint: Math.ceil(refreshHintMs / 1000),
  };
}

/** Throws what is wrong. An empty list of keys is right: all are revoked. */
export function readBundle(text: string, trustDomain: string): TrustBundle {
  const wrong = (reason: string): Error => new Error(`Cannot read the bundle of ${trustDomain}: ${reason}`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw wrong((error as Error).message);
  }
  const { keys, spiffe_sequence: sequence = 0 } = (document ?? {}) as Partial<BundleDocument>;
  if (!Array.isArray(keys)) throw wrong("it has no list of keys");
  if (!Number.isSafeInteger(sequence) || sequence < 0) throw wrong("spiffe_sequence is no whole number");
  const rootsPem: string[] = [];
  for (const key of keys as unknown[]) {
    const first = firstCertificate(key);
    if (first === null) continue;
    const pem = rootOf(first);
    if (pem === null)
      throw wrong(`key ${keys.indexOf(key) + 1} has an x5c that is no certificate of an authority`);
    rootsPem.push(pem);
  }
  return { trustDomain, sequence, rootsPem };
}

/** What an x509-svid entry carries; null for an entry to be ignored: of another use or key type, or with nothing in it. */
function firstCertificate(key: unknown): unknown {
  const { use, kty, x5c } = (key ?? {}) as { use?: unknown; kty?: unknown; x5c?: unknown };
  if (use !== "x509-svid" || (kty !== "EC" && kty !== "RSA" && kty !== "OKP")) return null;
  return Array.isArray(x5c) && x5c.length > 0 ? (x5c[0] as unknown) : null;
}

function rootOf(base64: unknown): string | null {
  if (typeof base64 !== "string") return null;
  try {
    const certificate = new X509Certificate(Uint8Array.fromBase64(base64));
    return certificate.ca ? certificate.toString() : null;
  } catch {
    return null;
  }
}
